"""A replay's position as text for the metadata of committed offsets, and back. Pure.

The position is kept per source partition. The source topic may be gone, so it is committed on partitions of the target:
that of source partition `s` on `s` modulo their number, with one entry for each source partition that falls there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamsink.errors import TerminalError
from streamsink.replay.plan import Position, Selection

METADATA_BYTES_MAX = 3500
"""Brokers take 4096 by default."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What one target partition's metadata keeps."""

    next: dict[int, Position] = field(default_factory=dict)
    """By source partition."""
    groups: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """By consumer group and partition: its source offset, and the target offset of the same record."""


def fingerprint(topic: str, selection: Selection, partitions: str) -> str:
    """What must be the same for a replay to go on: the topic, what is chosen of it, and where partitions go."""
    text = json.dumps([topic, selection.to_json(), partitions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_metadata(kept: Kept, of: str) -> str:
    """The metadata string.

    Raises:
        TerminalError: It is longer than brokers take.
    """
    content: dict[str, object] = {
        "v": VERSION,
        "replay": of,
        "next": {str(partition): _number(position) for partition, position in sorted(kept.next.items())},
    }
    if kept.groups:
        content["groups"] = [[*key, *pair] for key, pair in sorted(kept.groups.items())]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > METADATA_BYTES_MAX:
        raise TerminalError(
            f"the positions of {len(kept.next)} source partitions don't fit into one committed offset",
            hint="give the target topic more partitions, or replay some partitions at a time with --partition",
        )
    return text


def from_metadata(metadata: Mapping[int, str], of: str, resume_id: str) -> Kept:
    """What the metadata of all target partitions keep together, a source partition in two of them as far as it got.

    Raises:
        TerminalError: It is not a replay's, or another replay's.
    """
    together = Kept()
    for text in metadata.values():
        content = _read(text, resume_id)
        if content["replay"] != of:
            raise TerminalError(
                f"resume id {resume_id} belongs to a replay of another topic or with other choices",
                hint="repeat the options of that replay, or choose another --resume-id",
            )
        for partition, number in content["next"].items():
            position = Position(*number) if isinstance(number, list) else Position(number)
            known = together.next.get(int(partition))
            if known is None or (known.offset, known.row) < (position.offset, position.row):
                together.next[int(partition)] = position
        for name, at, source, target in content.get("groups", []):
            together.groups[name, at] = (source, target)
    return together


def _read(text: str, resume_id: str) -> Mapping[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
        if content["v"] == VERSION and isinstance(content["next"], dict) and content["replay"]:
            return content
    except (ValueError, TypeError, KeyError):
        pass
    raise TerminalError(
        f"consumer group {resume_id} has committed offsets that are no replay's",
        hint="choose another --resume-id; it names a consumer group of the replay's own",
    )


def _number(position: Position) -> list[int] | int:
    return [position.offset, position.row] if position.row else position.offset
