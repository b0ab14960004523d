"""Plans a replay: which objects it reads, in which order, for a choice of topics, offsets and times. Pure.

A topic partition's objects may overlap: objects of different lanes interleave by offset. Where a store doesn't create
atomically, two may even hold the same records. So the plan gives each partition its objects by first offset, and the
reader merges them by offset and takes each offset once. A gap is what no object's range covers: holes in the topic, or
objects lost without a trace in the manifest; it is reported, since the objects can't tell which.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamsink.upload.description import ObjectDescription

TAG_LETTERS = 16
"""64 bits, so that two lanes of a topic don't share a tag."""
LISTED_MAX = 1000
"""So many gaps and overlaps are listed; they are counted beyond."""


@functools.lru_cache(100_000)
def lane_tag(lane: str) -> str:
    """A lane's name, short enough to be kept for many of them."""
    return hashlib.sha256(lane.encode()).hexdigest()[:TAG_LETTERS]


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice of records. Ends are exclusive; None and "" leave a side open."""

    partitions: frozenset[int] | None = None
    from_offset: int | None = None
    until_offset: int | None = None
    from_ms: int | None = None
    until_ms: int | None = None
    key: bytes | None = None
    where: str = ""

    @property
    def looks_at_rows(self) -> bool:
        """Whether what an object says of itself can never tell that all of its records are chosen."""
        return self.key is not None or bool(self.where)

    def to_json(self) -> dict[str, object]:
        """Put the choice into JSON, for the fingerprint of a replay that goes on."""
        return {
            "partitions": None if self.partitions is None else sorted(self.partitions),
            "offsets": [self.from_offset, self.until_offset],
            "times": [self.from_ms, self.until_ms],
            "key": None if self.key is None else self.key.hex(),
            "where": self.where,
        }


@dataclass(frozen=True, slots=True)
class Position:
    """The place where a source partition goes on.

    Args:
        offset: All below it was sent, of every lane, and nothing below it can come any more.
        row: Where objects don't tell offsets: how many rows of the object that starts at `row_start` were sent.
        lanes: The next offset of each lane that is further, by `lane_tag`. While an archive grows, an object of a slow
            lane may come after objects of other lanes that lie behind it.
        row_start: None where the object starts at `offset`.
    """

    offset: int = 0
    row: int = 0
    lanes: Mapping[str, int] = field(default_factory=dict)
    row_start: int | None = None

    def low(self, lane: str) -> int:
        """The next offset of a lane."""
        return max(self.offset, self.lanes.get(lane_tag(lane), 0)) if self.lanes else self.offset

    def rows_of(self, start_offset: int) -> int:
        """Give how many rows were sent of the object that starts there and tells no offsets."""
        return self.row if start_offset == (self.offset if self.row_start is None else self.row_start) else 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One object that may be read. `about` is None where another program wrote it and nothing says what it covers."""

    name: str
    path: str
    size_bytes: int
    partition: int
    lane: str
    start_offset: int
    about: ObjectDescription | None = None
    missing: bool = False
    """The manifest knows it, the store doesn't have it."""
    problem: str = ""
    """Why nothing says what it covers, where that is a fault."""
    keys: str = ""
    headers: str = ""
    """Names of the objects beside it that hold its keys and headers, as Confluent names them."""

    @property
    def first_offset(self) -> int:
        """Offset of its first record, as it says, else as its name says."""
        return self.about.first_offset if self.about else self.start_offset

    @property
    def last_offset(self) -> int | None:
        """Offset of its last record, None where nothing says it."""
        return self.about.last_offset if self.about else None

    @property
    def range(self) -> str:
        """Its offsets, for people."""
        return f"{self.first_offset}..{'' if self.last_offset is None else self.last_offset}"


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One object to read. `whole`: every record of it is chosen, so that its count tells how many."""

    candidate: Candidate
    whole: bool

    @property
    def records(self) -> int | None:
        """How many records come from it, None where only its rows tell."""
        about = self.candidate.about
        return about.record_count if self.whole and about is not None else None


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets from first to last, both inclusive."""

    first_offset: int
    last_offset: int


@dataclass(slots=True)
class PartitionPlan:
    """The objects to read of one source partition, by first offset."""

    partition: int
    start: Position
    objects: list[PlannedObject] = field(default_factory=list)
    known: list[Candidate] = field(default_factory=list)
    """Every object there is, replayed before or not."""
    gaps: list[Span] = field(default_factory=list)
    overlaps: list[Span] = field(default_factory=list)
    """Offsets that two objects of one lane cover; each record is taken once."""

    @property
    def foreign(self) -> bool:
        """Whether an object doesn't tell its records' offsets, so that objects are read one after the other."""
        return any(planned.candidate.about is None and not _lost(planned) for planned in self.objects)


