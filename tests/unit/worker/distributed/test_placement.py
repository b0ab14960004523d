from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamsink.worker.distributed.placement import even_out, place_new


def owners_of(workers, slots):
    return {slot: f"w{slot % workers}" for slot in range(slots)}


def load(pins, owners):
    return Counter(owners[slot] for slot in pins.values())


def test_few_tasks_spread_over_many_workers():
    owners = {slot: f"w{slot // 8}" for slot in range(32)}
    pins = place_new([("c", number) for number in range(4)], {}, owners, 32)
    assert sorted(load(pins, owners).values()) == [1, 1, 1, 1]


def test_tasks_of_one_connector_spread_too():
    owners = owners_of(3, 12)
    tasks = [(name, number) for name in "abcd" for number in range(3)]
    pins = place_new(tasks, {}, owners, 12)
    for name in "abcd":
        assert len({owners[slot] for (connector, _), slot in pins.items() if connector == name}) == 3


def test_a_task_that_has_a_slot_keeps_it():
    pins = {("a", 0): 5, ("a", 1): 5}
    new = place_new([("a", 0), ("a", 1), ("b", 0)], pins, owners_of(2, 6), 6)
    assert set(new) == {("b", 0)}


def test_a_slot_that_is_not_there_is_no_slot():
    assert place_new([("a", 0)], {("a", 0): 40}, owners_of(2, 6), 6)[("a", 0)] < 6


def test_slots_that_nobody_owns_get_nothing_while_others_are_owned():
    assert place_new([("a", 0), ("a", 1)], {}, {7: "w"}, 8) == {("a", 0): 7, ("a", 1): 7}


cases = st.tuples(st.integers(1, 6), st.integers(6, 20), st.integers(0, 40), st.randoms(use_true_random=False))


@given(cases)
def test_after_evening_out_no_worker_has_two_more_than_another_and_little_has_moved(case):
    workers, slots, count, dice = case
    slot_owners = {slot: f"w{dice.randrange(workers)}" for slot in range(slots)}
    slot_owners |= {slot: f"w{slot}" for slot in range(workers)}
    tasks = [(f"c{number % 5}", number) for number in range(count)]
    pins = {task: dice.randrange(slots) for task in tasks}
    before = load(pins, slot_owners)
    moves = even_out(tasks, pins, slot_owners, slots)
    after = load({**pins, **moves}, slot_owners)
    loads = [after[f"w{worker}"] for worker in range(workers)]
    assert max(loads) - min(loads) <= 1
    ceiling = -(-count // workers)
    least = max(
        sum(max(0, before[f"w{worker}"] - ceiling) for worker in range(workers)),
        sum(max(0, count // workers - before[f"w{worker}"]) for worker in range(workers)),
    )
    assert len(moves) == least
    assert even_out(tasks, {**pins, **moves}, slot_owners, slots) == {}


@given(cases)
def test_new_tasks_even_out_by_themselves(case):
    workers, slots, count, _dice = case
    owners = owners_of(workers, slots)
    tasks = [(f"c{number % 5}", number) for number in range(count)]
    pins = place_new(tasks, {}, owners, slots)
    assert set(pins) == set(tasks)
    loads = [load(pins, owners)[f"w{worker}"] for worker in range(workers)]
    assert max(loads) - min(loads) <= 1
