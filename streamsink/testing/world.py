"""A world to run sink tasks in: broker, store, clock, members that crash and come back. Every choice is made outside.

Fault model. Any task may crash at any moment, its uploads in flight may still arrive. A partition may move to another
member while the one before does not know (a zombie), until a commit of it is refused. Uploads and commits may fail
before or after they took effect. The layout changes only while no zombie lives: a store can't tell a late writer's
layout from the present one. Time jumps. Faults stop when the world settles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamsink.config.sink import Rotation
from streamsink.record import TopicPartition
from streamsink.sink import events as on
from streamsink.sink.machine import MachineSettings
from streamsink.testing.broker import SimBroker, SimRecord
from streamsink.testing.clock import SimClock
from streamsink.testing.store import SimObject, SimStore
from streamsink.testing.task import SimTask

SETTLE_STEPS_MAX = 3000
RECORDS_POLLED_MAX = 6


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a history is run with."""

    rotation: Rotation
    partitions: int = 2
    memory_bytes_max: int = 1_600
    atomic: bool = True


class SimWorld:
    """One history. Its methods are the moves; `laws.py` judges the outcome."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.clock = SimClock()
        self.store = SimStore(atomic=settings.atomic)
        names = [TopicPartition("t", number) for number in range(settings.partitions)]
        self.broker = SimBroker(names)
        self.layout = "A"
        self.members = 0
        self.flushes = 0
        self.tasks: list[SimTask] = []
        self.ghosts: list[SimObject] = []
        self.stored: dict[TopicPartition, set[int]] = {name: set() for name in names}
        self.doubled: list[str] = []
        self.new_objects: list[SimObject] = []
        self.commits_checked: dict[TopicPartition, int] = {}
        self.settled = False
        self.stuck = ""
        self.start_task(names)

    @property
    def now(self) -> float:
        """The simulated wall clock."""
        return self.clock.now_s

    @property
    def zombies(self) -> list[SimTask]:
        """Tasks that hold partitions which are somebody else's by now."""
        return [
            task
            for task in self.tasks
            if any(self.broker.partitions[partition].owner != task.member for partition in task.positions)
        ]

    def start_task(self, partitions: list[TopicPartition]) -> SimTask:
        """A new member takes these partitions over; whoever had them is not told."""
        self.members += 1
        settings = MachineSettings(
            rotation=self.settings.rotation,
            layout=self.layout,
            layout_strict=True,
            memory_bytes_max=self.settings.memory_bytes_max,
            uploads_max=3,
        )
        task = SimTask(self.members, settings, self.broker, self.store)
        self.tasks.append(task)
        for partition in partitions:
            task.assign(partition, self.now)
        return task

    def produce(self, partition: TopicPartition, record: SimRecord | None) -> None:
        """A producer appends."""
        self.broker.append(partition, record)

    def poll(self, task: SimTask, partition: TopicPartition, records_max: int) -> None:
        """A task reads."""
        if not task.poll(partition, records_max, self.now):
            task.tell(on.Tick(), self.now)
        self._bury(task)

    def finish_upload(self, task: SimTask, index: int, fault: str) -> None:
        """One of a task's uploads ends."""
        task.finish_upload(index, fault, self.now)
        self._bury(task)

    def finish_commit(self, task: SimTask, fault: str) -> None:
        """A task's oldest commit ends."""
        task.finish_commit(fault, self.now)
        self._bury(task)

    def pass_time(self, seconds: float) -> None:
        """Time passes; every task's timers run."""
        self.clock.advance(seconds)
        for task in list(self.tasks):
            task.tell(on.Tick(), self.now)
            self._bury(task)

    def crash(self, task: SimTask, ghosts: int) -> None:
        """A task's process dies; that many of its uploads are on their way and may arrive later."""
        self.ghosts += [task.object_of(file_id) for file_id in task.uploads if file_id in task.files][:ghosts]
        self._remove(task)

    def ghost_arrives(self, index: int) -> None:
        """An upload of a dead process reaches the store."""
        self.store.create(self.ghosts.pop(index))

    def take_over(self, partition: TopicPartition) -> None:
        """The group gives a partition to a new member; the one before does not hear of it."""
        self.start_task([partition])

    def revoke(self, task: SimTask, partition: TopicPartition, seconds: float) -> None:
        """The group asks a task for a partition back, with a deadline."""
        if self.broker.partitions[partition].owner == task.member:
            task.tell(on.Revoked((partition,), self.now + seconds), self.now)
            self._bury(task)

    def lose(self, task: SimTask) -> None:
        """A zombie hears that its partitions are gone."""
        lost = tuple(p for p in task.positions if self.broker.partitions[p].owner != task.member)
        task.tell(on.Lost(lost), self.now)
        self._bury(task)

    def flush(self, task: SimTask) -> None:
        """Somebody wants everything a task has read to be stored and committed now."""
        self.flushes += 1
        task.flush(self.flushes, self.now)
        self._bury(task)

    def stop(self, task: SimTask, seconds: float) -> None:
        """A task is asked to stop in good order."""
        task.tell(on.Stop(self.now + seconds), self.now)
        self._bury(task)

    def change_layout(self, layout: str) -> None:
        """The operator changes the configuration: every task is killed and started anew under the new layout."""
        if self.zombies or self.ghosts:
            return
        self.layout = layout
        for task in list(self.tasks):
            self._remove(task)

    def adopt_orphans(self) -> None:
        """The group gives partitions without a living owner to a new member."""
        living = {task.member for task in self.tasks}
        orphans = [
            name
            for name, state in self.broker.partitions.items()
            if state.owner not in living or not any(t.member == state.owner and name in t.positions for t in self.tasks)
        ]
        if orphans:
            self._bury(self.start_task(orphans))

    def _bury(self, task: SimTask) -> None:
        if task.failed is not None and task in self.tasks:
            refused = "layout" in str(task.failed)
            self._remove(task)
            if refused:
                self.layout = "B" if self.layout == "A" else "A"
                self._stop_everyone()
        elif (task.stopped is not None or (not task.positions and not task.uploads)) and task in self.tasks:
            self._remove(task)

    def _stop_everyone(self) -> None:
        """The operator stops the connector in good order before changing its configuration; zombies are killed."""
        for task in self.zombies:
            self._remove(task)
        for task in list(self.tasks):
            self.stop(task, 300.0)
            while task in self.tasks and (task.uploads or task.commits):
                if task.uploads:
                    self.finish_upload(task, 0, "")
                elif task.commits:
                    self.finish_commit(task, "")
            if task in self.tasks:
                self._remove(task)

    def _remove(self, task: SimTask) -> None:
        self.tasks.remove(task)

    def count_arrivals(self) -> None:
        """Note which records the objects that came since the last call hold, and which of them for a second time."""
        self.new_objects = self.store.arrivals
        self.store.arrivals = []
        for item in self.new_objects:
            held = self.stored[item.topic_partition]
            self.doubled += [f"{item.topic_partition}@{offset}" for offset, _ in item.rows if offset in held]
            held.update(offset for offset, _ in item.rows)

    def settle(self, judge: Callable[[], None]) -> None:
        """Stop the faults and let everything run to its end, judged after each step and then."""
        for _ in range(SETTLE_STEPS_MAX):
            self._calm_step()
            judge()
            if self._at_rest():
                break
        else:
            self.stuck = f"not at rest after {SETTLE_STEPS_MAX} steps without faults"
        self.settled = not self.stuck
        judge()

    def _calm_step(self) -> None:
        while self.ghosts:
            self.ghost_arrives(0)
        self.adopt_orphans()
        for task in list(self.tasks):
            for partition in list(task.positions):
                self.poll(task, partition, RECORDS_POLLED_MAX)
            while task.uploads:
                self.finish_upload(task, 0, "")
            while task.commits:
                self.finish_commit(task, "")
        self.pass_time(20.0)

    def _at_rest(self) -> bool:
        everywhere = all((s.committed or (0, ""))[0] == len(s.log) for s in self.broker.partitions.values())
        return everywhere and not any(task.files or task.commits for task in self.tasks)
