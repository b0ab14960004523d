"""Holds an archive against the topics it was made of, partition by partition. Changes nothing, prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import repeat, takewhile

import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.archive.losses import read_losses
from streamsink.audit.archived import ArchivedPartition
from streamsink.audit.compare import Excused, PartitionAudit, compare
from streamsink.audit.topic import TopicReader
from streamsink.errors import NothingThereError
from streamsink.replay.find import find_topic
from streamsink.upload.ahead import read_ahead


@dataclass(slots=True)
class Audit:
    """An audit's result, partition by partition."""

    partitions: list[PartitionAudit] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether topic and archive have the same records, as far as they can be compared."""
        return all(partition.same for partition in self.partitions)


def audit_archive(
    archive: Archive,
    properties: Mapping[str, str],
    *,
    topic: str = "",
    partition: int | None = None,
    group: str = "",
    started: Callable[[str, int], None] = lambda _what, _records: None,
    compared: Callable[[int], None] = lambda _records: None,
) -> Audit:
    """Compare every record.

    Args:
        archive: One side.
        properties: How to reach the brokers of the other, in librdkafka's words.
        topic: Only this topic; empty for all archived topics.
        partition: Only the partition of this number; None for all.
        group: Only records that this group has committed: the rest may not be archived yet.
        started: Told of each partition, with the number of records on both sides, about.
        compared: Told how many more were compared.

    Raises:
        NothingThereError: The archive has no such topic.
        TransientError: Store or brokers can't be read now.
        TerminalError: They can't be read.
    """
    topics = [topic] if topic else sorted({entry.parsed.topic for entry in archive.objects()})
    if not topics:
        raise NothingThereError(
            f"there is nothing to audit in {archive.url}", hint="streamsink archive ls shows topics"
        )
    found = Audit()
    for name in topics:
        reader = TopicReader(properties, name)
        try:
            _audit_topic(archive, reader, found, partition=partition, group=group, started=started, compared=compared)
        finally:
            reader.close()
    return found


def _audit_topic(
    archive: Archive,
    reader: TopicReader,
    found: Audit,
    *,
    partition: int | None,
    group: str,
    started: Callable[[str, int], None],
    compared: Callable[[int], None],
) -> None:
    _, candidates = find_topic(archive, reader.topic)
    is_compacted, losses = reader.is_compacted(), read_losses(archive)
    there = set(reader.partitions())
    for number in sorted(there | {one.partition for one in candidates}):
        if partition not in {None, number}:
            continue
        low, high = reader.range(number) if number in there else (0, 0)
        if group and number in there:
            high = min(high, reader.committed(group, number) or 0)
        one = PartitionAudit(reader.topic, number, topic_from=low, topic_until=high)
        found.partitions.append(one)
        archived = ArchivedPartition(archive, [each for each in candidates if each.partition == number], one)
        started(f"{reader.topic}-{number}", max(0, high - low) + archived.record_count)
        excused = Excused(low, is_compacted, losses.ranges(reader.topic, number), archived.not_compared)
        with closing(_ahead(reader.records(number, low, high))) as left, closing(_ahead(archived.records())) as right:
            for count in compare(one, left, right, excused):
                compared(count)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
    """The same batches, read in a thread while those before them are compared."""
    with closing(read_ahead(lambda _: next(batches, None), repeat(None), threads=1)) as read:
        yield from takewhile(lambda batch: batch is not None, read)
