"""A file being written, as the machine knows it: what it covers, never its rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.batch.rotation import Reason


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """What one file collects.

    An encoded partition and, where records of it can't share a file, their schema's tag; where transforms route records
    to another topic than the one they were read from, that topic.
    """

    encoded_partition: str
    tag: str = ""
    topic: str = ""

    @property
    def key(self) -> str:
        """The lane's name in commit metadata and in objects."""
        path = f"{self.topic}:{self.encoded_partition}" if self.topic else self.encoded_partition
        return f"{path}#{self.tag}" if self.tag else path


@dataclass(slots=True)
class OpenFile:
    """One file from its first record until it is stored.

    `size_bytes` is encoded, `memory_bytes` what the file occupies, `pending_bytes` the part of it that waits
    to be encoded. `reason` is set when it closes.
    """

    file_id: int
    lane: Lane
    schema: str
    first_offset: int
    opened_at_s: float
    base_time_ms: int = -1
    last_offset: int = -1
    record_count: int = 0
    size_bytes: int = 0
    memory_bytes: int = 0
    pending_bytes: int = 0
    reason: Reason | None = None
