"""The app's side of an archive: hands over and releases held messages, and drains when Faust stops the flow.

All of it runs on the app's event loop; the task is a process beyond it (`engine.py`). Knows nothing of agents and
results.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from itertools import count

import structlog
from faust.types import TP, AppT, Message

from streamsink.config.sink import SinkConfig
from streamsink.errors import StreamsinkError
from streamsink.faust.engine import Engine
from streamsink.faust.feed import Feed, Loose
from streamsink.faust.holds import Held, Holds
from streamsink.faust.messages import Answer, Drain, Drained, Hurried, Order, StoredUpTo, Taken
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import TopicPartition

WATCH_S = 0.05
"""How soon a stopped flow is noticed, and how often tasks that wait for room look again."""

FINISH_S = 0.01
"""How often to look whether agents have finished: Faust waits meanwhile."""

GATHER_S = 0.25
"""Results are gathered for so long before they are sent."""

WAITING_MAX = 20_000
"""So many messages may wait for the task before agents wait for it."""

CROWDED = 1.25
"""Above `held_bytes_max` everything is stored early; above this multiple of it nothing more is taken in."""

SLACK_S = 5.0
"""What a drain may take beyond its deadline, for the process to hear of it."""

GC_THRESHOLD = (50_000, 20, 50)
"""Held messages live for long and hold no cycles. Looking for some among them, as often as Python does by itself, was
most of what the archive cost an agent. Set only where the app has left Python's own thresholds."""
GC_THRESHOLDS_OF_PYTHON = frozenset({700, 2000})

log = structlog.get_logger("streamsink.faust")


