"""`ArchiveSink`: archives what a Faust agent yields, and lets Faust commit an offset only once its results are stored.

Theory of operation. Every message of the agents' topics is held (`holds.py`) from before any stream sees it. A result
belongs to the message its agent is at. When all streams have acknowledged a message, filtered and failed ones too, it
is handed (`feed.py`) to the worker's own sink task, in its own process (`engine.py`, `archiver.py`), whose machine
files the results as if it had consumed them (`consumer.py`). Where that task would commit, the holds are released
instead, in order, and Faust commits as it always does (`flow.py`). When Faust stops the flow, for a rebalance or its
end, and waits for its messages, everything is stored at once and released; what isn't stored in time is given up
unacknowledged, and read again by the next owner of the partition.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from faust import Sensor, current_event
from faust.agents import current_agent
from faust.types import TP, AgentT, AppT, CodecArg, EventT, Message, StreamT
from mode import Service

from streamsink.errors import ConfigError, Problem, StreamsinkError, TerminalError, TransientError
from streamsink.faust.feed import Loose
from streamsink.faust.flow import WATCH_S, Flow
from streamsink.faust.holds import Held
from streamsink.faust.results import as_json, by_codec
from streamsink.faust.settings import Option, make_config
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import TopicPartition

HELD_BYTES_MAX = 256 * 1024 * 1024
log = structlog.get_logger("streamsink.faust")


@dataclass(frozen=True, slots=True)
class _NotHeld:
    """The message that an agent's stream works on, where it is not held, or not any more."""

    topic: str
    unbound: bool


