"""The round-trip law: topic, archive, new topic give the same records in each partition, byte for byte."""

import json
import subprocess
import sys

import pytest

from tests.servers.archives import archive_topic
from tests.servers.topics import fill_awkwardly, read_topic


def replay(kafka, *arguments, timeout_s=120):
    command = [sys.executable, "-m", "streamsink", "replay", *map(str, arguments)]
    return subprocess.run(
        [*command, "--bootstrap-server", kafka.bootstrap],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def without_offsets(records):
    return {partition: [record[1:] for record in found] for partition, found in records.items() if found}


@pytest.mark.parametrize(
    ("format_class", "codec"), [("parquet", "zstd"), ("avro", "deflate"), ("jsonl", "gzip"), ("raw", "zstd")]
)
def test_every_awkward_record_comes_back_in_order(kafka, unique, tmp_path, format_class, codec):
    kafka.create_topic(unique, 4)
    fill_awkwardly(kafka, unique, 8000, partitions=4)
    archive_topic(kafka, unique, tmp_path.as_uri(), format_class=format_class, flush_size="900")
    done = replay(kafka, f"{tmp_path.as_uri()}/topics", "--to", f"{unique}-new", "--create-topic", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] == 8000
    assert without_offsets(read_topic(kafka, f"{unique}-new")) == without_offsets(read_topic(kafka, unique))
