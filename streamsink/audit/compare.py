"""Compares two streams of one partition's records by offset, hour by hour. Pure: reads neither topic nor archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.audit.digest import RecordsDigest, digest_parts
from streamsink.audit.records import RECORDS, without_values

HOUR_MS = 3_600_000
UNDATED = -(2**40)
"""Stands for the hour of records without a time."""
OTHER_HOURS = -(2**41)
"""Stands for all hours past `HOURS_MAX`."""
HOURS_MAX = 20_000
LISTED_MAX = 1_000
"""Ranges of offsets beyond this many are counted, not listed."""

Int64s = npt.NDArray[np.int64]
Run = Iterator[pa.RecordBatch]


@dataclass(slots=True)
class Ranges:
    """Offsets as inclusive ranges, `LISTED_MAX` of them at most, and how many offsets there are."""

    count: int = 0
    listed: list[tuple[int, int]] = field(default_factory=list)

    def add(self, offsets: Int64s) -> None:
        """Take offsets in ascending order."""
        if not offsets.size:
            return
        self.count += int(offsets.size)
        breaks = np.flatnonzero(np.diff(offsets) > 1)
        firsts = offsets[np.concatenate([[0], breaks + 1])].tolist()
        lasts = offsets[np.concatenate([breaks, [offsets.size - 1]])].tolist()
        for first, last in zip(firsts, lasts, strict=True):
            if self.listed and self.listed[-1][1] + 1 == first:
                self.listed[-1] = (self.listed[-1][0], last)
            elif len(self.listed) < LISTED_MAX:
                self.listed.append((first, last))


@dataclass(slots=True)
class Hour:
    """One hour of one partition, by the records' own time."""

    topic: int = 0
    archive: int = 0
    equal: int = 0
    digest: RecordsDigest = field(default_factory=RecordsDigest)
    """Of the records that both have and that are equal."""


@dataclass(slots=True)
class PartitionAudit:
    """The differences in one partition."""

    topic: str
    partition: int
    topic_records: int = 0
    archive_records: int = 0
    equal: int = 0
    only_topic: Ranges = field(default_factory=Ranges)
    only_archive: Ranges = field(default_factory=Ranges)
    differing: Ranges = field(default_factory=Ranges)
    twice: Ranges = field(default_factory=Ranges)
    """Offsets that the archive has more than once."""
    removed: Ranges = field(default_factory=Ranges)
    """Offsets that the archive has and the topic has removed: by retention or compaction."""
    lost: Ranges = field(default_factory=Ranges)
    """Offsets only in the topic whose loss in the archive was recorded."""
    not_compared: Ranges = field(default_factory=Ranges)
    """Offsets in objects whose rows don't tell their offsets."""
    values_not_compared: int = 0
    """Records of which the archive keeps columns, not the original bytes."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Objects that could not be read, with the reason."""
    topic_from: int = 0
    topic_until: int = 0
    """The topic's offsets that were looked at: from this one, up to and without that one."""
    hours: dict[int, Hour] = field(default_factory=dict)
    digest: RecordsDigest = field(default_factory=RecordsDigest)

    @property
    def same(self) -> bool:
        """Whether nothing differs that nobody knows of."""
        found = (self.only_topic, self.only_archive, self.differing, self.twice)
        return not self.unreadable and not any(ranges.count for ranges in found)

    def hour(self, number: int) -> Hour:
        """The hour of this number, or the entry for all hours where there are too many."""
        if number not in self.hours and len(self.hours) >= HOURS_MAX:
            number = OTHER_HOURS
        return self.hours.setdefault(number, Hour())


@dataclass(frozen=True, slots=True)
class Excused:
    """The known reasons why an offset may be on one side only. Ranges are inclusive."""

    topic_from: int
    """The topic has removed the offsets below."""
    is_compacted: bool = False
    lost: Sequence[tuple[int, int]] = ()
    not_compared: Sequence[tuple[int, int]] = ()


def compare(audit: PartitionAudit, topic: Run, archive: Run, excused: Excused) -> Iterator[int]:
    """Compare two sides, into `audit`; give the number of records after each step, for a progress bar.

    Args:
        audit: Learns everything.
        topic: The topic's records, in offset order.
        archive: The archive's records, in offset order, an offset perhaps more than once.
        excused: Why some may be on one side only.
    """
    left, right = _Side(topic), _Side(archive)
    while left.batch is not None or right.batch is not None:
        bound = min(side.last for side in (left, right) if side.batch is not None)
        from_topic, from_archive = left.take(bound), right.take(bound)
        _compare(audit, from_topic, from_archive, excused)
        yield from_topic.num_rows + from_archive.num_rows


