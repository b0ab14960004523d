"""Finds the stored objects of a partition from an offset on: by manifest, then by names. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
import structlog

from streamsink.config.sink import Naming
from streamsink.encode.read import open_object, read_footer
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.record import ENVELOPE, TopicPartition
from streamsink.runs import Int64s, Runs
from streamsink.sink.core.stored_ranges import Ranges, StoredRanges
from streamsink.upload.ahead import read_ahead
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import read_manifest
from streamsink.upload.name import names_begin, parse_name
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.siblings import families
from streamsink.upload.sidecar import FOLDER, describe_by_sidecar, read_sidecar

READERS = 8
"""Objects read at once for their description, where the manifest has none."""

log = structlog.get_logger("streamsink.sink")


def read_offsets(store: Store, name: str) -> Int64s:
    """Read the offsets of an object's records, ascending.

    Args:
        store: The archive's.
        name: The object's, relative to the store's root.

    Raises:
        TransientError: It can't be read now.
        TerminalError: Its rows don't tell them, or it is damaged.
    """
    data = store.get(name)
    reader = open_object(name, data, read_sidecar(store, name, hashlib.sha256(data).hexdigest()))
    found: list[Int64s] = []
    for batch in reader.batches([f"{ENVELOPE}.offset"]):
        if ENVELOPE not in batch.schema.names:
            raise TerminalError(
                f"{name} was stored under another layout and does not tell which offsets it holds",
                hint="give the connector another topics.dir, or set its group to where the archive ends",
            )
        found.append(pc.struct_field(batch.column(ENVELOPE), "offset").to_numpy(zero_copy_only=False))
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Look:
    """A task's search for stored objects.

    Args:
        store: The archive's.
        naming: How objects are named.
        layout: The present layout. An object of it covers its lane from its first to its last offset.
        by_lane: Whether a record's lane follows from the record; else each offset counts.
        routed: Whether transforms route records to other topics' folders.
        offsets: Reads an object's offsets.
        complete: Creates the siblings of an object that no manifest knows: its writer may have died before it did.
    """

    store: Store
    naming: Naming
    layout: str
    by_lane: bool = True
    routed: bool = False
    offsets: Callable[[Store, str], Int64s] = field(default=read_offsets)
    complete: Callable[[Store, ObjectDescription], None] | None = None
    gone: dict[TopicPartition, dict[str, int]] = field(default_factory=dict)
    """Objects, with their last offset, that the manifest tells of and that were not there when somebody looked."""

    def find(self, partition: TopicPartition, offset: int) -> StoredRanges:
        """Find the stored ranges of a partition.

        Args:
            partition: The topic partition that the objects' records come from.
            offset: Objects that end below this offset are left out.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read, or an object doesn't say what it holds.
        """
        lanes: dict[str, list[tuple[int, int]]] = {}
        runs: list[Runs] = []
        for about in self.objects(partition, offset):
            if self.by_lane and about.layout == self.layout:
                lanes.setdefault(about.lane, []).append((about.first_offset, about.last_offset))
                continue
            runs.append(self._runs(about))
        gone_last = max(self.gone.get(partition, {}).values(), default=-1)
        by_lane = {lane: Ranges.of(pairs) for lane, pairs in lanes.items()}
        found = StoredRanges(by_lane, _together(runs), gone_last)
        log.info("looked for what is stored", partition=str(partition), offset=offset, stored_until=found.last)
        return found

    def objects(self, partition: TopicPartition, offset: int) -> Iterator[ObjectDescription]:
        """Describe the objects of a partition that reach to an offset or beyond, in no order.

        Args:
            partition: The topic partition that the objects' records come from.
            offset: Objects that end below this offset are left out.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read, or an object doesn't say what it holds.
        """
        known = {
            (entry.name, entry.size_bytes): entry
            for entry in read_manifest(self.store, partition.topic, partition.partition)
        }
        described: list[ObjectDescription] = []
        unknown: list[tuple[ObjectInfo, int]] = []
        for info, start in self._listed(partition):
            entry = known.get((info.name, info.size_bytes))
            if entry is None:
                unknown.append((info, start))
            else:
                described.append(entry)
        there = {one.name for one in described} | {info.name for info, _ in unknown}
        self.gone[partition] = {
            one.name: one.last_offset for one in known.values() if one.last_offset >= offset and one.name not in there
        }
        untold: list[tuple[ObjectInfo, int]] = []
        found = read_ahead(lambda one: self._told(one[0]), unknown, threads=READERS)
        for (info, start), about in zip(unknown, found, strict=True):
            if isinstance(about, ObjectDescription):
                described.append(about)
            elif about is not None:
                untold.append((info, start))
        if untold:
            described += self._told_beside(partition, untold, offset)
        yield from (one for one in described if one.last_offset >= offset)

    def _told_beside(
        self, partition: TopicPartition, untold: list[tuple[ObjectInfo, int]], offset: int
    ) -> Iterator[ObjectDescription]:
        """What sidecars say of objects that say nothing themselves.

        One without a sidecar is another program's, as the sink's whose place this one takes. That sink commits what is
        below its objects first, so that one that begins below the offset ends there too, and is never read.
        """
        sidecars = {info.name.rpartition("/")[2] for info in self.store.list(f"{FOLDER}/")}
        ours = [(info, start) for info, start in untold if f"{info.name.rpartition('/')[2]}.json" in sidecars]
        foreign = [(info, start) for info, start in untold if (info, start) not in ours]
        for info, start in foreign:
            if start >= offset:
                raise TerminalError(
                    f"{info.name} is another program's, and the group has not come to it: it stands at {offset}",
                    hint="the sink that wrote it died before its commit: move the object away, and its records are "
                    "archived again, or set the group behind them",
                )
        if foreign:
            log.info("objects of another program are left alone", partition=str(partition), objects=len(foreign))
        described = read_ahead(lambda one: self._by_sidecar(one[0]), ours, threads=READERS)
        yield from (about for about in described if about is not None)

    def _by_sidecar(self, info: ObjectInfo) -> ObjectDescription | None:
        try:
            return self._completed(describe_by_sidecar(self.store, info))
        except ObjectMissingError:
            return None

    def _listed(self, partition: TopicPartition) -> Iterator[tuple[ObjectInfo, int]]:
        naming = self.naming
        prefix = names_begin(naming, "" if self.routed else partition.topic)
        named = ((info, parse_name(info.name, naming)) for info in self.store.list(prefix))
        ours = (partition.topic, partition.partition)
        of_partition = (
            (info, parsed) for info, parsed in named if parsed is not None and (parsed.topic, parsed.partition) == ours
        )
        yield from ((family.info, family.parsed.start_offset) for family in families(of_partition))

    def _told(self, listed: ObjectInfo) -> ObjectDescription | ObjectInfo | None:
        """An object's description by metadata or footer; the object where neither has one, None where it is gone."""
        info = self.store.head(listed.name)
        if info is None:
            return None
        told = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
        if told is None:
            try:
                footer = read_footer(
                    info.name, info.size_bytes, lambda at, length: self.store.get_range(info.name, at, length)
                )
            except ObjectMissingError:
                return None
            except TerminalError:
                # Names of a template don't say what objects are; their sidecars do.
                footer = {}
            told = ObjectDescription.from_footer(info.name, footer) if footer else None
        return info if told is None else self._completed(told)

    def _completed(self, about: ObjectDescription) -> ObjectDescription:
        if self.complete is not None:
            self.complete(self.store, about)
        return about

    def _runs(self, about: ObjectDescription) -> Runs:
        whole = Runs.without_holes(about.first_offset, about.last_offset, about.record_count)
        return whole or Runs.of(self.offsets(self.store, about.name))


def _together(runs: list[Runs]) -> Ranges:
    if not runs:
        return Ranges()
    first, last = np.concatenate([one.firsts for one in runs]), np.concatenate([one.lasts for one in runs])
    order = np.argsort(first, kind="stable")
    return Ranges.joined(first[order], last[order])
