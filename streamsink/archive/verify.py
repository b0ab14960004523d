"""Reads every object of an archive and reports its faults. Changes nothing, prints nothing."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from threading import Event
from typing import TypeVar

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.archive.check import CheckedObject, ReadObject, check_objects, read_object
from streamsink.archive.losses import Losses, read_losses
from streamsink.archive.tiling import Tiling
from streamsink.errors import TerminalError
from streamsink.upload.ahead import read_ahead
from streamsink.upload.description import ObjectDescription

Item = TypeVar("Item")

READERS = 32
"""Objects read at once: that waits for the store, and a store that is asked in bursts spends less CPU on each."""

CHECKERS = max(2, os.cpu_count() or 1)
"""Chunks checked at once: that needs a core."""

CHUNK_OBJECTS = 64
"""Small objects that one call checks: handing each one over between threads would cost as much as its Python."""

CHUNK_BYTES = 2 * 1024 * 1024

READ_OBJECTS = 4
"""Small objects that a reader reads one after the other, for the same reason; more would make the others wait."""

HELD_BYTES_MAX = 256 * 1024 * 1024
"""Bytes in memory together: half of them read and not yet checked, half being checked. Larger objects go one by one."""

LISTED_MAX = 1000
"""Objects that the manifest lacks: beyond this many they are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an archive to look at."""

    since_ms: int | None = None
    """Only objects with a record of this time or later, and objects whose times are unknown."""
    sample: float = 1.0
    """So large a part of the objects, chosen at random."""
    seed: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.since_ms is None and self.sample >= 1.0

    def choose(self, entries: list[ArchivedObject]) -> list[ArchivedObject]:
        """The objects to look at, in their order; at least one where there is one."""
        since = self.since_ms
        late = entries if since is None else [entry for entry in entries if _reaches(entry.recorded, since)]
        if self.sample >= 1.0 or not late:
            return late
        count = max(1, math.ceil(len(late) * self.sample))
        chosen = random.Random(self.seed).sample(range(len(late)), count)  # noqa: S311 - a sample, no secret
        return [late[index] for index in sorted(chosen)]


@dataclass(frozen=True, slots=True)
class Corrupt:
    """An object with problems."""

    name: str
    path: str
    problems: tuple[str, ...]


@dataclass(slots=True)
class VerifiedPartition:
    """One topic partition and the offsets that its objects cover."""

    topic: str
    partition: int
    objects: int = 0
    records: int = 0
    unplaced: int = 0
    """Objects whose rows have no offsets: their records are in no range, so holes may be theirs."""
    tiling: Tiling = field(default_factory=Tiling)


@dataclass(slots=True)
class Verdict:
    """The result of verifying an archive, or a part of it."""

    objects: int = 0
    records: int = 0
    size_bytes: int = 0
    partitions: list[VerifiedPartition] = field(default_factory=list)
    corrupt: list[Corrupt] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Paths of objects that the manifest knows and the store doesn't have."""
    unrecorded: list[str] = field(default_factory=list)
    """Paths of objects that the manifest doesn't know, `LISTED_MAX` at most; `unrecorded_count` are all."""
    unrecorded_count: int = 0
    manifest_damaged: list[tuple[str, str]] = field(default_factory=list)
    """Files of the manifest that were changed, with the fault."""
    lost: list[str] = field(default_factory=list)
    """Paths of objects whose loss `reindex --accept` recorded."""
    objects_there: int = 0
    """Objects of the archive, looked at or not."""
    part: Part = field(default_factory=Part)

    @property
    def sound(self) -> bool:
        """Whether all objects that were read are whole, none is gone, and no offset is stored twice. Holes are allowed.

        Objects that the manifest lacks are no damage: a worker's last ones, or a manifest that was lost.
        """
        doubled = any(partition.tiling.overlap_count for partition in self.partitions)
        return not (self.corrupt or self.missing or self.manifest_damaged or doubled)


def verify_archive(
    archive: Archive,
    *,
    topic: str = "",
    partition: int | None = None,
    part: Part | None = None,
    started: Callable[[int, int], None] = lambda _objects, _size_bytes: None,
    checked: Callable[[CheckedObject], None] = lambda _checked: None,
) -> Verdict:
    """Verify an archive, or one topic or partition of it.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        topic: Only this topic's objects; empty for all topics.
        partition: Only the objects of this number; None for all partitions.
        part: Objects to look at; all by default. Holes and overlaps are looked for only among all.
        started: Told how many objects and bytes there are.
        checked: Told of each object as it was read.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read, or there is nothing to verify.
    """
    part = part or Part()
    entries = list(archive.objects(topic=topic, partition=partition))
    # The order the tiling needs: by topic partition, then by first offset.
    entries.sort(key=lambda entry: (entry.parsed.topic, entry.parsed.partition, entry.parsed.start_offset, entry.name))
    losses = read_losses(archive)
    lost = missing_objects(archive, {entry.name for entry in entries}, topic=topic, partition=partition)
    verdict = _overview(archive, entries, losses, part)
    verdict.missing = [archive.path(about.name) for about in lost]
    if not entries and not verdict.missing and not verdict.manifest_damaged:
        # Nothing is not sound: it is a place or a topic mistyped, or an archive lost.
        raise TerminalError(f"there is nothing to verify in {archive.url}", hint="streamsink archive ls shows topics")
    chosen = part.choose(entries)
    started(len(chosen), sum(entry.size_bytes for entry in chosen))
    current: VerifiedPartition | None = None
    for result in check_all(archive, chosen):
        parsed = result.entry.parsed
        if current is None or (current.topic, current.partition) != (parsed.topic, parsed.partition):
            if current is not None:
                current.tiling.finish()
            current = VerifiedPartition(parsed.topic, parsed.partition)
            verdict.partitions.append(current)
        _count(verdict, current, result, losses)
        checked(result)
    if current is not None:
        current.tiling.finish()
    return verdict