class _Side:
    """The batch a stream is at."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.batch: pa.RecordBatch | None = None
        self.last = -1
        self._advance()

    def _advance(self) -> None:
        self.batch = next((batch for batch in self._run if batch.num_rows), None)
        if self.batch is not None:
            self.last = self.batch.column(0)[-1].as_py()

    def take(self, bound: int) -> pa.RecordBatch:
        """The records up to an offset; records of one offset stay together."""
        taken: list[pa.RecordBatch] = []
        while self.batch is not None:
            if self.last > bound:
                count = int(np.searchsorted(self.batch.column(0).to_numpy(), bound, side="right"))
                if count:
                    taken.append(self.batch.slice(0, count))
                    self.batch = self.batch.slice(count)
                break
            taken.append(self.batch)
            self._advance()
        return taken[0] if len(taken) == 1 else pa.concat_batches(taken) if taken else _NOTHING


_NOTHING = pa.RecordBatch.from_pylist([], schema=RECORDS)


def _compare(audit: PartitionAudit, topic: pa.RecordBatch, archive: pa.RecordBatch, excused: Excused) -> None:
    audit.topic_records += topic.num_rows
    audit.archive_records += archive.num_rows
    _count_hours(audit, topic, "topic")
    _count_hours(audit, archive, "archive")
    if topic.num_rows and not pc.all(archive.column("bytes_kept")).as_py():
        audit.values_not_compared += int(pc.sum(pc.invert(archive.column("bytes_kept"))).as_py() or 0)
    if topic.num_rows == archive.num_rows and topic.equals(archive):
        _agree(audit, topic)
        return
    offsets, archived = topic.column(0).to_numpy(), archive.column(0).to_numpy()
    first = np.concatenate([[True], np.diff(archived) != 0])[: archived.size]
    audit.twice.add(np.unique(archived[~first]))
    _one_sided(audit, offsets[~np.isin(offsets, archived)], archived[first & ~np.isin(archived, offsets)], excused)
    here = topic.filter(pa.array(np.isin(offsets, archived)))
    there = archive.filter(pa.array(first & np.isin(archived, offsets)))
    same = _same(without_values(here, there.column("bytes_kept")), there)
    audit.differing.add(here.column(0).to_numpy()[~same])
    _agree(audit, here.filter(pa.array(same)))


def _one_sided(audit: PartitionAudit, only_topic: Int64s, only_archive: Int64s, excused: Excused) -> None:
    lost, unknown = _within(only_topic, excused.lost), _within(only_topic, excused.not_compared)
    audit.lost.add(only_topic[lost])
    audit.not_compared.add(only_topic[unknown & ~lost])
    audit.only_topic.add(only_topic[~lost & ~unknown])
    removed = only_archive < excused.topic_from
    if excused.is_compacted:
        removed = np.ones(only_archive.size, np.bool_)
    audit.removed.add(only_archive[removed])
    audit.only_archive.add(only_archive[~removed])


def _within(offsets: Int64s, ranges: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    found = np.zeros(offsets.size, np.bool_)
    for first, last in ranges if offsets.size else ():
        found |= (offsets >= first) & (offsets <= last)
    return found


def _same(topic: pa.RecordBatch, archive: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Which records are equal; both have the same offsets."""
    same = np.ones(topic.num_rows, np.bool_)
    for name in ("timestamp", "key", "value"):
        one, other = topic.column(name), archive.column(name)
        if not one.equals(other):
            equal = pc.equal(one, other).fill_null(False)
            both_null = pc.and_(pc.is_null(one), pc.is_null(other))
            same &= pc.or_(equal, both_null).to_numpy(zero_copy_only=False)
    kinds, told = topic.column("timestamp_type"), archive.column("timestamp_type")
    if not kinds.equals(told):
        same &= pc.equal(kinds, told).fill_null(True).to_numpy(zero_copy_only=False)
    one, other = topic.column("headers"), archive.column("headers")
    if not one.equals(other):
        for index, (mine, theirs) in enumerate(zip(one.to_pylist(), other.to_pylist(), strict=True)):
            same[index] &= (mine or []) == (theirs or [])
    return same


def _agree(audit: PartitionAudit, records: pa.RecordBatch) -> None:
    audit.equal += records.num_rows
    if not records.num_rows:
        return
    parts = digest_parts(records)
    audit.digest.add(parts)
    hours = _hours(records)
    for number in np.unique(hours).tolist():
        mask = hours == number
        count = int(np.count_nonzero(mask))
        hour = audit.hour(number)
        hour.equal += count
        hour.digest.add(parts if count == mask.size else digest_parts(records.filter(pa.array(mask))))


def _count_hours(audit: PartitionAudit, records: pa.RecordBatch, side: str) -> None:
    if not records.num_rows:
        return
    for number, count in zip(*np.unique(_hours(records), return_counts=True), strict=True):
        hour = audit.hour(int(number))
        setattr(hour, side, getattr(hour, side) + int(count))


def _hours(records: pa.RecordBatch) -> Int64s:
    times = records.column("timestamp")
    hours = times.fill_null(0).to_numpy() // HOUR_MS
    return np.where(times.is_null().to_numpy(zero_copy_only=False), UNDATED, hours) if times.null_count else hours
