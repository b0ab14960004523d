"""Offsets as runs."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamsink.runs import Runs


@given(st.lists(st.integers(0, 40), max_size=60))
def test_runs_hold_each_offset_as_often_as_it_was_given(offsets):
    runs = Runs.of(np.array(offsets, dtype=np.int64))
    pairs = list(zip(runs.firsts.tolist(), runs.lasts.tolist(), strict=True))
    assert sorted(number for first, last in pairs for number in range(first, last + 1)) == sorted(offsets)
    assert runs.ascending == (sorted(set(offsets)) == offsets)
    assert all(first != before + 1 for (_, before), (first, _) in pairwise(pairs))
    if offsets:
        assert (runs.first_offset, runs.last_offset) == (min(offsets), max(offsets))


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=12), max_size=8))
def test_the_runs_of_several_objects_are_those_of_each(objects):
    offsets = np.array([offset for one in objects for offset in one], dtype=np.int64)
    found = Runs.of_each(offsets, np.array([len(one) for one in objects], dtype=np.int64))
    alone = [Runs.of(np.array(one, dtype=np.int64)) for one in objects]
    assert list(map(told, found)) == list(map(told, alone))


def told(runs):
    return runs.firsts.tolist(), runs.lasts.tolist(), runs.ascending


def test_a_range_without_room_for_holes_is_one_run():
    one = Runs.without_holes(3, 7, 5)
    assert (one.firsts.tolist(), one.lasts.tolist(), one.ascending) == ([3], [7], True)
    assert Runs.without_holes(3, 7, 4) is None
    assert not Runs.of(np.empty(0, np.int64))
