"""The sink task's consumer in the archive's process.

It gives slices of the app's results, and sends answers, not commits.

A thread reads the app's orders; the task's own thread polls, and carries them out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from streamsink.consume.protocol import (
    CommittedOffset,
    Done,
    Offsets,
    PolledEnd,
    ReadProgress,
    RebalanceListener,
    Refusals,
)
from streamsink.faust.messages import Answer, Drain, Drained, Forgotten, Hurried, Rows, StoredUpTo, Taken
from streamsink.faust.rows import as_slice
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition


class FedConsumer:
    """Implements `SliceConsumer` over what the app sends.

    Args:
        answer: Sends the app an answer.
    """

    def __init__(self, answer: Callable[[Answer], None]) -> None:
        self._listener: RebalanceListener | None = None
        self._answer = answer
        self._hurried = False
        self._incoming: deque[Rows | Forgotten | Drain] = deque()
        self._wake = threading.Event()
        self._ends: dict[TopicPartition, int] = {}
        self._stored: dict[TopicPartition, int] = {}
        self._committed: list[tuple[Offsets, Done]] = []
        self._paused = False

    def listened_to_by(self, listener: RebalanceListener) -> FedConsumer:
        """This consumer, once it tells `listener` of partitions."""
        self._listener = listener
        return self

    def put(self, order: Rows | Forgotten | Drain | Hurried) -> None:
        """Called by the thread that reads."""
        if isinstance(order, Hurried):
            self._hurried = order.hurried
        else:
            self._incoming.append(order)
        self._wake.set()

    def wake(self) -> None:
        """Let a waiting poll return."""
        self._wake.set()

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """Give the next slice. Drains and the callbacks of commits run in here."""
        committed, self._committed = self._committed, []
        for offsets, done in committed:
            done(offsets, {})
        deadline_s = time.monotonic() + timeout_s
        while not self._ready and (left_s := deadline_s - time.monotonic()) > 0:
            self._wake.wait(left_s)
            self._wake.clear()
            if not self._incoming:
                break
        return self._slices(), []

    @property
    def _ready(self) -> bool:
        return bool(self._incoming) and not (isinstance(self._incoming[0], Rows) and self._resting)

    @property
    def _resting(self) -> bool:
        return self._paused and not self._hurried

    def _slices(self) -> list[RawSlice]:
        """Take slices up to the next order. An order is carried out when nothing stands before it."""
        slices: list[RawSlice] = []
        while self._ready:
            order = self._incoming[0]
            if isinstance(order, Rows):
                slices.append(self._taken(order))
            elif slices:
                break
            else:
                self._carry_out(order)
            self._incoming.popleft()
        return slices

    def _taken(self, rows: Rows) -> RawSlice:
        if rows.name not in self._ends:
            self._listening.assigned({rows.name: CommittedOffset(None)})
        start = self._ends.get(rows.name, rows.start)
        self._ends[rows.name] = rows.end
        self._answer(Taken(rows.messages))
        return as_slice(rows, start)

    @property
    def _listening(self) -> RebalanceListener:
        assert self._listener is not None, "the task listens before it polls"
        return self._listener

    def _carry_out(self, order: Drain | Forgotten) -> None:
        if isinstance(order, Forgotten):
            if self._ends.pop(order.name, None) is not None:
                self._listening.lost([order.name])
            return
        ends, self._ends = self._ends, {}
        self._listening.revoked(list(ends))
        self._answer(Drained(order.number, all(self._stored.get(name) == end for name, end in ends.items())))

    def commit(self, offsets: Offsets, *, done: Done) -> None:
        """Let the app commit everything below these offsets, in Faust's own time.

        Args:
            offsets: What is stored, by partition, with metadata that Faust doesn't keep.
            done: Told the outcome in the next poll.
        """
        self.commit_and_wait(offsets, timeout_s=0)
        self._committed.append((offsets, done))

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:  # noqa: ARG002 - nothing to wait for
        """See `SliceConsumer.commit_and_wait`. Nothing is waited for: the app commits in Faust's own time."""
        for name, at in offsets.items():
            assert at.offset is not None
            self._stored[name] = at.offset
            self._answer(StoredUpTo(name, at.offset))
        return {}

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """The machine pauses all partitions, or ones that are being released: these give nothing anyway."""
        self._paused = self._paused or not set(self._ends).isdisjoint(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - they are all paused or none
        """Give slices again."""
        self._paused = False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Refuse to read again.

        Every object's name is this writer's own, so the machine never takes over another's object.

        Args:
            partition: As the task knows it, by the archive's topic.
            offset: Where it should be read again.

        Raises:
            AssertionError: Always.
        """
        raise AssertionError(f"{partition} can't be read again from {offset}")

    def rejoin(self) -> None:
        """Never asked for: there is no group."""
        raise AssertionError("an app's results come from no group")

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        """Say that nothing is waited for: only the app knows which records come next."""
        return {
            name: ReadProgress(end, end, at_end=True, paused=self._paused, silent_s=0.0)
            for name, end in self._ends.items()
        }

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Give the ends of the results that were handed over. Only Faust knows how far the topic reaches."""
        return {name: self._ends[name] for name in partitions if name in self._ends}

    def statistics(self) -> ClientSnapshot | None:
        """There is no client of ours."""
        return None

    def close(self) -> None:
        """Nothing to leave."""
