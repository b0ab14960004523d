"""A sink task in a simulation: the real shell, machine and files, on simulated broker, store and time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamsink.config.sink import ErrorHandling, Naming, Rotation, SinkConfig
from streamsink.errors import StreamsinkError, TransientError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import FlushDone, TaskOrders
from streamsink.observe.traces import NoTraces
from streamsink.record import BadRecord, TopicPartition
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.look import Look
from streamsink.sink.owner_guard import OwnerGuard, Writer
from streamsink.sink.tally import Tally
from streamsink.sink.task import SinkTask
from streamsink.sink.topic_guard import TopicGuard
from streamsink.testing.broker import SimBroker
from streamsink.testing.clock import SimClock
from streamsink.testing.commits import CommitFate
from streamsink.testing.consumer import SimConsumer
from streamsink.testing.format import SimFormat, read_rows
from streamsink.testing.pool import SimPool, SimUploads
from streamsink.testing.records import SimDecoder, SimPartitioner
from streamsink.testing.store import SimStore
from streamsink.upload.protocol import Store


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """The settings of a history."""

    rotation: Rotation
    partitions: int = 2
    memory_bytes_max: int = 3_200
    drain_timeout_ms: int = 10_000
    stall_timeout_ms: int = 60_000
    atomic: bool = True
    compacted: bool = False


class SimDeadLetters:
    """`DeadLetters` that keep what was flushed, and are away when told to be."""

    def __init__(self, safe: set[tuple[TopicPartition, int]]) -> None:
        self.away = False
        self._safe = safe
        self._waiting: list[BadRecord] = []

    def send(self, bad: Sequence[BadRecord]) -> None:
        """See `DeadLetters.send`."""
        self._waiting.extend(bad)

    def flush(self, timeout_s: float) -> None:  # noqa: ARG002 - the world decides how long anything takes
        """See `DeadLetters.flush`.

        Raises:
            TransientError: Records wait while dead letters are away.
        """
        if self._waiting and self.away:
            raise TransientError("dead letters are away", hint="wait")
        self._safe.update((record.topic_partition, record.offset) for record in self._waiting)
        self._waiting.clear()

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """See `DeadLetters.forget`."""
        gone = set(partitions)
        self._waiting = [record for record in self._waiting if record.topic_partition not in gone]

    def close(self) -> None:
        """Nothing to let go of."""


def _no_ids(_topics: Iterable[str]) -> Mapping[str, str]:
    return {}


def _offsets(store: Store, name: str) -> npt.NDArray[np.int64]:
    return np.array([offset for offset, _ in read_rows(store.get(name))], np.int64)


class _Orders(TaskOrders):
    """Orders that tell of each flush when the task takes it.

    Args:
        answer: Called with each flush that is done.
        taken: Called with each flush that begins.
    """

    def __init__(self, answer: Callable[[FlushDone], None], taken: Callable[[int], None]) -> None:
        super().__init__(answer)
        self._taken = taken

    def flushes(self) -> list[int]:
        """See `TaskOrders.flushes`."""
        begun = super().flushes()
        for flush_id in begun:
            self._taken(flush_id)
        return begun


class SimMember:
    """One member of the group with its task.

    `unflushed` is what a flush was said to have committed and has not.
    """

    def __init__(
        self,
        member: int,
        settings: WorldSettings,
        layout: str,
        *,
        broker: SimBroker,
        store: SimStore,
        clock: SimClock,
        dead_letters: set[tuple[TopicPartition, int]],
        choose_fate: Callable[[], CommitFate],
    ) -> None:
        self.member = member
        self.settings = settings
        self.broker = broker
        self.pool = SimPool()
        self.decoder = SimDecoder()
        self.dead_letters = SimDeadLetters(dead_letters)
        self.orders = _Orders(self._flushed, self._flush_taken)
        self.unflushed: list[str] = []
        self.flushing: dict[int, dict[TopicPartition, int]] = {}
        self.failed: BaseException | None = None
        self.ended = False
        self.snapshot: TaskSnapshot | None = None
        self.turns_at_s: list[float] = []
        self._clock = clock
        config = SinkConfig(
            "sim",
            store.url,
            {},
            rotation=settings.rotation,
            drain_timeout_ms=settings.drain_timeout_ms,
            stall_timeout_ms=settings.stall_timeout_ms,
            errors=ErrorHandling(tolerate_all=True),
        )
        self.files = TaskFiles(SimFormat(), FileOrigin(f"member-{member}", layout, Naming()))
        self.machine = SinkMachine(
            MachineSettings(
                rotation=settings.rotation,
                layout=layout,
                layout_strict=True,
                look_before_writing=True,
                memory_bytes_max=settings.memory_bytes_max,
                uploads_max=3,
                drain_timeout_s=settings.drain_timeout_ms / 1000,
            )
        )
        look = Look(store, Naming(), layout, offsets=_offsets)
        self.uploads = SimUploads(store, self.pool, clock, self._generation, broker=broker, member=member, look=look)
        tally = Tally("", NoTraces(), clock)
        self.task = SinkTask(
            config,
            lambda listener: SimConsumer(
                member, broker, clock, listener, choose_fate, revoke_timeout_s=config.revoke_timeout_ms / 1000
            ),
            machine=self.machine,
            sorter=LaneSorter(
                self.decoder, SimPartitioner(layout), with_times=settings.rotation.interval_ms is not None
            ),
            files=self.files,
            uploads=self.uploads,
            bad_records=BadRecords(config.errors, self.dead_letters),
            tally=tally,
            guard=ArchiveGuard(
                TopicGuard(store, "topics", _no_ids, lambda topics: dict.fromkeys(topics, settings.compacted), clock),
                OwnerGuard(store, "topics", Writer("group", layout, strict=True), tally.warned, clock),
                layout,
            ),
            clock=clock,
        )

    @property
    def consumer(self) -> SimConsumer:
        """The task's group member."""
        consumer = self.task.consumer
        assert isinstance(consumer, SimConsumer)
        return consumer

    def _generation(self, partition: TopicPartition) -> int | None:
        held = self.consumer.assignments.get(partition)
        return None if held is None else held.generation

    @property
    def positions(self) -> list[TopicPartition]:
        """The partitions that are assigned to it, whether or not it still owns them."""
        return list(self.consumer.assignments)

    @property
    def idle(self) -> bool:
        """Whether nothing is held or on its way."""
        return not (self.files.memory_bytes or self.pool.jobs or self.consumer.commits.sent)

    def caught_up(self, partition: TopicPartition) -> bool:
        """Whether a partition has nothing more to give, or rests."""
        held = self.consumer.assignments.get(partition)
        return held is None or held.paused or held.told_end == len(self.broker.partitions[partition].log)

    def turn(self) -> None:
        """One turn of the task; where it ends or fails it leaves the group, as its process does."""
        self.turns_at_s.append(self._clock.monotonic_s())
        try:
            if self.task.turn(self.orders, self._report):
                return
        except StreamsinkError as error:
            self.failed = error
        self.leave()

    def has_looked_twice_since(self, idle_since_s: float) -> bool:
        """Whether it has had time to make sure that a partition is stalled, and to say so."""
        timeout_s = self.settings.stall_timeout_ms / 1000 + 1.5
        first = bisect_right(self.turns_at_s, idle_since_s + timeout_s)
        return first < len(self.turns_at_s) and self.turns_at_s[-1] > self.turns_at_s[first] + timeout_s

    def leave(self) -> None:
        """End the process in good order: partitions are drained within the close."""
        self.ended = True
        self.task.close()

    def _report(self, snapshot: TaskSnapshot) -> None:
        self.snapshot = snapshot

    def _flush_taken(self, flush_id: int) -> None:
        self.flushing[flush_id] = {
            name: state.ledger.position
            for name, state in self.machine.partitions.items()
            if state.ledger is not None and name in self.consumer.assignments
        }

    def _flushed(self, done: FlushDone) -> None:
        positions = self.flushing.pop(done.flush_id)
        for partition, position in positions.items():
            reached = self.broker.partitions[partition].reached
            if done.complete and reached < position:
                self.unflushed.append(f"{partition} was committed to {reached}, flushed up to {position}")
