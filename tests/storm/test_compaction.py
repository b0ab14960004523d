"""A member stores an object and dies before its commit; compaction takes the object's first record; another goes on."""

import time

import pytest

from streamsink.observe.points import VARIABLE, Point
from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

KEYS = 20
COMPACTED_S = 90
COMPACT = {
    "cleanup_policy": "compact",
    "segment_ms": "500",
    "min_cleanable_dirty_ratio": "0.01",
    "min_compaction_lag_ms": "0",
}


def produce(kafka, topic, keys, value):
    producer = kafka.producer()
    for key in keys:
        producer.produce(topic, b"%s of %d" % (value, key), key=b"%d" % key, partition=0)
    assert producer.flush(30) == 0


def compact(kafka, topic):
    """Supersede every second record, the first among them, and wait until these have vanished."""
    deadline = time.monotonic() + COMPACTED_S
    before = {row[0]: row for row in read_topic(kafka, topic)[0]}
    produce(kafka, topic, range(0, KEYS, 2), b"second")
    while 0 in {row[0] for row in read_topic(kafka, topic)[0]}:
        assert time.monotonic() < deadline, f"{topic} is not compacted"
        time.sleep(0.6)
        # A segment is cleaned once a later one has begun, which a record begins after segment.ms.
        produce(kafka, topic, [KEYS], b"roll")
    return before


@pytest.mark.parametrize("point", [Point.AFTER_PUT, Point.BEFORE_COMMIT])
def test_what_is_stored_is_not_stored_again_when_compaction_takes_its_first_record(point, kafka, tmp_path, unique):
    url = (tmp_path / "archive").as_uri()
    kafka.create_topic(unique, 1, **COMPACT)
    produce(kafka, unique, range(KEYS), b"first")
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": url,
            "value.converter": "bytes",
            "flush.size": str(KEYS),
            "rotate.age.ms": "1500",
            "exactly.once": "required",
            "consumer.override.group.instance.id": unique,
        },
    )
    # The first commit is the claim; the second would tell of the object.
    worker.start(**{VARIABLE: f"{point}:{2 if point is Point.BEFORE_COMMIT else 1}"})
    assert worker.wait_killed(timeout_s=60), worker.log()[-3000:]
    assert sorted(row[0] for row in archived_records(open_store(url, {}))[0]) == list(range(KEYS))
    before = compact(kafka, unique)
    worker.start()
    end = kafka.end_offsets(unique)[0]
    wait_until(
        "all is committed",
        lambda: kafka.committed(f"connect-{unique}", unique).get(0, (0, ""))[0] == end,
        timeout_s=60,
        worker=worker,
    )
    assert worker.terminate() == 0
    stored = sorted(archived_records(open_store(url, {}))[0])
    offsets = [row[0] for row in stored]
    assert offsets == sorted(set(offsets)), "an offset is stored twice"
    truth = before | {row[0]: row for row in read_topic(kafka, unique)[0]}
    assert {row[0] for row in read_topic(kafka, unique)[0]} <= set(offsets), "an offset is stored nowhere"
    assert all(truth[row[0]] == row for row in stored if row[0] in truth)
