"""What a topic partition's objects cover together."""

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamsink.archive.tiling import LISTED_MAX, WAITING_MAX, Overlap, Tiling
from streamsink.runs import Runs


def tiled(*objects):
    tiling = Tiling()
    for index, offsets in enumerate(sorted(objects, key=min)):
        tiling.add(f"object {index}", Runs.of(np.array(sorted(offsets), dtype=np.int64)))
    return tiling.finish()


def test_neighbouring_objects_leave_no_hole():
    tiling = tiled(range(5, 10), range(10, 12))
    assert (tiling.first_offset, tiling.last_offset, tiling.holes, tiling.overlaps) == (5, 11, [], [])


def test_interleaved_objects_tile_though_their_ranges_overlap():
    tiling = tiled(range(0, 100, 2), range(1, 100, 2), range(100, 105))
    assert (tiling.last_offset, tiling.hole_count, tiling.overlap_count) == (104, 0, 0)


def test_offsets_in_no_object_are_holes():
    tiling = tiled([1, 2, 5], [9])
    assert tiling.holes == [(3, 4), (6, 8)]
    assert tiling.offsets_missing == 5


def test_offsets_in_two_objects_are_told_once_with_both_names():
    tiling = tiled(range(10), range(5, 15), range(12, 13))
    assert tiling.overlaps == [Overlap(5, 9, ("object 0", "object 1")), Overlap(12, 12, ("object 1", "object 2"))]


def test_an_object_that_reaches_over_several_keeps_its_name():
    tiling = tiled(range(100), [10], [20, 21])
    assert tiling.overlaps == [Overlap(10, 10, ("object 0", "object 1")), Overlap(20, 21, ("object 0", "object 2"))]


def test_holes_without_end_are_counted_and_not_all_kept():
    tiling = tiled(range(0, 10_000, 2))
    assert tiling.hole_count == 4999
    assert len(tiling.holes) == LISTED_MAX


def test_what_lies_below_the_next_object_is_forgotten():
    tiling = Tiling()
    for start in range(0, 100_000, 1000):
        tiling.add("x", Runs.of(np.arange(start, start + 2000, 2)))
    assert len(tiling._starts) + tiling._waiting_runs < 2100


def test_objects_that_are_settled_together_keep_their_names():
    objects = [range(start, start + 12) for start in range(0, 30 * WAITING_MAX, 10)]
    tiling = tiled(*objects)
    assert tiling.overlap_count == len(objects) - 1
    for index, overlap in enumerate(tiling.overlaps):
        first = 10 * index + 10
        assert overlap == Overlap(first, first + 1, (f"object {index}", f"object {index + 1}"))


@given(st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1, max_size=8), st.sampled_from([1, 3, WAITING_MAX]))
def test_any_objects_are_counted_as_plain_sets_count_them(objects, waiting_max):
    with mock.patch("streamsink.archive.tiling.WAITING_MAX", waiting_max):
        tiling = tiled(*objects)
    union = set().union(*objects)
    assert tiling.offsets_missing == max(union) - min(union) + 1 - len(union)
    doubled = {offset for offset in union if sum(offset in one for one in objects) > 1}
    told = {at for overlap in tiling.overlaps for at in range(overlap.first_offset, overlap.last_offset + 1)}
    assert told == doubled
    assert {at for first, last in tiling.holes for at in range(first, last + 1)} == set(
        range(min(union), max(union))
    ) - union
