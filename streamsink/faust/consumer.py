"""The sink task's consumer where Faust is the one that consumes: slices of results in, releases instead of commits out.

Two threads meet here. The app's event loop puts held messages in and is told what to release; the task's thread polls.
A result's archived offset is its message's, times `results_max`, plus its number among the message's results.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from faust.types import TP

from streamsink.consume.protocol import CommittedOffset, PolledEnd, RebalanceListener
from streamsink.faust.holds import Held
from streamsink.faust.rows import Gathered, Row, headers_of
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition

GATHER_S = 0.25
"""Results are gathered for so long before they become a slice: Arrow is quick with many rows and slow with one."""
POLL_S = 0.05

_Done = Callable[[Mapping[TopicPartition, CommittedOffset], Exception | None], None]


@dataclass(frozen=True, slots=True)
class Loose:
    """A result that belongs to no held message: only a flush waits for it."""

    name: TopicPartition
    row: Row


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A partition's messages were given up: what came of them is not wanted any more."""

    tp: TP


@dataclass(frozen=True, slots=True)
class Drain:
    """Store everything within the task's `drain.timeout.ms`, then say whether that was done."""

    done: Callable[[bool], None]


class HeldConsumer:
    """Implements `SliceConsumer` over what the app's loop hands over.

    Args:
        archived: The archive's name for a partition of the app.
        results_max: How many results a message may have.
        release: Called with a partition and the offset below which everything is stored.
        poll_records_max: How many messages one poll gives.
    """

    def __init__(
        self,
        archived: Callable[[TP], TopicPartition],
        *,
        results_max: int,
        release: Callable[[TP, int], None],
        poll_records_max: int,
    ) -> None:
        self.listener: RebalanceListener | None = None
        self.hurried = False
        """Set while a drain is near: slices are given although memory is full, so that no agent waits for room."""
        self._archived = archived
        self._results_max = results_max
        self._release = release
        self._poll_records_max = poll_records_max
        self._incoming: deque[Held | Loose | Forgotten | Drain] = deque()
        self._wake = threading.Event()
        self._gather_at_s = 0.0
        self._names: dict[TP, TopicPartition] = {}
        self._sources: dict[TopicPartition, TP] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._stored: dict[TopicPartition, int] = {}
        self._committed: list[tuple[Mapping[TopicPartition, CommittedOffset], _Done]] = []
        self._paused = False

    @property
    def waiting(self) -> int:
        """How many messages the task has not taken yet."""
        return len(self._incoming)

    def put(self, item: Held | Loose | Forgotten) -> None:
        """Called by the app's loop."""
        self._incoming.append(item)

    def drain(self, done: Callable[[bool], None]) -> None:
        """Called by the app's loop: store everything that was put, then say whether that was done."""
        self._incoming.append(Drain(done))
        self._wake.set()

    def wake(self) -> None:
        """Let a waiting poll return."""
        self._wake.set()

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """What was handed over; runs drains and the callbacks of commits."""
        committed, self._committed = self._committed, []
        for offsets, done in committed:
            done(offsets, None)
        awoken = self._wake.wait(min(timeout_s, POLL_S))
        self._wake.clear()
        if not awoken and time.monotonic() < self._gather_at_s and len(self._incoming) < self._poll_records_max:
            return [], []
        self._gather_at_s = time.monotonic() + GATHER_S
        return self._slices(), []

    def _slices(self) -> list[RawSlice]:
        """What came, up to the next order; an order is carried out when nothing stands before it."""
        gathered: dict[TopicPartition, Gathered] = {}
        incoming = self._incoming
        for _ in range(self._poll_records_max):
            if not incoming:
                break
            item = incoming[0]
            if isinstance(item, Drain | Forgotten):
                if gathered:
                    self._wake.set()
                    break
                incoming.popleft()
                self._carry_out(item)
                continue
            if self._paused and not self.hurried:
                break
            incoming.popleft()
            if isinstance(item, Held):
                self._take(item, gathered)
            else:
                self._take_loose(item, gathered)
        else:
            self._wake.set()
        return [self._hand_on(name, parts) for name, parts in gathered.items()]

    def _take(self, held: Held, gathered: dict[TopicPartition, Gathered]) -> None:
        message = held.message
        if message is None:
            return
        name = self._name(message.tp)
        base = held.offset * self._results_max
        parts = gathered.get(name)
        if parts is None:
            parts = gathered[name] = Gathered(self._ends.get(name, base), base)
        parts.end = base + self._results_max
        if held.results:
            headers = headers_of(message)
            time_s, key = message.timestamp, message.key
            for number, value in enumerate(held.results):
                parts.rows.append(Row(base + number, time_s, key, value, headers))
            held.results = []

    def _take_loose(self, loose: Loose, gathered: dict[TopicPartition, Gathered]) -> None:
        offset = loose.row.offset
        parts = gathered.get(loose.name)
        if parts is None:
            parts = gathered[loose.name] = Gathered(self._ends.get(loose.name, offset), offset)
        parts.end = offset + 1
        parts.rows.append(loose.row)

    def _hand_on(self, name: TopicPartition, parts: Gathered) -> RawSlice:
        if name not in self._ends:
            self._listening.assigned({name: CommittedOffset(None)})
        self._ends[name] = parts.end
        return parts.as_slice(name)

    @property
    def _listening(self) -> RebalanceListener:
        assert self.listener is not None, "the task listens before it polls"
        return self.listener

    def _name(self, tp: TP) -> TopicPartition:
        name = self._names.get(tp)
        if name is None:
            name = self._names[tp] = self._archived(tp)
            self._sources[name] = tp
        return name

    def _carry_out(self, order: Drain | Forgotten) -> None:
        if isinstance(order, Forgotten):
            name = self._name(order.tp)
            if self._ends.pop(name, None) is not None:
                self._listening.lost([name])
            return
        ends, self._ends = self._ends, {}
        self._listening.revoked(list(ends))
        order.done(all(self._stored.get(name) == end for name, end in ends.items()))

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset], *, done: _Done | None) -> None:
        """Everything below these offsets is stored: the app may let Faust commit it, in Faust's own time."""
        for name, at in offsets.items():
            assert at.offset is not None
            self._stored[name] = at.offset
            source = self._sources.get(name)
            if source is not None:
                self._release(source, at.offset // self._results_max)
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
