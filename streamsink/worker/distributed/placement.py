"""Puts tasks into slots so that every worker has its share, moving as few as can be. Pure and deterministic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from streamsink.worker.distributed.slots import Task

Pins = Mapping[Task, int]
Owners = Mapping[int, str]


def place_new(tasks: Iterable[Task], pins: Pins, owners: Owners, slots: int) -> dict[Task, int]:
    """Find slots for tasks that have none. A task with a slot stays.

    Each goes to the worker with the fewest tasks, then the fewest of its connector, and there to the emptiest slot.

    Args:
        tasks: All tasks that shall run.
        pins: The slot of each task, as far as it has one. One outside of the slots counts as none.
        owners: The worker of each slot, as far as it has one.
        slots: How many slots there are.

    Returns:
        The slots of the tasks that had none.
    """
    wanted = sorted(tasks)
    kept = {task: pins[task] for task in wanted if task in pins and 0 <= pins[task] < slots}
    ground = _Ground(kept, owners, slots)
    return {task: ground.add(task) for task in wanted if task not in kept}


def even_out(tasks: Iterable[Task], pins: Pins, owners: Owners, slots: int) -> dict[Task, int]:
    """Find the fewest moves after which no worker has two tasks more than another.

    Tasks move from the fullest worker to the emptiest.

    Args:
        tasks: All tasks that shall run.
        pins: The slot of each task. Tasks in a slot that nobody owns are left alone.
        owners: The worker of each slot.
        slots: How many slots there are.

    Returns:
        New slots of the tasks that move; empty where the load is even.
    """
    wanted = sorted(tasks)
    placed = {task: pins[task] for task in wanted if task in pins and pins[task] in owners}
    ground = _Ground(placed, owners, slots)
    moved: dict[Task, int] = {}
    while (move := ground.move()) is not None:
        task, slot = move
        moved[task] = slot
    return moved


class _Ground:
    """Tasks in slots, slots at workers."""

    def __init__(self, placed: Pins, owners: Owners, slots: int) -> None:
        self._owners = {slot: owners.get(slot, "") for slot in range(slots)}
        self._placed = {task: slot for task, slot in placed.items() if slot in self._owners}
        self._in_slot = Counter(self._placed.values())
        self._at_worker = Counter(self._owners[slot] for slot in self._placed.values())
        self._of_connector = Counter((self._owners[slot], task[0]) for task, slot in self._placed.items())

    def add(self, task: Task) -> int:
        owned = [slot for slot, worker in self._owners.items() if worker] or list(self._owners)
        slot = min(owned, key=lambda slot: self._rank(task, slot))
        self._put(task, slot)
        return slot

    def move(self) -> tuple[Task, int] | None:
        """The next move towards evenness; None once there is nothing to gain."""
        workers = sorted(set(self._owners.values()))
        fullest = max(workers, key=lambda worker: (self._at_worker[worker], worker))
        emptiest = min(workers, key=lambda worker: (self._at_worker[worker], worker))
        if self._at_worker[fullest] - self._at_worker[emptiest] < 2:
            return None
        there = [task for task, slot in self._placed.items() if self._owners[slot] == fullest]
        task = max(there, key=lambda task: (self._of_connector[fullest, task[0]], task))
        self._put(task, None)
        slots = [slot for slot, worker in self._owners.items() if worker == emptiest]
        slot = min(slots, key=lambda slot: (self._in_slot[slot], -self._room(slot), slot))
        self._put(task, slot)
        return task, slot

    def _rank(self, task: Task, slot: int) -> tuple[int, int, int, str, int, int]:
        worker = self._owners[slot]
        return (
            self._at_worker[worker],
            self._of_connector[worker, task[0]],
            self._in_slot[slot],
            worker,
            -self._room(slot),
            slot,
        )

    def _room(self, slot: int) -> int:
        """How far the nearest task is among its worker's slots.

        Kafka takes slots for a newcomer from the lowest on. Where tasks lie evenly, it takes its share of them along.
        """
        owned = [each for each, worker in self._owners.items() if worker == self._owners[slot]]
        at = owned.index(slot)
        taken = [rank for rank, each in enumerate(owned) if self._in_slot[each]]
        return min(abs(at - rank) for rank in [-1, *taken]) if taken else -abs(at - len(owned) // 2)

    def _put(self, task: Task, slot: int | None) -> None:
        before = self._placed.pop(task, None)
        for at, change in ((before, -1), (slot, 1)):
            if at is not None:
                worker = self._owners[at]
                self._in_slot[at] += change
                self._at_worker[worker] += change
                self._of_connector[worker, task[0]] += change
        if slot is not None:
            self._placed[task] = slot
