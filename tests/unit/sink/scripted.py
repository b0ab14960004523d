"""A consumer that does what a test's script says, poll by poll, and a task on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from streamsink.config.sink import ErrorHandling, Naming, Rotation, SinkConfig
from streamsink.consume.protocol import CommittedOffset, Offsets, ReadProgress, Refusals
from streamsink.observe.task_control import TaskOrders
from streamsink.observe.traces import NoTraces
from streamsink.record import TopicPartition
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.build import none_compacted
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.owner_guard import OwnerGuard, Writer
from streamsink.sink.tally import Tally
from streamsink.sink.task import SinkTask
from streamsink.sink.topic_guard import TopicGuard
from streamsink.testing.clock import SimClock
from streamsink.testing.format import SimFormat
from streamsink.testing.pool import SimPool, SimUploads
from streamsink.testing.records import SimDecoder, SimPartitioner, SimRecord, raw_slice
from streamsink.testing.store import SimStore, StoreFault

Step = Callable[["ScriptedConsumer"], object]


class ScriptedConsumer:
    """A `SliceConsumer`: each poll runs the script's next step, which may give slices and ends.

    Attributes:
        done: Callbacks of asynchronous commits, with their offsets.
        refuse: Says what of a waiting commit is refused.
        calls: What the task asked for, beside polls.
        timeouts_s: How long each poll was allowed to wait.
    """

    def __init__(self, clock: SimClock) -> None:
        self.clock = clock
        self.listener = None
        self.script: list[Step] = []
        self.done: list[tuple[Offsets, Callable[[Offsets, Refusals], None]]] = []
        self.refuse: Callable[[Offsets, float], Refusals] = lambda _offsets, _timeout_s: {}
        self.calls: list[tuple[str, object]] = []
        self.timeouts_s: list[float] = []
        self.closed = False

    def poll(self, *, timeout_s: float):
        self.timeouts_s.append(timeout_s)
        found = self.script.pop(0)(self) if self.script else None
        return found or ([], [])

    def commit(self, offsets: Offsets, *, done) -> None:
        self.calls.append(("commit", {str(name): at.offset for name, at in offsets.items()}))
        self.done.append((offsets, done))

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:
        self.calls.append(("commit_and_wait", {str(name): at.offset for name, at in offsets.items()}))
        return self.refuse(offsets, timeout_s)

    def answer(self, refused: Refusals | None = None) -> None:
        """Answer all commits on their way, inside a poll."""
        waiting, self.done = self.done, []
        for offsets, done in waiting:
            done(offsets, refused or {})

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self.calls.append(("pause", sorted(map(str, partitions))))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self.calls.append(("resume", sorted(map(str, partitions))))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.calls.append(("seek", (str(partition), offset)))

    def rejoin(self) -> None:
        self.calls.append(("rejoin", None))

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        return {}

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {}

    def statistics(self):
        return None

    def close(self) -> None:
        self.closed = True

    def of(self, kind: str) -> list[object]:
        """What the task asked of this kind."""
        return [what for name, what in self.calls if name == kind]


class Bench:
    """A real task on a scripted consumer, with a simulated store and clock; `turn` runs steps of a script."""

    def __init__(
        self, *, dead_letters=None, guard=None, drain_timeout_ms=3000, rotation=None, memory_bytes_max=1 << 28, **fields
    ) -> None:
        self.clock = SimClock()
        self.store = SimStore()
        self.pool = SimPool()
        self.decoder = SimDecoder()
        self.answers = []
        self.orders = TaskOrders(self.answers.append)
        self.snapshots = []
        self.consumer = ScriptedConsumer(self.clock)
        rotation = rotation or Rotation(flush_size=1, size_bytes=None)
        self.config = SinkConfig(
            "bench",
            "sim://",
            {},
            rotation=rotation,
            drain_timeout_ms=drain_timeout_ms,
            errors=ErrorHandling(tolerate_all=True),
            **fields,
        )
        self.machine = SinkMachine(MachineSettings(rotation=rotation, layout="A", memory_bytes_max=memory_bytes_max))
        self.bad_records = BadRecords(self.config.errors, dead_letters)
        tally = Tally("", NoTraces(), self.clock)
        self.task = SinkTask(
            self.config,
            self._connect,
            machine=self.machine,
            sorter=LaneSorter(self.decoder, SimPartitioner("A"), with_times=False),
            files=TaskFiles(SimFormat(), FileOrigin("bench", "A", Naming())),
            uploads=SimUploads(self.store, self.pool, self.clock, lambda _partition: 1),
            bad_records=self.bad_records,
            tally=tally,
            guard=ArchiveGuard(
                guard or TopicGuard(self.store, "topics", lambda _topics: {}, none_compacted, self.clock),
                OwnerGuard(self.store, "topics", Writer("bench", "A", strict=True), tally.warned, self.clock),
                "A",
            ),
            clock=self.clock,
        )

    def _connect(self, listener):
        self.consumer.listener = listener
        return self.consumer

    def turn(self, *steps: Step) -> None:
        """One turn for each step; one alone without any."""
        self.consumer.script += steps
        for _ in steps or [None]:
            self.task.turn(self.orders, self.snapshots.append)

    def store_all(self, fault: StoreFault = StoreFault.NONE) -> None:
        """Let every upload and manifest end."""
        while self.pool.jobs:
            self.pool.run(0, self.store, fault)

    def store_while_waiting(self) -> None:
        """From here on, all uploads end whenever the task waits."""
        self.clock.waiting = lambda seconds: (self.clock.advance(seconds), self.store_all())


def assign(*partitions: TopicPartition, offset: int | None = 0) -> Step:
    """A poll in which these are assigned."""
    return lambda consumer: consumer.listener.assigned({name: CommittedOffset(offset) for name in partitions})


def records(partition: TopicPartition, start: int, count: int, schema: str = "v1") -> Step:
    """A poll that gives a slice of so many records."""
    rows = [(offset, SimRecord("a", schema, 0, 10)) for offset in range(start, start + count)]
    return lambda _consumer: ([raw_slice(partition, start, rows)], [])