class ArchiveSink(Sensor):
    """A sink for Faust agents: `@app.agent(topic, sink=[archive])`.

    It starts and stops with its app. Not for agents that use `take()` or `noack()`: what they yield can't be told to
    be of one message.

    Args:
        app: The Faust app.
        url: Where results go, as `archive.url`: `file:///folder`, `s3://bucket`, ...
        options: A connector's keys: `format.class`, `partitioner.class`, `rotate.age.ms`, `archive.option.*`, ...
        topic: The archive's name for the topic, where the agents read only one. `<app id>-<topic>` if empty.
        topics: Topics to hold besides those the agents are declared with, such as the ones behind a `group_by`.
        value_serializer: A Faust codec for results, whose bytes are archived as they are. JSON columns if None.
        results_max: How many results an agent may yield for one message. Archived offsets are the messages' offsets
            times this, so that each result has its own.
        held_bytes_max: About how much memory messages that wait for their objects may take.

    Raises:
        ConfigError: An option can't be used; it has every problem.
    """

    def __init__(
        self,
        app: AppT,
        url: str,
        options: Mapping[str, Option] | None = None,
        *,
        topic: str = "",
        topics: Sequence[str] = (),
        value_serializer: CodecArg = None,
        results_max: int = 1,
        held_bytes_max: int = HELD_BYTES_MAX,
    ) -> None:
        super().__init__()
        self.app = app
        self.config, warnings = make_config(app.conf.id, url, options or {}, as_json=value_serializer is None)
        if results_max < 1:
            raise ConfigError([Problem("results_max", "must be at least 1")])
        for warning in warnings:
            log.warning(warning)
        self._topic = topic
        self._also = frozenset(topics)
        self._serialize = (
            as_json if value_serializer is None else by_codec(app.serializers.dumps_value, value_serializer)
        )
        self._results_max = results_max
        self._topics: frozenset[str] = frozenset()
        self._agents: frozenset[AgentT[Any]] = frozenset()
        self._at: ContextVar[Held | _NotHeld | None] = ContextVar(f"streamsink-{id(self)}", default=None)
        self._flow = Flow(app, self.config, self._archived, results_max=results_max, held_bytes_max=held_bytes_max)
        self._holds = self._flow.holds
        self._number = uuid.uuid4().int >> 97
        self._loose_offset = 0
        # Faust's consumer takes this callback when it is made: every message passes here before any stream sees it.
        self._deliver = app.topics.on_message
        app.topics.on_message = self._on_message
        app.sensors.add(self)

    @property
    def snapshot(self) -> TaskSnapshot | None:
        """The archive's progress so far, as a task's metrics have it; None before the first second."""
        return self._flow.snapshot

    async def __call__(self, value: Any) -> None:
        """Archive one result: of the message the agent is at, or, outside of agents, of none.

        Raises:
            TerminalError: It can't be archived; the app stops, and the message is not committed.
        """
        if not self.started:
            await self.start()
        if self._flow.failure is not None:
            raise TerminalError(f"the archive has failed: {self._flow.failure}", hint="see the log for its first error")
        try:
            data = self._serialize(value)
            if current_agent() in self._agents:
                self._add(data)
            else:
                self._add_loose(data)
        except TerminalError as error:
            await self._fail(error)
            raise
        if self._flow.behind:
            await self._flow.until_not(lambda: self._flow.behind)

    async def flush(self) -> None:
        """Return when every result of an ended message, and every other one, is stored.

        Raises:
            TransientError: The store didn't take everything in time; what is held stays held.
        """
        await self.maybe_start()
        if not await self._flow.store_all():
            raise TransientError("not everything could be stored in time", hint="is the store reachable? see the log")

    def _add(self, data: bytes | None) -> None:
        """To the message that the agent is at; what was given up meanwhile is processed again elsewhere."""
        at = self._at.get()
        if at is None or at.unbound:
            raise TerminalError(
                "a result of an agent that acknowledges by hand, with take() or noack(), can't be archived",
                hint="iterate over the stream itself, and yield for each event",
            )
        if isinstance(at, _NotHeld):
            if at.topic not in self._topics:
                raise TerminalError(
                    f"results of {at.topic} can't be archived, since its messages are not held",
                    hint=f"give ArchiveSink topics=[{at.topic!r}]",
                )
            return
        if at.done:
            raise TerminalError(
                "a result came after its message had been acknowledged",
                hint="archive results in the agent itself, not in a task that it starts",
            )
        if len(at.results) >= self._results_max:
            raise TerminalError(
                f"an agent yielded more than {self._results_max} result(s) for one message",
                hint="give ArchiveSink a larger results_max, in a new archive, since it decides the archived offsets",
            )
        if at.message is not None:
            at.results.append(data)

    def _add_loose(self, data: bytes | None) -> None:
        event = current_event()
        message = event.message if event is not None else None
        self._loose_offset = max(self._loose_offset + 1, time.time_ns() // 1000)
        time_s = message.timestamp if message is not None else time.time()
        name = TopicPartition(self._topic or self.app.conf.id, self._number)
        key = message.key if message is not None else None
        self._flow.put(Loose(name, self._loose_offset, time_s, key, data))

    async def _on_message(self, message: Message) -> None:
        """Faust's consumer has a message: hold it, then let the streams have it."""
        if message.topic not in self._topics:
            await self._deliver(message)
            return
        if self._flow.full:
            await self._flow.until_not(lambda: self._flow.full)
        if self._flow.failure is not None:
            return  # never acknowledged, so never committed, nor anything after it
        held = self._holds.hold(message)
        await self._deliver(message)
        if message.refcount == 1 and not held.entered:
            # Nobody could decode it, or nobody listens.
            self._holds.settle(held)

    def on_stream_event_in(self, _tp: TP, _offset: int, stream: StreamT[Any], event: EventT[Any]) -> Any:
        """A stream begins to work on a message: results from here on belong to it.

        Args:
            stream: The stream. A result can't be told to be of its message where it acknowledges by hand.
            event: Its message is looked for among those held.

        Returns:
            The held message, which Faust hands to `on_stream_event_out`; None where it isn't held or the agent isn't
            ours.
        """
        if current_agent() not in self._agents:
            return None
        held = self._holds.find(event.message)
        if held is None:
            self._at.set(_NotHeld(event.message.topic, not stream.enable_acks))
            return None
        held.unbound = not stream.enable_acks
        self._at.set(held)
        self._holds.enter(held)
        return held

    def on_stream_event_out(
        self, tp: TP, _offset: int, _stream: StreamT[Any], event: EventT[Any], state: Any = None
    ) -> None:
        """A stream has acknowledged a message.

        Args:
            tp: The app's partition.
            event: The message's event.
            state: What `on_stream_event_in` gave; None where the event did not pass there.
        """
        if state is None and tp.topic not in self._topics:
            return
        held = state or self._holds.find(event.message)
        if held is None or held.message is None:
            self._flow.forget(event.message)
        elif held.entered or self._current(event.message):
            if state is not None or held.unbound:
                self._holds.leave(held)
            self._holds.settle(held)

    def _current(self, message: Message) -> bool:
        """Whether a stream works on messages as this one, or skips them because a rebalance has overtaken them."""
        return self._flow.active and message.generation_id == self.app.consumer_generation_id

    def archived_name(self, topic: str) -> str:
        """The archive's name for one of the app's topics."""
        return self._topic or f"{self.app.conf.id}-{topic}"

    def _archived(self, tp: TP) -> TopicPartition:
        return TopicPartition(self.archived_name(tp.topic), tp.partition)

    async def on_start(self) -> None:
        """Find the agents, and start the task."""
        self._agents = frozenset(
            agent for agent in self.app.agents.values() if any(sink is self for sink in agent.info()["sink"])
        )
        self._topics = self._also.union(*(agent.get_topic_names() for agent in self._agents))
        self._check_topics()
        await self._flow.start()

    def _check_topics(self) -> None:
        problems = []
        if self._topic and len(self._topics) > 1:
            named = ", ".join(sorted(self._topics))
            problems.append(Problem("topic", f"the agents read several topics ({named}), whose offsets would clash"))
        if self._results_max > 1:
            readers = Counter(name for agent in self._agents for name in agent.get_topic_names())
            problems += [
                Problem("results_max", f"{name} is read by {count} agents, whose results have no order")
                for name, count in sorted(readers.items())
                if count > 1
            ]
        for other in self.app.sensors:
            shared = self._topics & other.held_topics if isinstance(other, ArchiveSink) and other is not self else ()
            problems += [Problem("sink", f"{name} is held by another ArchiveSink already") for name in sorted(shared)]
        if problems:
            raise ConfigError(problems, hint="one ArchiveSink can serve several agents")

    @property
    def held_topics(self) -> frozenset[str]:
        """The topics whose offsets wait for their results."""
        return self._topics

    async def on_stop(self) -> None:
        """End the task."""
        await self._flow.stop()

    async def _fail(self, error: StreamsinkError) -> None:
        """Stop the app: no offset from here on is committed."""
        self._flow.fail(error)
        log.error("the archive has failed, the app stops", error=error.message, hint=error.hint)
        await self.crash(error)

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(WATCH_S)
            await self._flow.watch()
            if self._flow.failure is not None and not self.crashed:
                await self.crash(self._flow.failure)