def check_all(archive: Archive, entries: list[ArchivedObject], *, md5: bool = False) -> Iterator[CheckedObject]:
    """Check objects in order, several read ahead of those that are checked.

    Reading waits for the store and checking for a core, so each has threads of its own.

    Args:
        archive: The archive that holds them.
        entries: The objects.
        md5: Whether the descriptions are to have the MD5 of the bytes.

    Raises:
        TransientError: An object can't be read, again and again.
        TerminalError: The store refuses.
    """
    ended = Event()

    def read_some(some: list[ArchivedObject]) -> list[ReadObject]:
        return [read_object(archive, entry) for entry in some if not ended.is_set()]

    def check(chunk: list[ReadObject]) -> list[CheckedObject]:
        return [] if ended.is_set() else check_objects(archive, chunk, md5=md5)

    read = read_ahead(
        read_some,
        _together(entries, lambda entry: entry.size_bytes, min(READ_OBJECTS, 1 + len(entries) // (4 * READERS))),
        threads=READERS,
        size_bytes=lambda some: sum(entry.size_bytes for entry in some),
        bytes_max=HELD_BYTES_MAX // 2,
    )
    checked = read_ahead(
        check,
        _together(
            chain.from_iterable(read),
            lambda found: found.entry.size_bytes,
            min(CHUNK_OBJECTS, 1 + len(entries) // (4 * CHECKERS)),
        ),
        threads=CHECKERS,
        size_bytes=lambda chunk: sum(found.entry.size_bytes for found in chunk),
        bytes_max=HELD_BYTES_MAX // 2,
        ended=ended,
    )
    with closing(read), closing(checked):
        for chunk in checked:
            yield from chunk


def _together(items: Iterable[Item], size_bytes: Callable[[Item], int], count_max: int) -> Iterator[list[Item]]:
    """Neighbours that are small together. A caller gives a small count for few items, so that each thread has some."""
    some: list[Item] = []
    held = 0
    for item in items:
        size = size_bytes(item)
        if some and (len(some) >= count_max or held + size > CHUNK_BYTES):
            yield some
            some, held = [], 0
        some.append(item)
        held += size
    if some:
        yield some


def _overview(archive: Archive, entries: list[ArchivedObject], losses: Losses, part: Part) -> Verdict:
    """What listing and manifest tell before any object is read."""
    manifest = archive.manifest()
    present = {entry.name for entry in entries}
    lost = (losses.gone - present) | (losses.damaged.keys() & present)
    unrecorded = [entry for entry in entries if not manifest.of(entry.name) and entry.name not in losses.damaged]
    return Verdict(
        unrecorded=[entry.path for entry in unrecorded[:LISTED_MAX]],
        unrecorded_count=len(unrecorded),
        manifest_damaged=[(file.name, file.problem) for file in manifest.damaged],
        lost=[archive.path(name) for name in sorted(lost)],
        objects_there=len(entries),
        part=part,
    )


def _count(verdict: Verdict, partition: VerifiedPartition, result: CheckedObject, losses: Losses) -> None:
    entry = result.entry
    verdict.objects += 1
    verdict.size_bytes += entry.size_bytes
    if result.problems and losses.damaged.get(entry.name) == result.sha256:
        # Known to be lost: what is left of it is in no range.
        partition.objects += 1
        return
    if result.problems:
        verdict.corrupt.append(Corrupt(entry.name, entry.path, result.problems))
    verdict.records += result.records
    partition.objects += 1
    partition.records += result.records
    if result.runs is None:
        partition.unplaced += 1
    elif verdict.part.is_whole:
        partition.tiling.add(entry.path, result.runs)


def _reaches(about: ObjectDescription | None, since_ms: int) -> bool:
    return about is None or about.timestamp_max_ms is None or about.timestamp_max_ms >= since_ms


def missing_objects(
    archive: Archive, present: set[str], *, topic: str = "", partition: int | None = None
) -> list[ObjectDescription]:
    """List objects that the manifest has and the store has not, by name.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        present: Names that were listed.
        topic: Only this topic's objects; empty for all topics.
        partition: Only the objects of this number; None for all partitions.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    known = {
        entry.name: entry
        for entry in archive.manifest().entries()
        if topic in {"", entry.topic} and partition in {None, entry.partition}
    }
    # Listed before, an object may have been stored since.
    return [known[name] for name in sorted(known.keys() - present) if archive.store.head(name) is None]
