"""Sums up an archive by topic and day. Pure: works on a listing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from streamsink.archive.listing import ListedObject

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNDATED = "unknown"


@dataclass(slots=True)
class Sum:
    """Objects, their records and their bytes."""

    objects: int = 0
    records: int = 0
    size_bytes: int = 0

    def add(self, listed: ListedObject) -> None:
        """Count one object; of one without a description, only the size is known."""
        self.objects += 1
        self.size_bytes += listed.size_bytes
        self.records += listed.description.record_count if listed.description else 0


@dataclass(slots=True)
class TopicSum(Sum):
    """One topic: `days` by date, in UTC, of an object's oldest record."""

    days: dict[str, Sum] = field(default_factory=dict)
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def gaps(self) -> Iterator[tuple[int, int, int]]:
        """Ranges of offsets that no object reaches over, as partition, first and last offset."""
        for partition, spans in sorted(self.spans.items()):
            end: int | None = None
            for first, last in sorted(spans):
                if end is not None and first > end + 1:
                    yield partition, end + 1, first - 1
                end = last if end is None else max(end, last)

    @property
    def offsets_missing(self) -> int:
        """Offsets between a partition's first and last that are in no object: aborted, compacted, or not stored yet."""
        return max(0, sum(last - first + 1 for first, last in self.ranges.values()) - self.records)


def by_day(objects: Iterable[ListedObject]) -> dict[str, TopicSum]:
    """Topics in order of name, their days in order of date."""
    topics: dict[str, TopicSum] = {}
    for listed in objects:
        topic = topics.setdefault(listed.topic, TopicSum())
        topic.add(listed)
        topic.days.setdefault(_day(listed), Sum()).add(listed)
        if (about := listed.description) is not None:
            first, last = topic.ranges.get(listed.partition, (about.first_offset, about.last_offset))
            topic.spans.setdefault(listed.partition, []).append((about.first_offset, about.last_offset))
            topic.ranges[listed.partition] = (min(first, about.first_offset), max(last, about.last_offset))
    for topic in topics.values():
        topic.days = dict(sorted(topic.days.items()))
    return dict(sorted(topics.items()))


def _day(listed: ListedObject) -> str:
    about = listed.description
    if about is None or about.timestamp_min_ms is None:
        return UNDATED
    try:
        return (_EPOCH + timedelta(milliseconds=about.timestamp_min_ms)).strftime("%Y-%m-%d")
    except OverflowError:
        return UNDATED
