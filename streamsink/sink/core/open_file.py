"""Describes a file being written: its lane, offsets and count, never its rows. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamsink.sink.core.rotation import Reason

_LIKE_TOPIC = re.compile(r"[A-Za-z0-9._-]*:")
"""How a path begins that could be taken for `topic:path`; topics' names have no other letters."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """The key that all records of a file share.

    An encoded partition and, where records of it can't share a file, their schema's tag; where transforms route records
    to another topic than the one they were read from, that topic.
    """

    encoded_partition: str
    tag: str = ""
    topic: str = ""

    @property
    def key(self) -> str:
        """The lane's name in commit metadata and in objects. Two lanes never share one.

        The form is `[topic:]path[#tag]`. A `#` inside the path is doubled, and a path whose beginning could be taken
        for a topic gets an empty one: ":2026:08". Other paths keep the name that archives have known from the start.
        """
        assert not self.tag.startswith("#"), "a tag that begins with # could be taken for the end of a path"
        path = self.encoded_partition.replace("#", "##")
        if self.topic or _LIKE_TOPIC.match(path):
            path = f"{self.topic}:{path}"
        return f"{path}#{self.tag}" if self.tag else path


@dataclass(slots=True)
class OpenFile:
    """One file from its first record until it is stored.

    `size_bytes` is encoded, `memory_bytes` the file's memory, `pending_bytes` the part of it that waits
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
