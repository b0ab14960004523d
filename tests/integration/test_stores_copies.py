"""An archive copied by rclone and rsync is an archive: it verifies, its sums hold, it replays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.archives import archive_topic
from tests.servers.rsync import rsync
from tests.servers.seaweedfs import BUCKET
from tests.servers.topics import fill_awkwardly, read_topic

RCLONE = Path(sys.executable).parent / "rclone"


@pytest.fixture
def rclone(seaweedfs, tmp_path):
    """Runs rclone, which knows the S3 server as `s3:`."""
    options = seaweedfs.options
    environment = {
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Other",
        "RCLONE_CONFIG_S3_ENDPOINT": options["endpoint"],
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": options["access_key_id"],
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": options["secret_access_key"],
    }

    def run(*arguments):
        return subprocess.run(
            [RCLONE, *map(str, arguments)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def streamsink(*arguments):
    command = [sys.executable, "-m", "streamsink", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_copies_by_rclone_and_rsync_verify_and_replay(kafka, seaweedfs, rclone, unique, tmp_path):
    kafka.create_topic(unique, 2)
    fill_awkwardly(kafka, unique, 4000, partitions=2)
    url, options = seaweedfs.url(unique), seaweedfs.options
    told = [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
    archive_topic(
        kafka,
        unique,
        url,
        format_class="raw",
        flush_size="900",
        store_url=options["endpoint"],
        s3_region=options["region"],
        aws_access_key_id=options["access_key_id"],
        aws_secret_access_key=options["secret_access_key"],
    )

    first, second = tmp_path / "first", tmp_path / "second copy"
    copied = rclone("copy", f"s3:{BUCKET}/{unique}", first)
    assert copied.returncode == 0, copied.stderr
    rsync("-a", f"{first}/", f"{second}/")

    verified = streamsink("archive", "verify", second / "topics")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for algorithm, flag in (("sha256", []), ("md5", ["--md5"])):
        sums = tmp_path / f"{algorithm}.sums"
        listed = streamsink("archive", "sums", f"{url}/topics", *told, *flag)
        assert listed.returncode == 0, listed.stderr
        sums.write_text(listed.stdout)
        assert len(listed.stdout.splitlines()) > 4
        # On S3 the MD5 is known without reading: no --download.
        places = [second / "topics"] + ([f"s3:{BUCKET}/{unique}/topics"] if algorithm == "md5" else [])
        for place in places:
            checked = rclone("checksum", algorithm, sums, place)
            assert checked.returncode == 0, checked.stderr
            assert "0 differences found" in checked.stderr

    done = streamsink(
        *("replay", second / "topics", "--to", f"{unique}-new", "--create-topic"),
        *("--bootstrap-server", kafka.bootstrap),
    )
    assert done.returncode == 0, done.stderr
    again, truth = read_topic(kafka, f"{unique}-new"), read_topic(kafka, unique)
    assert {at: [one[1:] for one in rows] for at, rows in again.items() if rows} == {
        at: [one[1:] for one in rows] for at, rows in truth.items() if rows
    }

    spoilt = max((second / "topics").rglob("*.bin"), key=lambda path: path.stat().st_size)
    data = bytearray(spoilt.read_bytes())
    data[len(data) // 2] ^= 1
    spoilt.write_bytes(data)
    assert rclone("checksum", "sha256", tmp_path / "sha256.sums", second / "topics").returncode == 1
    refused = streamsink("archive", "verify", second / "topics")
    assert refused.returncode == 1
    assert spoilt.name in refused.stdout
