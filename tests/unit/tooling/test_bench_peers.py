"""A peer's CPU is that of all its processes, and its files must hold what was asked."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bench.peers import run
from tests.bench.peers.peer import FIELDS, Job, Peer, PeerError, check_files, cpu_of

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


def test_a_peer_that_cannot_be_had_or_fails_is_told_and_stops_no_other(tmp_path, monkeypatch):
    def write(job: Job) -> float:
        job.archive.mkdir(parents=True)
        pq.write_table(pa.table({name: ["a"] * job.count for name in FIELDS}), job.archive / "f", compression="zstd")
        return 1.0 + job.count

    def refuse(*_: object) -> float:
        raise PeerError("not served")

    peers = (Peer("Absent 1", refuse, write), Peer("Broken 2", lambda: None, refuse), Peer("Good 3", list, write))
    monkeypatch.setattr(run, "PEERS", peers)
    monkeypatch.chdir(tmp_path)
    broker = SimpleNamespace(bootstrap="broker:9092", stop=lambda: None)
    ours = {"consume()": [2.0, 10.0], "streamsink": [3.0, 11.0]}
    assert run.main(2, 10, lambda *_: dict(ours), lambda *_: broker) == 1
    table = (tmp_path / "build" / "bench" / "peers.md").read_text()
    assert "| Good 3 | 0.91 | 0.91 - 0.91 | 1 | 1 |" in table
    assert all(f"| {name} | not had: not served |" in table for name in ("Absent 1", "Broken 2"))
