"""The messages of a Faust app that may not be committed yet, in offset order. One thread owns it; it decides nothing.

Faust commits up to the first offset that nobody has acknowledged, and counts references to know. So every message of
a held topic gets one reference more, before any stream sees it, and that reference is given up strictly in order when
the machine's frontier has passed it. Faust's own accounts must never see an acknowledgement out of order: up to 0.15
they commit past a single message that is still held (its issue 606).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from faust.types import TP, Message

OVERHEAD_BYTES = 700
"""About what a held message takes beside its key and value: Faust's object, ours, and their places in lists."""

RELEASED_AT_ONCE_MAX = 1000


class Held:
    """One held message. `message` is None once it is given up; `streams` counts the agent's streams that work on it."""

    __slots__ = ("done", "entered", "message", "offset", "partition", "results", "size_bytes", "streams", "unbound")

    def __init__(self, message: Message, partition: HeldPartition) -> None:
        self.message: Message | None = message
        self.offset: int = message.offset
        self.partition = partition
        self.results: list[bytes | None] = []
        self.size_bytes = OVERHEAD_BYTES + message.serialized_key_size + message.serialized_value_size
        self.streams = 0
        self.entered = False
        self.unbound = False
        """Whether its stream acknowledges by hand, so that a result can't be told to be of this message."""
        self.done = False


@dataclass(slots=True)
class HeldPartition:
    """One partition's held messages: `working` may still get results, `handed` wait for their release."""

    tp: TP
    generation_id: int | None
    working: deque[Held] = field(default_factory=deque)
    handed: deque[Held] = field(default_factory=deque)
    by_offset: dict[int, Held] = field(default_factory=dict)
    last_offset: int = -1


class Holds:
    """All held messages of one sink.

    Args:
        hand_over: Gets messages whose processing has ended, in offset order of each partition.
        forget: Told of a partition whose messages are given up.
        given_up: Told of each message that is given up.
        release: Gives up the reference, so that Faust may commit.
    """

    def __init__(
        self,
        *,
        hand_over: Callable[[Held], None],
        forget: Callable[[TP], None],
        given_up: Callable[[Message], None],
        release: Callable[[Message], None],
    ) -> None:
        self._hand_over = hand_over
        self._forget = forget
        self._given_up = given_up
        self._release = release
        self._partitions: dict[TP, HeldPartition] = {}
        self._released: dict[TP, int] = {}
        self.size_bytes = 0
        self.streams = 0
        """How many streams are at work on a held message."""

    def hold(self, message: Message) -> Held:
        """Take one reference to a message that no stream has seen."""
        partition = self._partitions.get(message.tp)
        if partition is not None and (
            partition.generation_id != message.generation_id or message.offset <= partition.last_offset
        ):
            # A rebalance, or a seek: these messages come again.
            self.give_up(partition)
            partition = None
        if partition is None:
            partition = self._partitions[message.tp] = HeldPartition(message.tp, message.generation_id)
        partition.last_offset = message.offset
        message.incref()
        held = Held(message, partition)
        partition.by_offset[message.offset] = held
        partition.working.append(held)
        self.size_bytes += held.size_bytes
        return held

    def find(self, message: Message) -> Held | None:
        """The hold on this very message, if its processing has not ended."""
        partition = self._partitions.get(message.tp)
        held = partition.by_offset.get(message.offset) if partition is not None else None
        return held if held is not None and held.message is message else None

    def enter(self, held: Held) -> None:
        """A stream begins to work on it."""
        held.entered = True
        held.streams += 1
        self.streams += 1

    def leave(self, held: Held) -> None:
        """A stream that began to work on it has acknowledged it."""
        if held.streams:
            held.streams -= 1
            self.streams -= 1

    def settle(self, held: Held) -> None:
        """Hand over the partition's messages whose processing has ended, if this was the last reference but ours."""
        message = held.message
        if message is None or held.done or message.refcount > 1:
            return
        held.done = True
        partition = held.partition
        working = partition.working
        while working and working[0].done:
            ended = working.popleft()
            del partition.by_offset[ended.offset]
            added = sum(len(result) for result in ended.results if result is not None)
            ended.size_bytes += added
            self.size_bytes += added
            partition.handed.append(ended)
            self._hand_over(ended)

    def may_release(self, tp: TP, offset: int) -> None:
        """Note that everything below an offset is stored. `release_some` releases it.

        Args:
            tp: The app's partition.
            offset: The first offset that is not stored yet.
        """
        self._released[tp] = offset

    def release_some(self, limit: int = RELEASED_AT_ONCE_MAX) -> bool:
        """Release up to so many messages; whether there are more."""
        for tp, offset in list(self._released.items()):
            partition = self._partitions.get(tp)
            handed = partition.handed if partition is not None else deque()
            while handed and handed[0].offset < offset:
                if limit == 0:
                    return True
                limit -= 1
                held = handed.popleft()
                message, held.message = held.message, None
                self.size_bytes -= held.size_bytes
                if message is not None:
                    self._release(message)
            del self._released[tp]
        return False

    def partitions(self) -> list[HeldPartition]:
        """The partitions that hold a message."""
        return [partition for partition in self._partitions.values() if partition.working or partition.handed]

    def give_up(self, partition: HeldPartition) -> int:
        """Let go of messages without a release: Faust can't commit them, and doesn't wait for them.

        Returns:
            How many of them had been processed.
        """
        if self._partitions.get(partition.tp) is not partition:
            return 0
        del self._partitions[partition.tp]
        self._released.pop(partition.tp, None)
        processed = len(partition.handed)
        for held in self._all(partition):
            self.size_bytes -= held.size_bytes
            self.streams -= held.streams
            held.streams = 0
            message, held.message = held.message, None
            if message is not None:
                self._given_up(message)
        self._forget(partition.tp)
        return processed

    def _all(self, partition: HeldPartition) -> Iterator[Held]:
        yield from partition.handed
        yield from partition.working
