"""Reads every object of an archive and says what is wrong with it. Changes nothing, prints nothing."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.archive.tiling import Int64s, Tiling
from streamsink.encode.read import ObjectReader, open_object
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.record import ENVELOPE
from streamsink.upload.description import ObjectDescription

READERS = 2
"""Objects read at once; each is in memory as a whole."""


@dataclass(frozen=True, slots=True)
class CheckedObject:
    """One object: its offsets where its rows tell them, and what is wrong with it, if anything."""

    entry: ArchivedObject
    records: int = 0
    offsets: Int64s | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corrupt:
    """An object that isn't what it should be."""

    name: str
    path: str
    problems: tuple[str, ...]


@dataclass(slots=True)
class VerifiedPartition:
    """One topic partition: what its objects cover together."""

    topic: str
    partition: int
    objects: int = 0
    records: int = 0
    unplaced: int = 0
    """Objects without a record's offset in them: what they cover is in no range, so holes may be theirs."""
    tiling: Tiling = field(default_factory=Tiling)


@dataclass(slots=True)
class Verdict:
    """What was found in a whole archive."""

    objects: int = 0
    records: int = 0
    size_bytes: int = 0
    partitions: list[VerifiedPartition] = field(default_factory=list)
    corrupt: list[Corrupt] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Paths of objects that the manifest knows and the store doesn't have."""

    @property
    def sound(self) -> bool:
        """Whether every object is whole, none is gone, and no offset is stored twice. Holes are none of these."""
        doubled = any(partition.tiling.overlap_count for partition in self.partitions)
        return not (self.corrupt or self.missing or doubled)


def verify_archive(
    archive: Archive,
    *,
    topic: str = "",
    partition: int | None = None,
    started: Callable[[int, int], None] = lambda _objects, _size_bytes: None,
    checked: Callable[[CheckedObject], None] = lambda _checked: None,
) -> Verdict:
    """Verify an archive, or one topic or partition of it.

    Args:
        archive: Which.
        topic: Only this one.
        partition: Only this one.
        started: Told how many objects and bytes there are.
        checked: Told of each object as it was read.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read, or there is nothing to verify.
    """
    entries = list(archive.objects(topic=topic, partition=partition))
    # The order the tiling needs: by topic partition, then by first offset.
    entries.sort(key=lambda entry: (entry.parsed.topic, entry.parsed.partition, entry.parsed.start_offset, entry.name))
    started(len(entries), sum(entry.size_bytes for entry in entries))
    lost = missing_objects(archive, {entry.name for entry in entries}, topic=topic, partition=partition)
    verdict = Verdict(missing=[archive.path(about.name) for about in lost])
    if not entries and not verdict.missing:
        # Nothing is not sound: it is a place or a topic mistyped, or an archive lost.
        raise TerminalError(f"there is nothing to verify in {archive.url}", hint="streamsink archive ls shows topics")
    current: VerifiedPartition | None = None
    for result in _check_all(archive, entries):
        parsed = result.entry.parsed
        if current is None or (current.topic, current.partition) != (parsed.topic, parsed.partition):
            if current is not None:
                current.tiling.finish()
            current = VerifiedPartition(parsed.topic, parsed.partition)
            verdict.partitions.append(current)
        _count(verdict, current, result)
        checked(result)
    if current is not None:
        current.tiling.finish()
    return verdict


def _count(verdict: Verdict, partition: VerifiedPartition, result: CheckedObject) -> None:
    entry = result.entry
    verdict.objects += 1
    verdict.size_bytes += entry.size_bytes
    if result.problems:
        verdict.corrupt.append(Corrupt(entry.name, entry.path, result.problems))
    verdict.records += result.records
    partition.objects += 1
    partition.records += result.records
    if result.offsets is None:
        partition.unplaced += 1
    else:
        partition.tiling.add(entry.path, np.sort(result.offsets))


