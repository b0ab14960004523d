from __future__ import annotations

import uuid

import pytest

from streamsink.archive.archive import Archive
from streamsink.errors import TransientError
from streamsink.record import BadRecord, TopicPartition
from streamsink.sink.dead_letters.objects import DeadLetterObjects
from streamsink.upload.memory import MemoryStore
from tests.servers.archive_reader import object_rows


def bad(offset, topic="logs", **changes):
    known = {
        "topic_partition": TopicPartition(topic, 3),
        "offset": offset,
        "timestamp_ms": 1_000 + offset,
        "key": None,
        "value": b"\xff",
        "headers": (("h", None),),
        "stage": "TRANSFORMATION",
        "error": "no",
        "error_class": "TransformError",
        "executing": "x.Cast$Value",
    }
    return BadRecord(**{**known, **changes})


@pytest.fixture
def store():
    return MemoryStore(uuid.uuid4().hex)


def letters(store):
    return DeadLetterObjects(store, connector="c", task_id=0, writer="w")


def stored(store):
    rows = [row for info in store.list() for row in object_rows(store, info.name)]
    return sorted(row["_kafka"]["offset"] for row in rows)


def test_bad_records_are_objects_with_their_bytes_and_what_was_wrong(store):
    place = letters(store)
    place.send([bad(7), bad(9)])
    place.flush(1)
    (info,) = store.list()
    assert info.name == "logs/partition=3/logs+3+0000000007.zstd.parquet"
    row = object_rows(store, info.name)[0]
    headers = {one["key"]: one["value"] for one in row["_kafka"]["headers"]}
    assert row["value"] == b"\xff"
    assert headers["h"] is None
    assert headers["__connect.errors.stage"] == b"TRANSFORMATION"
    assert headers["__connect.errors.class.name"] == b"x.Cast$Value"
    assert headers["__connect.errors.offset"] == b"7"


def test_a_second_run_stores_only_what_the_first_did_not(store):
    for offsets in ([5, 8], [5, 6, 8], [8, 9], [5, 6, 7, 8, 9]):
        place = letters(store)
        place.send([bad(offset) for offset in offsets])
        place.flush(1)
    assert stored(store) == [5, 6, 7, 8, 9]


def test_they_are_an_archive_of_their_own(store):
    place = letters(store)
    place.send([bad(1), bad(2), bad(1, "other")])
    place.flush(1)
    found = Archive(store, "memory://x", "").objects()
    assert sorted((one.parsed.topic, one.parsed.start_offset) for one in found) == [("logs", 1), ("other", 1)]


def test_a_reply_that_is_lost_doubles_nothing(store):
    create = store.create
    calls = []

    def lossy(name, data, metadata):
        create(name, data, metadata)
        calls.append(name)
        if len(calls) == 1:
            raise TransientError("lost")

    store.create = lossy
    place = letters(store)
    place.send([bad(1), bad(2)])
    place.flush(5)
    assert stored(store) == [1, 2]


def test_nothing_may_be_committed_while_the_store_is_away(store):
    def away(name, data, metadata):
        raise TransientError("away")

    store.create = away
    place = letters(store)
    place.send([bad(1)])
    with pytest.raises(TransientError, match="1 records still wait"):
        place.flush(0.1)


def test_what_another_member_stored_meanwhile_is_stored_once(store):
    first, second = letters(store), letters(store)
    first.send([bad(280)])
    first.flush(1)
    second.send([bad(offset) for offset in range(300, 351)])
    second.flush(1)
    # The partition comes back, committed at 310: none of the first's objects begins there.
    first.forget([TopicPartition("logs", 3)])
    first.send([bad(offset) for offset in range(310, 356)])
    first.flush(1)
    assert stored(store) == [280, *range(300, 356)]


def test_an_object_met_under_ones_name_counts_beyond_what_waits(store):
    first, second = letters(store), letters(store)
    first.send([bad(280)])
    first.flush(1)
    second.send([bad(offset) for offset in range(300, 351)])
    second.flush(1)
    for offsets in (range(300, 310), range(310, 351)):
        first.send([bad(offset) for offset in offsets])
        first.flush(1)
    assert stored(store) == [280, *range(300, 351)]


def test_what_waits_of_a_partition_that_went_is_left_to_its_next_owner(store):
    place = letters(store)
    place.send([bad(1), bad(1, "other", topic_partition=TopicPartition("other", 0))])
    place.forget([TopicPartition("logs", 3)])
    place.flush(1)
    assert [info.name.partition("/")[0] for info in store.list()] == ["other"]
