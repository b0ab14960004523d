"""Random histories, every law after every move; and those that have found a defect, again."""

import pytest

from streamsink.testing.simulate import simulate, simulate_again, simulate_failing_uploads, simulate_there_and_back

FOUND = {
    (31, 300): "an object whose first record was compacted away, and whose rest was stored a second time",
    (224, 300): "a commit that was ordered while another partition drained, and was never sent",
    (30065, 1000): "the simulation's own: a fetch that few holes ended, so that the end was never reached",
    (101023, 500): "a flush that waited for records while its partitions were lost, and was said to be complete",
    (2006, 1000): "a stalled partition that nothing was tried for, since a registry was said to be away",
}
"""Seed and moves of histories that broke a law once, and what was wrong. Newer moves may have changed their course."""


@pytest.mark.parametrize("block", range(5))
def test_no_law_is_broken_in_random_histories(block):
    for seed in range(block * 4, block * 4 + 4):
        world = simulate(seed, 200)
        assert world.settled
        assert world.store.objects


@pytest.mark.parametrize("seed", range(12))
def test_no_law_is_broken_where_an_archive_is_damaged_and_archived_again(seed):
    assert simulate_again(seed).settled


@pytest.mark.parametrize("seed", range(8))
def test_no_law_is_broken_where_a_layout_is_changed_and_taken_back(seed):
    assert not simulate_there_and_back(seed).stuck


@pytest.mark.parametrize("seed", range(6))
def test_no_law_is_broken_where_all_uploads_fail_at_first(seed):
    assert not simulate_failing_uploads(seed).stuck


@pytest.mark.parametrize(("seed", "moves"), FOUND)
def test_no_law_is_broken_where_one_was(seed, moves):
    assert simulate(seed, moves).settled


def test_a_history_is_repeated_by_its_seed():
    first, second = simulate(7, 200), simulate(7, 200)
    assert first.store.objects == second.store.objects
    assert [state.committed for state in first.broker.partitions.values()] == [
        state.committed for state in second.broker.partitions.values()
    ]
