"""Writes a replay's position as metadata of committed offsets, and reads it back. Pure.

The position is kept per source partition. The source topic may be gone, so it is committed on partitions of the target:
that of source partition `s` on `s` modulo their number, with one entry for each source partition that falls there.

A broker takes 4,096 bytes for an offset (`offset.metadata.max.bytes`): some 250 lanes of a growing archive. More lanes
go into further parts. Each is the metadata of the same partition in one more group: `<resume id>-lanes-1` and so on.
The first part, in the group of the resume id, says how many there are. All are committed in one transaction.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamsink.errors import TerminalError
from streamsink.replay.plan import Position, Selection

METADATA_BYTES_MAX = 3500
"""Brokers take 4096 by default."""
PACKED_BYTES_MAX = 2500
"""Of packed lanes in one part; base 85 makes five letters of four bytes."""
TAG_BYTES = 8
VERSION = 1
VERSION_OF_LANES = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of one target partition's metadata."""

    next: dict[int, Position] = field(default_factory=dict)
    """By source partition."""
    groups: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """By consumer group and partition: its source offset, and the target offset of the same record."""


def fingerprint(topic: str, selection: Selection, partitions: str) -> str:
    """Digest what must be the same for a replay to go on.

    Args:
        topic: The source topic.
        selection: Which records are chosen.
        partitions: Where partitions go, as text.
    """
    text = json.dumps([topic, selection.to_json(), partitions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_metadata(kept: Kept, of: str) -> list[str]:
    """Write positions as metadata of committed offsets.

    Args:
        kept: The positions and group moves of the source partitions that fall on one target partition.
        of: The replay's fingerprint.

    Returns:
        The metadata strings, each within `METADATA_BYTES_MAX`. The first is for the resume id's own group.

    Raises:
        TerminalError: They are longer than brokers take, however many parts there are.
    """
    near = {partition: _ascending(position) for partition, position in sorted(kept.next.items())}
    parts: list[str] = []
    while len((text := _first_part(kept, of, near, len(parts))).encode()) > METADATA_BYTES_MAX:
        longest = max(near, key=lambda partition: len(near[partition]), default=None)
        if longest is None or not near[longest]:
            raise TerminalError(
                f"the positions of {len(kept.next)} source partitions don't fit into one committed offset",
                hint="give the target topic more partitions, or replay some partitions at a time with --partition",
            )
        # The slowest first: lanes that don't move any more fill parts that don't change any more.
        packed, count = _pack(near[longest])
        near[longest] = near[longest][count:]
        parts.append(_json({"v": VERSION_OF_LANES, "replay": of, "lanes": {str(longest): packed}}))
    return [text, *parts]


def _first_part(kept: Kept, of: str, near: Mapping[int, list[tuple[int, str]]], parts: int) -> str:
    has_lanes = any(position.lanes for position in kept.next.values())
    content: dict[str, object] = {
        "v": VERSION_OF_LANES if has_lanes else VERSION,
        "replay": of,
        "next": {str(partition): _number(kept.next[partition], lanes) for partition, lanes in near.items()},
    }
    if kept.groups:
        content["groups"] = [[*key, *pair] for key, pair in sorted(kept.groups.items())]
    if parts:
        content["parts"] = parts
    return _json(content)


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def from_metadata(
    metadata: Mapping[int, str], of: str, resume_id: str, parts: Mapping[int, Iterable[str]] | None = None
) -> Kept:
    """Read the positions that the metadata of all target partitions hold together.

    Args:
        metadata: By target partition.
        of: The replay's fingerprint.
        resume_id: For errors.
        parts: The further parts, by target partition.

    Returns:
        The positions and group moves. A source partition in two of the metadata has the farther position.

    Raises:
        TerminalError: It is not a replay's, or another replay's.
    """
    together = Kept()
    for target, text in metadata.items():
        content = _read(text, resume_id)
        if content["replay"] != of:
            raise TerminalError(
                f"resume id {resume_id} belongs to a replay of another topic or with other choices",
                hint="repeat the options of that replay, or choose another --resume-id",
            )
        lanes = _lanes_in((parts or {}).get(target, ()), of)
        for partition, number in content["next"].items():
            position = _position(number, lanes.get(partition, {}))
            known = together.next.get(int(partition))
            if known is None or _reach(known) < _reach(position):
                together.next[int(partition)] = position
        for name, at, source, target_offset in content.get("groups", []):
            together.groups[name, at] = (source, target_offset)
    return together


def parts_of(text: str) -> int:
    """Read how many further parts a first part has; 0 where it is no replay's."""
    with contextlib.suppress(TerminalError, ValueError, TypeError):
        return int(_read(text, "").get("parts", 0))
    return 0


def _lanes_in(parts: Iterable[str], of: str) -> dict[str, dict[str, int]]:
    """By source partition. Without transactions a part may be older than the first; it is true all the same."""
    found: dict[str, dict[str, int]] = {}
    for text in parts:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            content = json.loads(text)
            if content["v"] == VERSION_OF_LANES and content["replay"] == of:
                for partition, packed in content["lanes"].items():
                    found.setdefault(partition, {}).update(_unpack(*packed))
    return found


def _read(text: str, resume_id: str) -> Mapping[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
        if content["v"] in {VERSION, VERSION_OF_LANES} and isinstance(content["next"], dict) and content["replay"]:
            return content
    except (ValueError, TypeError, KeyError):
        pass
    raise TerminalError(
        f"consumer group {resume_id} has committed offsets that are no replay's",
        hint="choose another --resume-id; it names a consumer group of the replay's own",
    )


def read_positions(metadata: Iterable[str]) -> dict[int, Position]:
    """Every source partition's position, whichever replay's; texts that are no replay's are passed over.

    Of lanes it has those of the first part, which are the furthest.
    """
    found: dict[int, Position] = {}
    for text in metadata:
        with contextlib.suppress(TerminalError):
            found |= {int(partition): _position(one, {}) for partition, one in _read(text, "")["next"].items()}
    return found


def _ascending(position: Position) -> list[tuple[int, str]]:
    return sorted((at, tag) for tag, at in position.lanes.items())


def _number(position: Position, near: list[tuple[int, str]]) -> object:
    if position.lanes:
        content: dict[str, object] = {"from": position.offset, "lanes": _pack(near, None)[0]}
        if position.row:
            content["row"] = [position.row_start, position.row]
        return content
    return [position.offset, position.row] if position.row else position.offset


def _position(number: Any, more: Mapping[str, int]) -> Position:
    if not isinstance(number, dict):
        return Position(*number) if isinstance(number, list) else Position(number)
    lanes = number["lanes"]
    near = {tag: int(at) for tag, at in lanes.items()} if isinstance(lanes, dict) else _unpack(*lanes)
    row_start, row = number.get("row", (None, 0))
    return Position(int(number["from"]), row, {**more, **near}, row_start)


def _pack(lanes: list[tuple[int, str]], bytes_max: int | None = PACKED_BYTES_MAX) -> tuple[list[object], int]:
    """Lanes, ascending by offset, as the least of these and a text; and how many the text has.

    Each lane is its tag and how much further it is than the one before, seven bits a byte.
    """
    packed = bytearray()
    before = base = lanes[0][0] if lanes else 0
    count = 0
    for at, tag in lanes:
        one = bytes.fromhex(tag) + _seven_bits(at - before)
        if bytes_max is not None and len(packed) + len(one) > bytes_max:
            break
        packed += one
        before = at
        count += 1
    return [base, base64.b85encode(bytes(packed)).decode()], count


def _unpack(base: int, text: str) -> dict[str, int]:
    packed = base64.b85decode(text)
    lanes: dict[str, int] = {}
    at, place = base, 0
    while place < len(packed):
        tag = packed[place : place + TAG_BYTES].hex()
        place += TAG_BYTES
        shift = 0
        while True:
            byte = packed[place]
            place += 1
            at += (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lanes[tag] = at
    return lanes


def _seven_bits(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _reach(position: Position) -> tuple[int, int, int]:
    return position.offset, position.row, max(position.lanes.values(), default=0)
