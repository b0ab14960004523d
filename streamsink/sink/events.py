"""What happened: the facts a `SinkMachine` is told. Pure values; payloads pass through untouched."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.batch.file import Lane
from streamsink.batch.rotation import Int64s
from streamsink.record import TopicPartition


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
    """A partition is ours. `offset` is what the group has committed, None where nothing is."""

    topic_partition: TopicPartition
    offset: int | None
    metadata: str


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
    """The group has taken this commit; one that was overtaken by a later one is ignored."""

    topic_partition: TopicPartition
    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """The commit was not taken, or nobody knows; `fenced` means this member is no longer in the group."""

    topic_partition: TopicPartition
    error: Exception
    fenced: bool = False


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
    | Flush
    | Stop
    | Tick
)
"""Everything `SinkMachine.handle` takes."""
