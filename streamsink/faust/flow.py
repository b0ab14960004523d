"""The app's side of an archive: hands over and releases held messages, and drains when Faust stops the flow.

All of it runs on the app's event loop; only the task's thread (`engine.py`) lies beyond, and it calls back through the
loop. Knows nothing of agents and results.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable
from typing import Any

import structlog
from faust.types import TP, AppT, Message

from streamsink.config.sink import SinkConfig
from streamsink.faust.consumer import Forgotten, HeldConsumer, Loose
from streamsink.faust.engine import Engine
from streamsink.faust.holds import Holds
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import TopicPartition

WATCH_S = 0.05
"""How soon a stopped flow is noticed, and how often those who wait for room look again."""

FINISH_S = 0.01
"""How often to look whether agents have finished: Faust waits meanwhile."""

WAITING_MAX = 20_000
"""So many messages may wait for the task before agents wait for it."""

CROWDED = 1.25
"""Above `held_bytes_max` everything is stored early; above this multiple of it nothing more is taken in."""

SLACK_S = 5.0
"""What a drain may take beyond its deadline, for the threads to hear of it."""

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
        self.failure: BaseException | None = None
        self._consumer = HeldConsumer(
            archived, results_max=results_max, release=self._stored, poll_records_max=config.poll_records_max
        )
        self.holds = Holds(hand_over=self._consumer.put, forget=self._forget, given_up=self.forget, release=self._ack)
        self._held_bytes_max = held_bytes_max
        self._drain_s = config.drain_timeout_ms / 1000
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task_ended = False
        self._flowing = False
        self._releasing = False

    @property
    def snapshot(self) -> TaskSnapshot | None:
        """Where the task stands."""
        return self._engine.snapshot if self._engine is not None else None

    @property
    def active(self) -> bool:
        """Whether Faust lets messages flow."""
        return self.app.flow_control.is_active()

    def start(self) -> None:
        """Start the task."""
        if gc.get_threshold()[0] in GC_THRESHOLDS_OF_PYTHON:
            gc.set_threshold(*GC_THRESHOLD)
        self._loop = asyncio.get_running_loop()
        self._task_ended = False
        self._engine = Engine(self.config, self._consumer, lambda error: self._call(self._ended, error))
        self._engine.start()

    async def stop(self) -> None:
        """End the task; Faust has stopped the flow before, so what is left are results outside of agents."""
        if self._engine is not None and not await asyncio.to_thread(self._engine.stop, self._drain_s + SLACK_S):
            log.warning("the archive's task did not end in time", hint="the store may be slow to answer")

    def fail(self, error: BaseException) -> None:
        """Give everything up for good: nothing from here on is released, and Faust waits for nothing."""
        if self.failure is None:
            self.failure = error
            for partition in self.holds.partitions():
                self.holds.give_up(partition)

    def put(self, result: Loose) -> None:
        """Archive a result that belongs to no message."""
        self._consumer.put(result)

    @property
    def behind(self) -> bool:
        """Whether the task has more before it than it should: agents wait for it."""
        return self._consumer.waiting > WAITING_MAX

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
        stored: asyncio.Future[bool] = self._loop.create_future()

        def done(clean: bool) -> None:  # noqa: FBT001 - a callback's one argument
            if not stored.done():
                stored.set_result(clean)

        self._consumer.drain(lambda clean: self._call(done, clean))
        try:
            return await asyncio.wait_for(stored, self._drain_s + SLACK_S)
        except TimeoutError:
            return False

    async def _drain(self) -> None:
        """Faust waits for its messages: let agents finish, store and release everything, give up the rest."""
        ending = self.holds.partitions()
        if not ending:
            return
        self._consumer.hurried = True
        deadline_s = time.monotonic() + self._drain_s
        while self.holds.streams and time.monotonic() < deadline_s:  # noqa: ASYNC110 - once a rebalance
            await asyncio.sleep(FINISH_S)
        await self.store_all()
        while self.holds.release_some():  # noqa: ASYNC110 - it lets the loop run between portions
            await asyncio.sleep(0)
        given_up = sum(self.holds.give_up(partition) for partition in ending)
        if given_up:
            log.warning("let go before everything was stored", messages=given_up, hint="they will be processed again")
        self._consumer.hurried = False

    def forget(self, message: Message) -> None:
        """A message that was given up: Faust must not wait for it, whoever still refers to it."""
        self.app.consumer.unacked.discard(message)

    def _forget(self, tp: TP) -> None:
        self._consumer.put(Forgotten(tp))

    def _stored(self, tp: TP, offset: int) -> None:
        """Called on the task's thread."""
        self._call(self._may_release, tp, offset)

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

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        """Call on the app's loop, from the task's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear
                self._loop.call_soon_threadsafe(function, *args)

    def _ended(self, error: BaseException | None) -> None:
        self._task_ended = True
        if error is not None:
            self.fail(error)
