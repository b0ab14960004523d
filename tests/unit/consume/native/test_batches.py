"""A run of columns gives for a position what a run of messages gives; columns of a broker are compared elsewhere."""

import pyarrow as pa
import pytest
from confluent_kafka import Message

from streamsink.consume.assignments import FROM_THE_START
from streamsink.consume.native.batches import NativeRun
from streamsink.consume.slices import MessageRun, raw_slice
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TopicPartition

AT = TopicPartition("t", 0)


def messages(*offsets):
    return [Message(topic="t", partition=0, offset=at, key=b"k", value=b"%d" % at, timestamp=(1, at)) for at in offsets]


def rows(*offsets):
    return raw_slice(AT, offsets[0], messages(*offsets)).rows


@pytest.mark.parametrize("position", [FROM_THE_START, 0, 4, 5, 6, 7, 9, 10, 11])
def test_records_below_a_position_are_dropped_and_the_slice_begins_there(position):
    offsets = (4, 5, 7, 9)
    told = NativeRun(AT, 4, 10, rows(*offsets), None).slice_from(position)
    meant = MessageRun(AT, messages(*offsets)).slice_from(position)
    assert told == meant


@pytest.mark.parametrize(("position", "left"), [(0, [5, 8]), (6, [8]), (9, [])])
def test_records_that_can_not_be_read_are_dropped_below_a_position_too(position, left):
    unread = pa.RecordBatch.from_arrays(
        [
            pa.array([5, 8]),
            pa.array([None, 7], RAW_SCHEMA.field("timestamp").type),
            pa.array([-1, 0], pa.int8()),
            pa.array([b"k", None]),
            pa.array([None, b"v"]),
            pa.array([[], []], HEADERS_TYPE),
        ],
        schema=RAW_SCHEMA,
    )
    told = NativeRun(AT, 4, 10, rows(4, 9), unread).slice_from(position)
    assert [bad.offset for bad in told.bad] == left
    assert (told.start, told.next_offset) == (position, 10)
    facts = {5: (None, b"k", None), 8: (7, None, b"v")}
    assert [(bad.timestamp_ms, bad.key, bad.value) for bad in told.bad] == [facts[offset] for offset in left]
