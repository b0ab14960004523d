import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.replay.merge import merge
from streamsink.replay.rows import RECORDS
from streamsink.replay.stream import Batch
from streamsink.replay.timed import by_time, rising_times


def records(offsets, times=None):
    count = len(offsets)
    columns = [
        pa.array(offsets, pa.int64()),
        pa.array(times or [None] * count, pa.int64()),
        *(pa.nulls(count, field.type) for field in list(RECORDS)[2:]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)


def cut(offsets, size):
    return [records(offsets[at : at + size]) for at in range(0, len(offsets), size)]


@settings(deadline=None)
@given(
    lanes=st.lists(st.integers(0, 4), max_size=200),
    doubled=st.sets(st.integers(0, 200)),
    size=st.integers(1, 30),
)
def test_runs_are_merged_by_offset_each_offset_once(lanes, doubled, size):
    runs = {}
    for offset, lane in enumerate(lanes):
        runs.setdefault(lane, []).append(offset)
        if offset in doubled:
            runs.setdefault(99, []).append(offset)
    ordered = sorted(runs.values())
    opened = []

    def open_run(index):
        opened.append(index)
        return iter(cut(ordered[index], size))

    found = [offset for batch in merge([run[0] for run in ordered], open_run) for offset in batch.column(0).to_pylist()]
    assert found == list(range(len(lanes)))
    assert opened == list(range(len(ordered)))


def test_a_run_is_opened_only_when_the_merge_comes_to_it():
    opened = []

    def open_run(index):
        opened.append(index)
        return iter(cut(list(range(index * 100, index * 100 + 100)), 50))

    merged = merge([0, 100, 200], open_run)
    next(merged)
    assert opened == [0]
    assert sum(batch.num_rows for batch in merged) == 250


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(1, 50)), min_size=1, max_size=20), max_size=4))
def test_partitions_alternate_by_time_and_keep_their_order(partitions):
    sources = [
        iter([Batch(number, records([], [])), Batch(number, records(list(range(len(times))), times))])
        for number, times in enumerate(partitions)
    ]
    found, reached = {}, 0
    for batch in by_time(sources):
        found.setdefault(batch.partition, []).extend(batch.records.column(0).to_pylist())
    assert found == {number: list(range(len(times))) for number, times in enumerate(partitions)}
    assert reached == 0


def test_no_record_is_before_one_that_was_written_earlier_elsewhere():
    sources = [iter([Batch(0, records([0, 1, 2], [10, 30, 50]))]), iter([Batch(1, records([0, 1], [20, 40]))])]
    times = [time for batch in by_time(sources) for time in batch.records.column(1).to_pylist()]
    assert times == [10, 20, 30, 40, 50]


def test_due_times_never_fall():
    assert rising_times(records([0, 1, 2, 3], [None, 9, 5, None])).tolist() == [0, 9, 9, 9]
    assert np.array_equal(rising_times(records([])), [])