@dataclass(slots=True)
class ReplayPlan:
    """The objects to read of one topic, by partition. `partition_count` is of the whole topic as archived."""

    topic: str
    partition_count: int
    partitions: list[PartitionPlan]

    @property
    def objects(self) -> int:
        """The number of objects to read."""
        return sum(len(partition.objects) for partition in self.partitions)

    @property
    def size_bytes(self) -> int:
        """The bytes of all objects to read."""
        return sum(one.candidate.size_bytes for partition in self.partitions for one in partition.objects)

    @property
    def lost(self) -> list[Candidate]:
        """Objects that can't be read at all, which is known before anything is sent."""
        return [one.candidate for partition in self.partitions for one in partition.objects if _lost(one)]


def make_plan(
    topic: str, candidates: Iterable[Candidate], selection: Selection, positions: Mapping[int, Position]
) -> ReplayPlan:
    """Order one topic's objects. Objects without a record that is chosen and not yet replayed are left out.

    Args:
        topic: Its name.
        candidates: Its objects, in any order.
        selection: Which records.
        positions: Where partitions go on that were begun before.

    Returns:
        Each partition's objects by first offset, with the gaps and overlaps between them.
    """
    by_partition: dict[int, list[Candidate]] = {}
    partition_count = 0
    for candidate in candidates:
        partition_count = max(partition_count, candidate.partition + 1)
        if selection.partitions is None or candidate.partition in selection.partitions:
            by_partition.setdefault(candidate.partition, []).append(candidate)
    plans = []
    for partition, found in sorted(by_partition.items()):
        found.sort(key=lambda one: (one.first_offset, one.name))
        plan = PartitionPlan(partition, positions.get(partition, Position()), known=found)
        plan.gaps = _gaps(found, selection)
        plan.overlaps = _overlaps(found)
        plan.objects = [
            PlannedObject(one, _whole(one, selection, plan.start))
            for one in found
            if _may_have(one, selection, plan.start)
        ]
        plans.append(plan)
    return ReplayPlan(topic, partition_count, plans)


def _lost(planned: PlannedObject) -> bool:
    return planned.candidate.missing or bool(planned.candidate.problem)


def _may_have(one: Candidate, selection: Selection, start: Position) -> bool:
    if selection.until_offset is not None and one.first_offset >= selection.until_offset:
        return False
    about = one.about
    if about is None:
        return one.start_offset >= start.low(one.lane) or bool(one.problem)
    if about.last_offset < max(start.low(one.lane), selection.from_offset or 0):
        return False
    least, most = about.timestamp_min_ms, about.timestamp_max_ms
    if selection.from_ms is not None and most is not None and most < selection.from_ms:
        return False
    return selection.until_ms is None or least is None or least < selection.until_ms


def _whole(one: Candidate, selection: Selection, start: Position) -> bool:
    about = one.about
    if about is None or selection.looks_at_rows:
        return False
    if about.first_offset < max(start.low(one.lane), selection.from_offset or 0):
        return False
    if selection.until_offset is not None and about.last_offset >= selection.until_offset:
        return False
    # Records without a timestamp are in no window, and the least and the largest don't tell whether there are any.
    return selection.from_ms is None and selection.until_ms is None


def _gaps(found: list[Candidate], selection: Selection) -> list[Span]:
    """Find the offsets between the first object and the last that no object's range covers."""
    gaps: list[Span] = []
    reached: int | None = None
    low = selection.from_offset or 0
    high = selection.until_offset
    for one in found:
        if one.about is None or one.missing:
            continue
        if reached is not None and one.first_offset > reached + 1:
            first, last = max(reached + 1, low), one.first_offset - 1
            last = last if high is None else min(last, high - 1)
            if first <= last and len(gaps) < LISTED_MAX:
                gaps.append(Span(first, last))
        reached = one.about.last_offset if reached is None else max(reached, one.about.last_offset)
    return gaps


def _overlaps(found: list[Candidate]) -> list[Span]:
    reached: dict[str, int] = {}
    overlaps: list[Span] = []
    for one in found:
        if one.about is None or one.missing:
            continue
        before = reached.get(one.about.lane)
        if before is not None and one.first_offset <= before and len(overlaps) < LISTED_MAX:
            overlaps.append(Span(one.first_offset, min(before, one.about.last_offset)))
        reached[one.about.lane] = one.about.last_offset if before is None else max(before, one.about.last_offset)
    return overlaps
