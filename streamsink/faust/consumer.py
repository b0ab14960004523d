"""The sink task's consumer in the archive's process: slices of what the app sent, answers instead of commits.

A thread reads the app's orders; the task's own thread polls, and carries them out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from streamsink.consume.protocol import CommittedOffset, PolledEnd, RebalanceListener
from streamsink.faust.messages import Answer, Drain, Drained, Forgotten, Hurried, Rows, StoredUpTo, Taken
from streamsink.faust.rows import as_slice
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition

_Done = Callable[[Mapping[TopicPartition, CommittedOffset], Exception | None], None]


class FedConsumer:
    """Implements `SliceConsumer` over what the app sends.

    Args:
        answer: Sends the app an answer.
    """

    def __init__(self, answer: Callable[[Answer], None]) -> None:
        self.listener: RebalanceListener | None = None
        self._answer = answer
        self._hurried = False
        self._incoming: deque[Rows | Forgotten | Drain] = deque()
        self._wake = threading.Event()
        self._ends: dict[TopicPartition, int] = {}
        self._stored: dict[TopicPartition, int] = {}
        self._committed: list[tuple[Mapping[TopicPartition, CommittedOffset], _Done]] = []
        self._paused = False

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
        """What has come; runs drains and the callbacks of commits."""
        committed, self._committed = self._committed, []
        for offsets, done in committed:
            done(offsets, None)
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
        """What came, up to the next order; an order is carried out when nothing stands before it."""
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
        assert self.listener is not None, "the task listens before it polls"
        return self.listener

    def _carry_out(self, order: Drain | Forgotten) -> None:
        if isinstance(order, Forgotten):
            if self._ends.pop(order.name, None) is not None:
                self._listening.lost([order.name])
            return
        ends, self._ends = self._ends, {}
        self._listening.revoked(list(ends))
        self._answer(Drained(order.number, all(self._stored.get(name) == end for name, end in ends.items())))

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset], *, done: _Done | None) -> None:
        """Everything below these offsets is stored: the app may let Faust commit it, in Faust's own time."""
        for name, at in offsets.items():
            assert at.offset is not None
            self._stored[name] = at.offset
            self._answer(StoredUpTo(name, at.offset))
        if done is not None:
            self._committed.append((offsets, done))

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """The machine pauses all partitions, or ones that are being released: these give nothing anyway."""
        self._paused = self._paused or not set(self._ends).isdisjoint(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - they are all paused or none
        """Give slices again."""
        self._paused = False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Never asked for: every object's name is this writer's own, so nobody else's is taken over."""
        raise AssertionError(f"{partition} can't be read again from {offset}")

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """What was handed over; how far the topic reaches is Faust's to know."""
        return {name: self._ends[name] for name in partitions if name in self._ends}

    def statistics(self) -> ClientSnapshot | None:
        """There is no client of ours."""
        return None

    def close(self) -> None:
        """Nothing to leave."""