class Flow:
    """Between the app and the task.

    Args:
        app: The Faust app.
        config: The task's configuration.
        archived: The archive's name for a partition of the app.
        results_max: How many results a message may have.
        held_bytes_max: What held messages may take before everything is stored early.
    """

    def __init__(
        self,
        app: AppT,
        config: SinkConfig,
        archived: Callable[[TP], TopicPartition],
        *,
        results_max: int,
        held_bytes_max: int,
    ) -> None:
        self.app = app
        self.config = config
        self.failure: StreamsinkError | None = None
        self.snapshot: TaskSnapshot | None = None
        """Where the task stands."""
        self._feed = Feed(archived, results_max=results_max, order=self._order)
        self.holds = Holds(hand_over=self._hand_over, forget=self._feed.forget, given_up=self.forget, release=self._ack)
        self._held_bytes_max = held_bytes_max
        self._drain_s = config.drain_timeout_ms / 1000
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task_ended = False
        self._flowing = False
        self._gathering = False
        self._releasing = False
        self._drains: dict[int, asyncio.Future[bool]] = {}
        self._drain_numbers = count(1)

    @property
    def active(self) -> bool:
        """Whether Faust lets messages flow."""
        return self.app.flow_control.is_active()

    async def start(self) -> None:
        """Start the task."""
        if gc.get_threshold()[0] in GC_THRESHOLDS_OF_PYTHON:
            gc.set_threshold(*GC_THRESHOLD)
        self._loop = asyncio.get_running_loop()
        self._task_ended = False
        self._engine = Engine(self.config, self._answered, self._ended)
        await self._engine.start()

    async def stop(self) -> None:
        """End the task; Faust has stopped the flow before, so what is left are results outside of agents."""
        self._feed.send()
        if self._engine is not None and not await self._engine.stop(self._drain_s + SLACK_S):
            log.warning("the archive's task did not end in time", hint="the store may be slow to answer")

    def fail(self, error: StreamsinkError) -> None:
        """Give everything up for good: nothing from here on is released, and Faust waits for nothing."""
        if self.failure is None:
            self.failure = error
            for partition in self.holds.partitions():
                self.holds.give_up(partition)

    def put(self, result: Loose) -> None:
        """Archive a result that belongs to no message."""
        self._feed.put_loose(result)
        self._gather()

    def _hand_over(self, held: Held) -> None:
        self._feed.put(held)
        if not self._gathering:
            self._gather()

    def _gather(self) -> None:
        if not self._gathering and self._loop is not None:
            self._gathering = True
            self._loop.call_later(GATHER_S, self._send)

    def _send(self) -> None:
        self._gathering = False
        self._feed.send()

    def _order(self, order: Order) -> None:
        if self._engine is not None:
            self._engine.order(order)

    @property
    def behind(self) -> bool:
        """Whether the task has more before it than it should: agents wait for it."""
        return self._feed.waiting > WAITING_MAX

    @property
    def full(self) -> bool:
        """Whether no more messages should come in. Agents don't wait for it: what they are at has to end first."""
        return self.behind or self.holds.size_bytes > self._held_bytes_max * CROWDED

    async def until_not(self, crowded: Callable[[], bool]) -> None:
        """Wait for room, or until Faust stops the flow, which makes all of it."""
        while crowded() and self.failure is None and self.active:  # noqa: ASYNC110 - rare, and threads are the cause
            await asyncio.sleep(WATCH_S)

    async def watch(self) -> None:
        """See the flow stop, or memory fill; to be called every `WATCH_S`."""
        active = self.active
        if self._flowing and not active:
            await self._drain()
        elif self.holds.size_bytes > self._held_bytes_max:
            await self.store_all()
        self._flowing = active

    async def store_all(self) -> bool:
        """Have the task store what was handed over; whether it did, in time."""
        if self._engine is None or self._task_ended or self._loop is None:
            return False
        number = next(self._drain_numbers)
        stored = self._drains[number] = self._loop.create_future()
        self._feed.send()
        self._order(Drain(number))
        try:
            return await asyncio.wait_for(stored, self._drain_s + SLACK_S)
        except TimeoutError:
            return False
        finally:
            del self._drains[number]

    async def _drain(self) -> None:
        """Faust waits for its messages: let agents finish, store and release everything, give up the rest."""
        ending = self.holds.partitions()
        if not ending:
            return
        self._order(Hurried(hurried=True))
        deadline_s = time.monotonic() + self._drain_s
        while self.holds.streams and time.monotonic() < deadline_s:  # noqa: ASYNC110 - once a rebalance
            await asyncio.sleep(FINISH_S)
        await self.store_all()
        while self.holds.release_some():  # noqa: ASYNC110 - it lets the loop run between portions
            await asyncio.sleep(0)
        given_up = sum(self.holds.give_up(partition) for partition in ending)
        if given_up:
            log.warning("let go before everything was stored", messages=given_up, hint="they will be processed again")
        self._order(Hurried(hurried=False))

    def forget(self, message: Message) -> None:
        """A message that was given up: Faust must not wait for it, even where something still refers to it."""
        self.app.consumer.unacked.discard(message)

    def _answered(self, answer: Answer) -> None:
        match answer:
            case Taken(messages):
                self._feed.taken(messages)
            case StoredUpTo(name, offset):
                source = self._feed.source(name, offset)
                if source is not None:
                    self._may_release(*source)
            case Drained(number, clean):
                waits = self._drains.get(number)
                if waits is not None and not waits.done():
                    waits.set_result(clean)
            case TaskSnapshot():
                self.snapshot = answer

    def _may_release(self, tp: TP, offset: int) -> None:
        self.holds.may_release(tp, offset)
        if not self._releasing:
            self._release_some()

    def _release_some(self) -> None:
        """Release in portions, so that the loop is never kept for long."""
        self._releasing = self.holds.release_some()
        if self._releasing and self._loop is not None:
            self._loop.call_soon(self._release_some)

    def _ack(self, message: Message) -> None:
        if message.ack(self.app.consumer):
            self.app.sensors.on_message_out(message.tp, message.offset, message)

    def _ended(self, error: StreamsinkError | None) -> None:
        self._task_ended = True
        for waits in self._drains.values():
            if not waits.done():
                waits.set_result(False)
        if error is not None:
            self.fail(error)
