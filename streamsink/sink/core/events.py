"""Defines the facts that a `SinkMachine` is told. Pure values; payloads pass through untouched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streamsink.record import TopicPartition
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.rotation import Int64s
from streamsink.sink.core.stored_ranges import StoredRanges


@dataclass(frozen=True, slots=True)
class LaneRun:
    """The rows of one slice that belong to one lane, in offset order.

    `schema` names the schema the rows have: rows of another schema go to another file. `times_ms` runs beside
    `offsets` where rotation by record time asks for it. `payload` is whatever the shell appends rows from.
    """

    lane: Lane
    schema: str
    offsets: Int64s
    times_ms: Int64s | None
    payload: object


@dataclass(frozen=True, slots=True)
class Assigned:
    """A partition is ours. `offset` is what the group has committed, None where nothing is.

    `compacted`: records may vanish from the middle of its topic, or nobody knows whether they may.
    """

    topic_partition: TopicPartition
    offset: int | None
    metadata: str
    compacted: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """The stored ranges of a partition from the offset on that a `Look` named."""

    topic_partition: TopicPartition
    look_id: int
    stored: StoredRanges


@dataclass(frozen=True, slots=True)
class LookFailed:
    """A look failed; `terminal` means trying again can't help."""

    topic_partition: TopicPartition
    look_id: int
    error: Exception
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Polled:
    """A slice: every offset in `[start, next_offset)` that is in no run is a hole or was dropped on purpose."""

    topic_partition: TopicPartition
    start: int
    next_offset: int
    runs: tuple[LaneRun, ...] = ()


@dataclass(frozen=True, slots=True)
class ReachedEnd:
    """There is nothing more to read for now, and nothing unseen below `next_offset`."""

    topic_partition: TopicPartition
    next_offset: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An open or closed file's sizes after an append, a flush or its close."""

    file_id: int
    size_bytes: int
    memory_bytes: int
    pending_bytes: int


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The file's object is stored, durably, by this attempt or an earlier one of ours."""

    file_id: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer's object has the file's name; it covers the lane up to `last_offset`."""

    file_id: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class UploadFailed:
    """The attempt failed and its outcome may be unknown; `terminal` means trying again can't help."""

    file_id: int
    error: Exception
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """The group has taken this commit. The machine ignores a commit that a later one has overtaken."""

    topic_partition: TopicPartition
    offset: int
    metadata: str


class Refusal(Enum):
    """The consequence of a commit that was not taken, or whose outcome is unknown."""

    RETRY = "retry"
    """It may be taken later."""
    FENCED = "fenced"
    """The group says that this member is none of it: the partition is another's."""
    TERMINAL = "terminal"
    """It will never be taken: the task can't go on."""


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """The commit was not taken, or nobody knows; one that is not on its way is ignored. `dependency` is what failed."""

    topic_partition: TopicPartition
    offset: int
    metadata: str
    error: Exception
    refusal: Refusal = Refusal.RETRY
    dependency: Dependency = Dependency.COORDINATOR


@dataclass(frozen=True, slots=True)
class Revoked:
    """The partitions go to another member: store and commit what they hold until `deadline_s`."""

    partitions: tuple[TopicPartition, ...]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The partitions are another member's already."""

    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class FlushOrdered:
    """A `Flush` will come: all that is read by now belongs to it."""

    flush_id: int


@dataclass(frozen=True, slots=True)
class Flush:
    """Store and commit everything read so far, and say when that is done."""

    flush_id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Store and commit everything until `deadline_s`, then end."""

    deadline_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    Assigned
    | Looked
    | LookFailed
    | Polled
    | ReachedEnd
    | Measured
    | Uploaded
    | Conflict
    | UploadFailed
    | Committed
    | CommitFailed
    | Revoked
    | Lost
    | FlushOrdered
    | Flush
    | Stop
    | Tick
)
"""Everything `SinkMachine.handle` takes."""
