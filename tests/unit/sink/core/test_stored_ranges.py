"""What is stored already is told apart from what is missing, row by row."""

from hypothesis import given
from hypothesis import strategies as st

from streamsink.sink.core.stored_ranges import Ranges, StoredRanges


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=8), st.sets(st.integers(0, 50)))
def test_any_ranges_cover_what_plain_sets_cover(pairs, offsets):
    ranges = Ranges.of((first, first + length) for first, length in pairs)
    covered = {at for first, length in pairs for at in range(first, first + length + 1)}
    rows = sorted(offsets)
    found = StoredRanges({"lane": ranges}).missing("lane", rows, 0)
    assert [rows[at] for start, stop in found for at in range(start, stop)] == [at for at in rows if at not in covered]
    assert ranges.last == max(covered, default=-1)


def test_offsets_of_another_layout_count_for_every_lane_and_part_no_file():
    stored = StoredRanges({"a": Ranges.of([(0, 4), (10, 12)])}, Ranges.of([(6, 7)]))
    assert stored.missing("a", list(range(14)), 0) == [(5, 6), (8, 10), (13, 14)]
    assert stored.missing("b", list(range(14)), 3) == [(3, 6), (8, 14)]
    assert stored.parts("a", 5, 13)
    assert not stored.parts("a", 5, 10)
    assert not stored.parts("b", 0, 100)
    assert stored.last == 12
