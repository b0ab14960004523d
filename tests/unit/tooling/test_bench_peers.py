"""A peer's CPU is that of all its processes, and its files must hold what was asked."""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bench.peers.peer import FIELDS, Job, PeerError, check_files, cpu_of

BURN = "import time\nwhile time.process_time() < 0.5: pass"
LEAVE = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}], start_new_session=True)"


def test_what_a_peer_leaves_running_is_waited_for_and_counted(tmp_path):
    assert cpu_of([sys.executable, "-c", LEAVE], tmp_path / "left") >= 0.5


def test_a_peer_that_fails_is_told_with_its_log(tmp_path):
    with pytest.raises(PeerError, match="no such topic"):
        cpu_of([sys.executable, "-c", "raise SystemExit('no such topic')"], tmp_path)


@pytest.mark.parametrize(
    ("fields", "codec", "count", "fault"),
    [
        (list(FIELDS), "zstd", 3, None),
        (list(FIELDS), "zstd", 4, "3 of 4 records"),
        (list(FIELDS)[1:], "zstd", 3, "lacks \\['ts'\\]"),
        (list(FIELDS), "snappy", 3, "SNAPPY"),
    ],
)
def test_files_hold_every_record_and_field_with_zstandard(tmp_path, fields, codec, count, fault):
    job = Job("broker:9092", "logs", count, "peer", tmp_path)
    (job.archive / "_hidden").mkdir(parents=True)
    table = pa.table({field: ["a", "b", "c"] for field in fields})
    pq.write_table(table, job.archive / "part-0", compression=codec)
    pq.write_table(table, job.archive / "_hidden" / "part-1")
    (job.archive / "part-0.crc").write_bytes(b"crc")
    if fault is None:
        check_files(job)
        return
    with pytest.raises(PeerError, match=fault):
        check_files(job)
