"""A real topic against its archive: what was taken out, put in or changed is found, and what was not is not."""

import dataclasses
import json
import subprocess
import sys

import pyarrow as pa
import pytest

from streamsink.config.sink import Rotation
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.upload.description import ObjectDescription
from streamsink.upload.local import LocalStore
from tests.servers.archives import archive_topic
from tests.servers.topics import fill_awkwardly
from tests.unit.archive.made import PARQUET

RECORDS = 3000


def audit(tmp_path, kafka, *arguments):
    command = [sys.executable, "-m", "streamsink", "archive", "audit", (tmp_path / "topics").as_uri(), "--json"]
    command += ["--bootstrap-server", kafka.bootstrap, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def rewrite(tmp_path, name, change):
    """Put an object in another's place as a careless program would: whole, described, and with other rows."""
    path = tmp_path / name
    reader = open_object(name, path.read_bytes())
    about = ObjectDescription.from_footer(name, reader.footer())
    table = change(pa.Table.from_batches(list(reader.batches())))
    writer = make_format(PARQUET, Rotation()).open(table.schema, identity=name)
    for batch in table.to_batches():
        writer.append(batch)
    path.write_bytes(writer.finish(dataclasses.replace(about, record_count=table.num_rows).to_footer()).data)
    for manifest in (tmp_path / "_streamsink" / "manifest").rglob("*.jsonl"):
        manifest.unlink()


@pytest.fixture
def archived(tmp_path, kafka, unique):
    kafka.create_topic(unique, partitions=2)
    fill_awkwardly(kafka, unique, RECORDS, partitions=2)
    archive_topic(kafka, unique, tmp_path.as_uri(), flush_size="400", value_converter="bytes")
    return unique


def objects(tmp_path):
    return sorted(info.name for info in LocalStore(tmp_path).list("topics/"))


def test_a_topic_and_its_archive_are_the_same(archived, tmp_path, kafka):
    status, found = audit(tmp_path, kafka)
    assert (status, found["same"]) == (0, True)
    assert sum(one["equal"] for one in found["partitions"]) >= RECORDS
    for one in found["partitions"]:
        assert one["topic_records"] == one["archive_records"] == one["equal"]
        assert all(hour["topic"] == hour["archive"] == hour["equal"] for hour in one["hours"])


def test_a_record_taken_out_one_put_in_and_one_changed_are_each_named(archived, tmp_path, kafka):
    name = objects(tmp_path)[1]
    partition = int(name.split("+")[1])

    def took_out(table):
        return pa.concat_tables([table.slice(0, 5), table.slice(6)])

    def changed(table):
        values = table.column("value").to_pylist()
        values[3] = b"another value"
        return table.set_column(table.schema.get_field_index("value"), table.schema.field("value"), [values])

    def put_in(table):
        return pa.concat_tables([table.slice(0, 7), table.slice(6)])

    first = open_object(name, (tmp_path / name).read_bytes()).footer()["streamsink.first_offset"]
    original = (tmp_path / name).read_bytes()
    for change, what, at in [(took_out, "only_topic", 5), (changed, "differing", 3)]:
        (tmp_path / name).write_bytes(original)
        rewrite(tmp_path, name, change)
        status, found = audit(tmp_path, kafka, "--topic", archived, "--partition", str(partition))
        (one,) = found["partitions"]
        offset = int(first) + at
        assert (status, one[what]) == (1, {"count": 1, "ranges": [{"first_offset": offset, "last_offset": offset}]})
        assert one["unreadable"] == []
    (tmp_path / name).write_bytes(original)
    rewrite(tmp_path, name, put_in)
    status, found = audit(tmp_path, kafka, "--partition", str(partition))
    assert status == 1
    assert found["partitions"][0]["twice"]["count"] == 1


def test_a_missing_object_is_named_and_its_records_are_only_in_the_topic(archived, tmp_path, kafka):
    name = objects(tmp_path)[0]
    (tmp_path / name).unlink()
    status, found = audit(tmp_path, kafka)
    one = found["partitions"][0]
    assert (status, one["only_topic"]["count"]) == (1, 400)
    assert one["unreadable"][0]["path"] == name.removeprefix("topics/")


def test_what_the_group_has_not_committed_is_left_out_where_that_is_asked(archived, tmp_path, kafka):
    producer = kafka.producer()
    producer.produce(archived, b"late", partition=0)
    assert producer.flush(30) == 0
    assert audit(tmp_path, kafka)[0] == 1
    status, found = audit(tmp_path, kafka, "--group", f"connect-archive-{archived}")
    assert (status, found["same"]) == (0, True)


def test_a_topic_that_is_not_there_is_one_line(archived, tmp_path, kafka):
    status, told = audit(tmp_path, kafka, "--topic", "no-such-topic")
    assert (status, told.count("\n")) == (1, 1)
