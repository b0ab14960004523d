"""What is to be done: the orders a `SinkMachine` gives its shell. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.batch.file import Lane
from streamsink.batch.rotation import Reason
from streamsink.record import TopicPartition
from streamsink.sink.events import LaneRun


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a file; its object's name follows from these fields."""

    file_id: int
    topic_partition: TopicPartition
    lane: Lane
    schema: str
    first_offset: int


@dataclass(frozen=True, slots=True)
class Append:
    """Write rows `[start, stop)` of the run's payload to the file, then report `Measured`."""

    file_id: int
    run: LaneRun
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Flush:
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

    what: str
    error: Exception
    delay_s: float


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a `Flush` asked for is committed; not `complete` where a partition left before it was."""

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
    | Append
    | Flush
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
    | Flushed
    | Fail
    | Stopped
)
"""Everything `SinkMachine.effects` gives."""
