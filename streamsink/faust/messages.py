"""The messages between the app's process and the archive's process, as values and as bytes. Sends nothing."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamsink.config.sink import SinkConfig
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import TopicPartition

Headers = Sequence[tuple[str, bytes | None]]

LENGTH = struct.Struct("!Q")
"""Before each message, how many bytes it has."""


@dataclass(slots=True)
class Rows:
    """Results of one partition in order, a list a column; of `messages` with archived offsets in [`start`, `end`)."""

    name: TopicPartition
    start: int
    end: int
    messages: int = 0
    offsets: list[int] = field(default_factory=list)
    times_s: list[float | None] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message: run a task of this configuration."""

    config: SinkConfig


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A partition's messages were given up: what came of them is not wanted any more."""

    name: TopicPartition


@dataclass(frozen=True, slots=True)
class Drain:
    """Store everything within the task's `drain.timeout.ms`, then answer with `Drained`."""

    number: int


@dataclass(frozen=True, slots=True)
class Hurried:
    """Whether a drain is near: rows are taken although memory is full, so that no agent waits for room."""

    hurried: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Store everything, and end."""


Order = Rows | Begin | Forgotten | Drain | Hurried | Stop
"""From the app."""


@dataclass(frozen=True, slots=True)
class Taken:
    """So many messages are the task's now."""

    messages: int


@dataclass(frozen=True, slots=True)
class StoredUpTo:
    """Everything below `offset` is stored."""

    name: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class Drained:
    """A drain has ended; `clean` if everything is stored."""

    number: int
    clean: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The last message; with the reason, where the task failed."""

    message: str = ""
    hint: str = ""


Answer = Taken | StoredUpTo | Drained | Ended | TaskSnapshot
"""From the archive's process."""


def framed(message: Order | Answer) -> bytes:
    """A message as it goes over the socket."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data
