"""Computes which offset may be committed, from a partition's open and stored ranges; writes its metadata. Pure.

The frontier is the smallest offset not yet stored. Files close on their own, so an object may reach past it; what it
stored there is kept per lane in the commit's metadata string and skipped after a restart (ARCHITECTURE.md, rule 7).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

METADATA_VERSION = 1
METADATA_BYTES_MAX = 3500
"""Kafka's default `offset.metadata.max.bytes` is 4,096; the rest is headroom."""


@dataclass(frozen=True, slots=True)
class CommitMetadata:
    """The metadata of a commit.

    `layout` is the fingerprint of what decides names and membership, `ahead` the last stored offset per lane beyond
    the committed one, and `drained` whether nothing can be stored beyond either: the member let go in good order.
    `look` is an offset up to which objects may lie that `ahead` doesn't tell of: the next member looks for them.
    """

    layout: str
    ahead: Mapping[str, int] = field(default_factory=dict)
    drained: bool = False
    look: int = -1

    def encode(self) -> str:
        """The metadata string; its UTF-8 form must stay below `METADATA_BYTES_MAX`."""
        content: dict[str, object] = {"v": METADATA_VERSION, "layout": self.layout}
        if self.ahead:
            content["ahead"] = dict(sorted(self.ahead.items()))
        if self.drained:
            content["drained"] = True
        if self.look >= 0:
            content["look"] = self.look
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def decode(cls, text: str) -> CommitMetadata | None:
        """Read a metadata string; None where it is not ours (another tool's commit, a JVM Connect's empty one)."""
        try:
            content = json.loads(text)
        except ValueError:
            return None
        if not isinstance(content, dict) or content.get("v") != METADATA_VERSION:
            return None
        ahead = {str(lane): int(offset) for lane, offset in content.get("ahead", {}).items()}
        layout, look = str(content.get("layout", "")), int(content.get("look", -1))
        return cls(layout=layout, ahead=ahead, drained=bool(content.get("drained")), look=look)


@dataclass(slots=True)
class Ledger:
    """Open and stored ranges of one topic partition.

    `position` is the next offset to be seen: all below it was taken into a file, stored, or is a hole.
    """

    position: int
    _starts: dict[int, int] = field(default_factory=dict)
    _stored: dict[str, int] = field(default_factory=dict)

    def opened(self, file_id: int, first_offset: int) -> None:
        """Note a new file; the frontier can't pass its start until the file is stored or discarded.

        Args:
            file_id: The file's number.
            first_offset: The offset of its first record, not below the frontier.
        """
        assert first_offset >= self.frontier, "a file may not start below the frontier"
        self._starts[file_id] = first_offset

    def stored(self, file_id: int, lane: str, last_offset: int) -> None:
        """Note that a file is stored and no longer needed.

        Args:
            file_id: The file's number.
            lane: The key of its lane.
            last_offset: All records of the lane up to this offset are in objects.
        """
        del self._starts[file_id]
        self.stored_ahead(lane, last_offset)

    def stored_ahead(self, lane: str, last_offset: int) -> None:
        """Note that records of a lane are in objects, by any writer.

        Args:
            lane: The lane's key.
            last_offset: All records of the lane up to this offset are in objects. A smaller one than before changes
                nothing.
        """
        self._stored[lane] = max(last_offset, self._stored.get(lane, -1))

    def discarded(self, file_id: int) -> None:
        """The file is given up; its records will be seen again."""
        del self._starts[file_id]

    def advance(self, next_offset: int) -> None:
        """Everything below `next_offset` has been seen."""
        self.position = max(self.position, next_offset)

    def rewind(self, next_offset: int) -> None:
        """Reading goes on from an earlier offset, so nothing from there on counts as seen."""
        assert next_offset <= self.position, "a rewind goes back"
        self.position = next_offset

    @property
    def frontier(self) -> int:
        """The smallest offset not yet stored, which may be committed."""
        return min(min(self._starts.values(), default=self.position), self.position)

    @property
    def oldest_file_id(self) -> int | None:
        """The file that holds the frontier back, if any."""
        return min(self._starts, key=self._starts.__getitem__, default=None)

    @property
    def files(self) -> int:
        """The number of files that are not yet stored."""
        return len(self._starts)

    def ahead(self) -> dict[str, int]:
        """Last stored offset per lane, for lanes stored beyond the frontier; forgets the others."""
        frontier = self.frontier
        self._stored = {lane: last for lane, last in self._stored.items() if last >= frontier}
        return dict(self._stored)
