"""Lists an archive's objects, one by one and summed up. Opens no object that the manifest knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamsink.archive.archive import Archive
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object; where it has no `description`, `problem` tells why."""

    path: str
    size_bytes: int
    topic: str
    partition: int
    encoded_partition: str
    first_offset: int
    description: ObjectDescription | None
    problem: str = ""


@dataclass(slots=True)
class ListedPartition:
    """All objects of one topic, partition and encoded partition. Offsets are inclusive."""

    topic: str
    partition: int
    encoded_partition: str
    objects: int = 0
    records: int = 0
    size_bytes: int = 0
    first_offset: int | None = None
    last_offset: int | None = None
    timestamp_min_ms: int | None = None
    timestamp_max_ms: int | None = None
    unknown: int = 0
    """Objects without a description; only their size is counted."""

    def add(self, listed: ListedObject) -> None:
        """Count one object."""
        self.objects += 1
        self.size_bytes += listed.size_bytes
        about = listed.description
        if about is None:
            self.unknown += 1
            return
        self.records += about.record_count
        self.first_offset = _least(self.first_offset, about.first_offset)
        self.last_offset = _most(self.last_offset, about.last_offset)
        self.timestamp_min_ms = _least(self.timestamp_min_ms, about.timestamp_min_ms)
        self.timestamp_max_ms = _most(self.timestamp_max_ms, about.timestamp_max_ms)


def list_objects(archive: Archive, *, topic: str = "", partition: int | None = None) -> Iterator[ListedObject]:
    """List objects with their descriptions, in name order. One that is deleted meanwhile is left out.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        topic: List this topic's objects only; empty for all topics.
        partition: List the objects of this number only; None for all partitions.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    for entry in archive.objects(topic=topic, partition=partition):
        description, problem = None, ""
        try:
            description = archive.describe(entry)
        except ObjectMissingError:
            continue
        except TerminalError as error:
            problem = error.message
        parsed = entry.parsed
        yield ListedObject(
            path=entry.path,
            size_bytes=entry.size_bytes,
            topic=parsed.topic,
            partition=parsed.partition,
            encoded_partition=parsed.encoded_partition,
            first_offset=parsed.start_offset,
            description=description,
            problem=problem,
        )


def sum_up(objects: Iterable[ListedObject]) -> list[ListedPartition]:
    """Objects summed up by topic, partition and encoded partition, in that order."""
    sums: dict[tuple[str, int, str], ListedPartition] = {}
    for listed in objects:
        key = (listed.topic, listed.partition, listed.encoded_partition)
        sums.setdefault(key, ListedPartition(*key)).add(listed)
    return [sums[key] for key in sorted(sums)]


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _most(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)
