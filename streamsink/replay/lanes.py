"""Tracks how far a replay is in each lane of a growing archive, and forgets lanes that are done. Pure.

A lane's objects come in order, since a sink stores a lane's next object after the one before. Lanes don't wait for
each other. So what was sent is exactly one offset for each lane, and one offset that all lanes have passed for good.

    offset      0    1    2    3    4    5    6    7         lane a has 0 2 4, lane b has 1 3, lane c has 5 6 7
    sent        a    b    a    b    a    .    .    .         no object of lane c has come

Here all below 5 was sent, and every offset below 5 was some record's. Each record is in one object only, so nothing
can come below 5: the position is 5, and no lane is kept. Had offset 3 been a hole, nobody could tell it from a record
of a slow lane: then the position stays 3, with a at 5 and b at 2, until somebody knows more.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamsink.replay.plan import Candidate, PartitionPlan, Position, lane_tag

OLD_TAG_LETTERS = 8
"""Positions of the first version tell lanes by so much of the tag of their folder."""


def reached(plan: PartitionPlan, at: Position | None) -> Position:
    """A growing archive's position.

    Args:
        plan: What was to be sent.
        at: The position in the plan up to which all was sent, None for its end.

    Returns:
        The position by lanes, as short as it can be told.
    """
    lanes = dict(plan.start.lanes)
    row, row_start = 0, None
    for planned in plan.objects:
        one = planned.candidate
        if at is not None and one.first_offset > at.offset:
            break
        begun = at is not None and one.first_offset == at.offset
        if at is None or (plan.foreign and not begun):
            next_offset = _behind(one)
        elif not plan.foreign:
            # The lane's next object begins behind this one, so no further than this one's end.
            next_offset = min(at.offset, _behind(one))
        elif one.about is None:
            next_offset, row, row_start = one.start_offset, at.row, one.start_offset
        else:
            next_offset = at.offset + at.row
        tag = lane_tag(one.lane)
        if next_offset > lanes.get(tag, 0):
            lanes[tag] = next_offset
    return _shortened(Position(plan.start.offset, row, lanes, row_start), plan.known)


def _behind(one: Candidate) -> int:
    """The next offset of a lane whose object was sent; 0 where nothing says what the object covers."""
    if one.last_offset is not None:
        return one.last_offset + 1
    return 0 if one.problem or one.missing else one.start_offset + 1


def _shortened(position: Position, known: Iterable[Candidate]) -> Position:
    offset = _passed_by_all(position, known)
    lanes = {tag: at for tag, at in position.lanes.items() if at > offset}
    return Position(offset, position.row, lanes, position.row_start)


def _passed_by_all(position: Position, known: Iterable[Candidate]) -> int:
    """Where records without a hole end: there as many records were sent as there are offsets.

    Only a place that no object reaches across can be counted up to, and only where no record is in two objects.
    """
    base = position.offset
    count, reach, passed = 0, base, base
    lasts: dict[str, int] = {}
    layouts: set[str] = set()
    for one in known:
        about = one.about
        if about is None or one.missing or one.problem:
            return passed
        if about.last_offset < base:
            continue
        layouts.add(about.layout)
        doubtful = about.first_offset <= lasts.get(one.lane, -1) or len(layouts) > 1
        unsent = about.last_offset >= position.low(one.lane)
        if doubtful or unsent or about.first_offset < base or about.first_offset > reach:
            return passed
        lasts[one.lane] = about.last_offset
        count += about.record_count
        reach = max(reach, about.last_offset + 1)
        if count == reach - base:
            passed = reach
    return passed


def renamed(position: Position, candidates: Iterable[Candidate]) -> Position:
    """Carry a position of the first version over. That version told lanes by their folders.

    Args:
        position: A position of either version.
        candidates: The topic's objects, which say which lanes lie in which folder.

    Returns:
        The position with one entry for each lane; the same one where it was of the present version.
    """
    old = {tag: at for tag, at in position.lanes.items() if len(tag) == OLD_TAG_LETTERS}
    if not old:
        return position
    lanes = {tag: at for tag, at in position.lanes.items() if tag not in old}
    for one in candidates:
        folder = one.about.encoded_partition if one.about else one.lane
        at = old.get(lane_tag(folder)[:OLD_TAG_LETTERS])
        if at is not None:
            lanes[lane_tag(one.lane)] = max(at, lanes.get(lane_tag(one.lane), 0))
    return Position(position.offset, position.row, lanes, position.row_start)