def missing_objects(
    archive: Archive, present: set[str], *, topic: str = "", partition: int | None = None
) -> list[ObjectDescription]:
    """What the manifest knows and the store doesn't have, by name.

    Args:
        archive: Which.
        present: Names that were listed.
        topic: Only this one.
        partition: Only this one.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    known = {
        entry.name: entry
        for entry in archive.manifest().values()
        if topic in {"", entry.topic} and partition in {None, entry.partition}
    }
    # Listed before, an object may have been stored since.
    return [known[name] for name in sorted(known.keys() - present) if archive.store.head(name) is None]


def _check_all(archive: Archive, entries: Iterable[ArchivedObject]) -> Iterator[CheckedObject]:
    """Results in order, `READERS` objects ahead."""
    with ThreadPoolExecutor(READERS, thread_name_prefix="verify") as pool:
        ahead: deque[Future[CheckedObject]] = deque()
        for entry in entries:
            ahead.append(pool.submit(check_object, archive, entry))
            if len(ahead) >= READERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def check_object(archive: Archive, entry: ArchivedObject) -> CheckedObject:
    """Read one object and compare it with all that is known of it.

    Raises:
        TransientError: It can't be read now.
    """
    try:
        data = archive.store.get(entry.name)
    except ObjectMissingError:
        return CheckedObject(entry, problems=("it was deleted while it was being verified",))
    sha256 = hashlib.sha256(data).hexdigest()
    problems: list[str] = []
    said: list[ObjectDescription] = [] if entry.recorded is None else [entry.recorded]
    try:
        said.append(archive.describe_itself(entry, data))
    except TerminalError as error:
        problems.append(error.message)
    sums = {description.sha256 for description in said if description.sha256}
    if sums - {sha256}:
        problems.append(f"its SHA-256 is {sha256}, and was {', '.join(sorted(sums - {sha256}))} when it was written")
    try:
        # Bytes whose hash is known to be right need no second look: only the offsets are decoded.
        proven = bool(sums) and not sums - {sha256}
        records, offsets = _offsets(
            open_object(entry.name, data, archive.sidecar(entry.name, sha256)), entry, only=proven
        )
    except TerminalError as error:
        return CheckedObject(entry, problems=(*problems, error.message))
    for description in said:
        problems += [text for text in _differences(description, entry, records, offsets) if text not in problems]
    if offsets is None and said and not problems:
        offsets = _without_holes(said[-1])
    return CheckedObject(entry, records, offsets, tuple(problems))


def _without_holes(description: ObjectDescription) -> Int64s | None:
    """The offsets of an object whose rows don't tell them, where its range has no room for holes."""
    first, stop = description.first_offset, description.last_offset + 1
    return np.arange(first, stop, dtype=np.int64) if stop - first == description.record_count else None


def _offsets(reader: ObjectReader, entry: ArchivedObject, *, only: bool) -> tuple[int, Int64s | None]:
    """How many rows there are, and their offsets, None where the rows don't tell them.

    Raises:
        TerminalError: The bytes can't be read, or rows are of another partition.
    """
    schema = reader.schema()
    told = schema is None or ENVELOPE in schema.names
    wanted = [f"{ENVELOPE}.offset", f"{ENVELOPE}.partition"] if only and told else None
    records, found = 0, []
    for batch in reader.batches(wanted):
        records += batch.num_rows
        if ENVELOPE not in batch.schema.names:
            continue
        envelope = batch.column(ENVELOPE)
        _same_partition(pc.struct_field(envelope, "partition"), entry)
        found.append(pc.struct_field(envelope, "offset").to_numpy(zero_copy_only=False))
    return records, np.concatenate(found) if found else None


def _same_partition(partitions: pa.Array, entry: ArchivedObject) -> None:
    if len(partitions) and not pc.all(pc.equal(partitions, entry.parsed.partition)).as_py():
        raise TerminalError(f"{entry.name} has rows of another partition than its name says")


def _differences(
    description: ObjectDescription, entry: ArchivedObject, records: int, offsets: Int64s | None
) -> Iterator[str]:
    """What an object says of itself, compared with its name and its rows."""
    parsed = entry.parsed
    if (description.topic, description.partition) != (parsed.topic, parsed.partition):
        yield f"it says it is of {description.topic}-{description.partition}"
    if description.first_offset != parsed.start_offset:
        yield f"it says its first offset is {description.first_offset}, its name {parsed.start_offset}"
    if description.record_count != records:
        yield f"it has {records} records and says {description.record_count}"
    if offsets is None or not offsets.size:
        return
    if (np.diff(offsets) <= 0).any():
        yield "its offsets don't ascend"
    if int(offsets[0]) != description.first_offset or int(offsets[-1]) != description.last_offset:
        said = f"{description.first_offset}..{description.last_offset}"
        yield f"its records are at {int(offsets[0])}..{int(offsets[-1])} and it says {said}"
