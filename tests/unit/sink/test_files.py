"""A task's files: what is written, measured and described, and what is freed."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from streamsink.config.sink import Naming
from streamsink.record import TopicPartition
from streamsink.sink.core.effects import Append, Close, Open
from streamsink.sink.core.events import LaneRun
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.rotation import Reason
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import NO_TIME_MS, LaneRows
from streamsink.testing.format import SimFormat, read_rows
from streamsink.testing.records import SimRecord

P = TopicPartition("logs", 3)
LANE = Lane("day=1")


@pytest.fixture
def files():
    return TaskFiles(SimFormat(), FileOrigin("writer", "layout", Naming()))


def run(offsets, times_ms):
    values = [SimRecord("a", "v1", 0, 10).to_bytes() for _ in offsets]
    rows = pa.RecordBatch.from_pydict({"offset": pa.array(offsets, pa.int64()), "value": pa.array(values, pa.binary())})
    return LaneRun(LANE, "v1", offsets, None, LaneRows(rows, np.array(times_ms, dtype=np.int64)))


def test_an_object_holds_the_rows_it_was_given_and_says_what_it_covers(files):
    files.open(Open(1, P, LANE, "v1", 5))
    files.append(Append(1, run([5, 6, 9], [300, NO_TIME_MS, 100]), 0, 3))
    files.append(Append(1, run([10, 11], [200, 900]), 0, 1))
    measured = files.close(Close(1, 10, 4, Reason.AGE))
    about, encoded = files.finished(1)
    assert [offset for offset, _ in read_rows(bytes(encoded.data))] == [5, 6, 9, 10]
    assert about.name == "topics/logs/day=1/logs+3+0000000005.sim"
    assert (about.first_offset, about.last_offset, about.record_count) == (5, 10, 4)
    assert (about.timestamp_min_ms, about.timestamp_max_ms) == (100, 300)
    assert (about.lane, about.layout, about.writer, about.reason) == ("day=1", "layout", "writer", "age")
    assert about.sha256 == hashlib.sha256(encoded.data).hexdigest()
    assert measured.size_bytes == about.size_bytes == len(encoded.data)


def test_what_files_occupy_is_measured_after_each_step_and_freed_in_the_end(files):
    files.open(Open(1, P, LANE, "v1", 5))
    assert files.memory_bytes == 0
    appended = files.append(Append(1, run([5, 6], [1, 2]), 0, 2))
    assert files.memory_bytes == appended.memory_bytes == appended.pending_bytes
    flushed = files.flush(1)
    assert flushed.pending_bytes == 0
    assert files.memory_bytes == flushed.memory_bytes
    closed = files.close(Close(1, 6, 2, Reason.BYTES))
    assert files.memory_bytes == closed.memory_bytes
    files.discard(1)
    assert files.memory_bytes == 0


def test_a_flush_of_a_file_that_has_closed_or_gone_measures_nothing(files):
    files.open(Open(1, P, LANE, "v1", 5))
    assert files.flush(1) is None
    files.append(Append(1, run([5], [1]), 0, 1))
    files.close(Close(1, 5, 1, Reason.BYTES))
    assert files.flush(1) is None
    files.discard(1)
    files.discard(1)
    assert files.flush(1) is None


def test_times_that_no_record_has_are_not_made_up(files):
    files.open(Open(1, P, LANE, "v1", 5))
    files.append(Append(1, run([5], [NO_TIME_MS]), 0, 1))
    files.close(Close(1, 5, 1, Reason.BYTES))
    about, _ = files.finished(1)
    assert (about.timestamp_min_ms, about.timestamp_max_ms) == (None, None)
