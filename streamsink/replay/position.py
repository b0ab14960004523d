"""A replay's position as text for the metadata of committed offsets, and back. Pure.

The position is kept per source partition. The source topic may be gone, so it is committed on partitions of the target:
that of source partition `s` on `s` modulo their number, with one entry for each source partition that falls there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamsink.errors import TerminalError
from streamsink.replay.plan import PartitionPlan, Position, Selection, lane_tag

METADATA_BYTES_MAX = 3500
"""Brokers take 4096 by default."""
LANES_MAX = 100
"""Of a growing archive's lanes, those furthest behind are taken for complete beyond this."""
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
            position = _position(number)
            known = together.next.get(int(partition))
            if known is None or _reach(known) < _reach(position):
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


def read_positions(metadata: Iterable[str]) -> dict[int, Position]:
    """Every source partition's position, whichever replay's; texts that are no replay's are passed over."""
    found: dict[int, Position] = {}
    for text in metadata:
        with contextlib.suppress(TerminalError):
            found |= {int(partition): _position(one) for partition, one in _read(text, "")["next"].items()}
    return found


def lanes_reached(plan: PartitionPlan, next_offset: int) -> Position:
    """A growing archive's position once everything planned below an offset was sent: one for each lane."""
    start = plan.start
    lanes = dict(start.lanes)
    for planned in plan.objects:
        one = planned.candidate
        if one.first_offset < next_offset and one.last_offset is not None:
            tag = lane_tag(one.lane)
            # A lane's objects come in order, so its next one begins behind its last one: not further.
            lanes[tag] = max(lanes.get(tag, 0), min(next_offset, one.last_offset + 1))
    offset = start.offset
    while len(lanes) > LANES_MAX:
        tag = min(lanes, key=lambda tag: lanes[tag])
        offset = max(offset, lanes.pop(tag))
    return Position(offset, 0, lanes)


def _number(position: Position) -> object:
    if position.lanes:
        return {"from": position.offset, "lanes": dict(position.lanes)}
    return [position.offset, position.row] if position.row else position.offset


def _position(number: Any) -> Position:
    if isinstance(number, dict):
        return Position(int(number["from"]), 0, {tag: int(at) for tag, at in number["lanes"].items()})
    return Position(*number) if isinstance(number, list) else Position(number)


def _reach(position: Position) -> tuple[int, int, int]:
    return position.offset, position.row, max(position.lanes.values(), default=0)
