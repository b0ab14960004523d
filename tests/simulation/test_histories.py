"""Random histories: 200 seeds of 500 moves, every law after every move."""

import pytest

from streamsink.testing.simulate import simulate


@pytest.mark.parametrize("block", range(20))
def test_no_law_is_broken_in_ten_histories_of_500_moves(block):
    for seed in range(block * 10, block * 10 + 10):
        world = simulate(seed, 500)
        assert world.settled
        assert world.store.objects


def test_a_history_is_repeated_by_its_seed():
    first, second = simulate(7, 200), simulate(7, 200)
    assert first.store.objects == second.store.objects
    assert [state.committed for state in first.broker.partitions.values()] == [
        state.committed for state in second.broker.partitions.values()
    ]
