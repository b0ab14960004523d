"""Defines the orders that a `SinkMachine` gives its shell. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.record import TopicPartition
from streamsink.sink.core.events import LaneRun
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.rotation import Reason


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a file; its object's name follows from these fields."""

    file_id: int
    topic_partition: TopicPartition
    lane: Lane
    schema: str
    first_offset: int


@dataclass(frozen=True, slots=True)
class Look:
    """Find the stored objects of a partition from an offset on, and report `Looked` or `LookFailed`."""

    topic_partition: TopicPartition
    look_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class Append:
    """Write rows `[start, stop)` of the run's payload to the file, then report `Measured`."""

    file_id: int
    run: LaneRun
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class EncodeEarly:
    """Encode the file's waiting rows to free memory, then report `Measured`."""

    file_id: int


@dataclass(frozen=True, slots=True)
class Close:
    """Finish the file with its footer, then report `Measured`."""

    file_id: int
    last_offset: int
    record_count: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Upload:
    """Create the file's object and report `Uploaded`, `Conflict` or `UploadFailed`."""

    file_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Discard:
    """The file is not needed any more; free it. An upload of it that still runs is ignored."""

    file_id: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit offset and metadata for one partition, then report `Committed` or `CommitFailed`."""

    topic_partition: TopicPartition
    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Seek:
    """Read the partition again from `offset`."""

    topic_partition: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop fetching these partitions."""

    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Fetch these partitions again."""

    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """The partition is let go of; `clean` says whether all it held is stored and committed."""

    topic_partition: TopicPartition
    clean: bool


@dataclass(frozen=True, slots=True)
class Adopted:
    """Another writer's object was taken over: the lane's records up to `last_offset` are stored there. For the log."""

    topic_partition: TopicPartition
    lane: Lane
    last_offset: int


@dataclass(frozen=True, slots=True)
class LayoutChanged:
    """Uncommitted records may be stored under another layout already, and so be stored twice. For the log."""

    topic_partition: TopicPartition
    before: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """An upload or commit failed and will be tried again after `delay_s`; reported once per outage. For the log."""

    what: Dependency
    error: Exception
    delay_s: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """The dependency answers again: the outage is over. For the log."""

    what: Dependency


@dataclass(frozen=True, slots=True)
class Untried:
    """Nothing needs the dependency any more, since no partition is held. For the status."""

    what: Dependency


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Leave the group and join it anew: the group says that this member holds nothing."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """A flush has ended; not `complete` where a partition left before all of it was committed."""

    flush_id: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Fail:
    """The task can't go on; the error says why, and whether a restart may help (`TransientError`)."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Stopped:
    """Everything asked for by `Stop` is done, or its deadline has passed; `clean` says which."""

    clean: bool


Effect = (
    Open
    | Look
    | Append
    | EncodeEarly
    | Close
    | Upload
    | Discard
    | Commit
    | Seek
    | Pause
    | Resume
    | Released
    | Adopted
    | LayoutChanged
    | Retrying
    | Recovered
    | Untried
    | Rejoin
    | Flushed
    | Fail
    | Stopped
)
"""Everything `SinkMachine.effects` gives."""
