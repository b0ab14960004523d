"""Continuous replay of archives of many lanes, on a real broker: each record once, whatever comes late."""

import random
import re
import threading

import pytest
from confluent_kafka import Consumer, TopicPartition

from streamsink.archive.open import open_archive
from streamsink.errors import CorruptObjectError, TransientError
from streamsink.replay import run
from streamsink.replay.job import ReplayJob
from streamsink.replay.position import parts_of
from streamsink.replay.task import replay
from streamsink.upload.local import LocalStore
from tests.servers.topics import read_topic
from tests.unit.archive.made import put


def job(kafka, topic, **changes):
    properties = {"bootstrap.servers": kafka.bootstrap}
    return ReplayJob(to=topic, properties=properties, topic="logs", resume_id=f"id-{topic}", growing=True, **changes)


def one_round(job, place, report=lambda _: None):
    archive = open_archive(f"{place.as_uri()}/topics", {})
    try:
        return replay(archive, job, report=report, stop=threading.Event(), known={})
    finally:
        archive.store.close()


def offsets(kafka, topic):
    return [int(record[3].removeprefix(b"key-")) for record in read_topic(kafka, topic).get(0, [])]


def committed_text(kafka, topic):
    client = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"id-{topic}", "log_level": 0})
    (at,) = client.committed([TopicPartition(topic, 0)], timeout=20)
    client.close()
    return at.metadata


@pytest.mark.parametrize(("transactional", "count"), [(True, 1_000), (False, 500)])
def test_a_thousand_lanes_that_come_late_are_replayed_once(kafka, unique, tmp_path, monkeypatch, transactional, count):
    """Rounds end by themselves, or are broken off in the middle of a transaction."""
    monkeypatch.setattr(run, "COMMIT_RECORDS_MAX", 500)
    kafka.create_topic(unique, 1)
    store, dice = LocalStore(tmp_path), random.Random(7)
    lanes = [[range(lane + step, lane + step + 3 * count, count) for step in (0, 3 * count)] for lane in range(count)]
    coming = [0] * count
    told = job(kafka, unique, transactional=transactional)
    for round_ in range(4):
        for lane, objects in enumerate(lanes):
            while coming[lane] < len(objects) and (round_ == 3 or dice.random() < 0.4):
                put(store, objects[coming[lane]], encoded=f"f={lane}", manifest=False)
                coming[lane] += 1
        if transactional:
            with pytest.raises(TransientError, match="killed"):
                one_round(told, tmp_path, report=Killer(count // 2))
        one_round(told, tmp_path)
        if round_ == 1:
            assert parts_of(committed_text(kafka, unique)) >= (2 if transactional else 1)
    assert sorted(offsets(kafka, unique)) == list(range(6 * count))
    # All came, and no offset is a hole: no lane is kept any more.
    assert parts_of(committed_text(kafka, unique)) == 0
    assert one_round(told, tmp_path).records == 0


class Killer:
    """Breaks a round off, so many records later, before its transaction is committed."""

    def __init__(self, after):
        self.after = after

    def __call__(self, progress):
        if progress.records >= self.after:
            raise TransientError("killed", hint="")


def test_a_damaged_object_stops_a_growing_replay_or_is_passed_over(kafka, unique, tmp_path):
    kafka.create_topic(unique, 1)
    store = LocalStore(tmp_path)
    put(store, range(10), manifest=False)
    assert one_round(job(kafka, unique), tmp_path).records == 10
    put(store, range(10, 20), manifest=False)
    damaged = next(tmp_path.rglob("*+0000000010*"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(CorruptObjectError, match=re.escape(damaged.name)):
        one_round(job(kafka, unique), tmp_path)
    done = one_round(job(kafka, unique, skip_corrupt=True), tmp_path)
    assert (done.records, [error.path.rpartition("/")[2] for error in done.left_out]) == (0, [damaged.name])
    put(store, range(20, 30), manifest=False)
    done = one_round(job(kafka, unique, skip_corrupt=True), tmp_path)
    assert (done.records, len(done.left_out)) == (10, 1)
    assert offsets(kafka, unique) == [*range(10), *range(20, 30)]
