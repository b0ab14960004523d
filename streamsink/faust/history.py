"""Reads the rows of an archive's topic in order, each offset once, for a Faust stream. Decodes no value."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.archive.rows import read_rows
from streamsink.encode.json.rows import encode_rows
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE, JSON_TEXT_METADATA
from streamsink.upload.description import ObjectDescription

VALUE = "value"
REST = "_rest"

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of records. `until_ms` is exclusive; None leaves a side open."""

    topic: str
    since_ms: int | None = None
    until_ms: int | None = None
    partitions: frozenset[int] | None = None

    def may_have(self, about: ObjectDescription) -> bool:
        """Whether an object may have such a record."""
        least, most = about.timestamp_min_ms, about.timestamp_max_ms
        if self.since_ms is not None and most is not None and most < self.since_ms:
            return False
        return self.until_ms is None or least is None or least < self.until_ms

    def has(self, timestamp_ms: int | None) -> bool:
        """Whether a record of this time is one; without a time, only if none is asked for."""
        if timestamp_ms is None:
            return self.since_ms is None and self.until_ms is None
        if self.since_ms is not None and timestamp_ms < self.since_ms:
            return False
        return self.until_ms is None or timestamp_ms < self.until_ms


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One archived record. `is_json` says that the value's bytes were made from columns, not by the topic's codec."""

    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    is_json: bool


def history(archive: Archive, choice: Choice) -> Iterator[HistoryRow]:
    """Read an archive's rows in offset order of each partition, partitions interleaved by time. Blocks while it reads.

    Args:
        archive: An open archive; its store stays open.
        choice: Topic, partitions and window of time.

    Yields:
        The chosen rows. An offset that several objects hold comes once.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: An object is damaged, or doesn't say which offsets it has.
    """
    objects: dict[int, list[tuple[int, ArchivedObject]]] = defaultdict(list)
    for entry in archive.objects(topic=choice.topic):
        partition = entry.parsed.partition
        if choice.partitions is None or partition in choice.partitions:
            about = archive.describe(entry)
            if choice.may_have(about):
                objects[partition].append((about.first_offset, entry))
    parts = [_timed(_in_order(archive, found, choice)) for _, found in sorted(objects.items())]
    for _, row in heapq.merge(*parts, key=_time):
        yield row


def _time(timed: tuple[int, HistoryRow]) -> int:
    return timed[0]


def _timed(rows: Iterator[HistoryRow]) -> Iterator[tuple[int, HistoryRow]]:
    """Each row with the latest time so far: what partitions are interleaved by without changing their own order."""
    latest_ms = 0
    for row in rows:
        latest_ms = max(latest_ms, row.timestamp_ms or 0)
        yield latest_ms, row


def _in_order(archive: Archive, found: list[tuple[int, ArchivedObject]], choice: Choice) -> Iterator[HistoryRow]:
    """One partition's rows by offset, each offset once: objects overlap where lanes do, and after crashes.

    An object is opened when its first offset is reached, so that only objects that overlap are in memory together.
    """
    waiting = sorted(found, key=lambda one: (one[0], one[1].name), reverse=True)
    opened: list[tuple[int, int, HistoryRow, Iterator[HistoryRow]]] = []
    number = 0
    last_offset = -1
    while waiting or opened:
        while waiting and (not opened or waiting[-1][0] <= opened[0][0]):
            rows = _object_rows(archive, waiting.pop()[1])
            first = next(rows, None)
            if first is not None:
                number += 1
                heapq.heappush(opened, (first.offset, number, first, rows))
        if not opened:
            continue
        offset, order, row, rows = opened[0]
        following = next(rows, None)
        if following is None:
            heapq.heappop(opened)
        else:
            heapq.heapreplace(opened, (following.offset, order, following, rows))
        if offset > last_offset and choice.has(row.timestamp_ms):
            yield row
        last_offset = max(last_offset, offset)


def _object_rows(archive: Archive, entry: ArchivedObject) -> Iterator[HistoryRow]:
    for batch in read_rows(archive, entry):
        if ENVELOPE not in batch.schema.names:
            raise TerminalError(
                f"{entry.path} has no {ENVELOPE} column, so its offsets are not known",
                hint="archive with archive.envelope=true; other archives are for `streamsink replay`",
            )
        yield from _batch_rows(batch)


def _batch_rows(batch: pa.RecordBatch) -> Iterator[HistoryRow]:
    envelope = batch.column(ENVELOPE)
    members = {field.name: envelope.field(index) for index, field in enumerate(envelope.type)}
    values, is_json = _values(batch, members)
    times_ms = pc.cast(members["timestamp"], pa.int64()).to_pylist()
    columns = (
        members["partition"].to_pylist(),
        members["offset"].to_pylist(),
        times_ms,
        members["key"].to_pylist(),
        values,
        members["headers"].to_pylist(),
    )
    for partition, offset, time_ms, key, value, headers in zip(*columns, strict=True):
        pairs = tuple((header["key"], header["value"]) for header in headers)
        yield HistoryRow(partition, offset, time_ms, key, value, pairs, is_json)


def _values(batch: pa.RecordBatch, members: Mapping[str, pa.Array]) -> tuple[list[bytes | None], bool]:
    """The values' original bytes where they were kept, else JSON made from the columns."""
    if VALUE in members:
        return members[VALUE].to_pylist(), False
    others = [name for name in batch.schema.names if name != ENVELOPE]
    if others == [VALUE] and pa.types.is_binary(batch.schema.field(VALUE).type):
        return batch.column(VALUE).to_pylist(), False
    rows = batch.select(others)
    texts = [name for name in others if _is_json_text(rows.schema.field(name))]
    return [_from_columns(line, texts) for line in encode_rows(rows).to_pylist()], True


def _is_json_text(field: pa.Field) -> bool:
    metadata = field.metadata or {}
    return all(metadata.get(key.encode()) == value.encode() for key, value in JSON_TEXT_METADATA.items())


def _from_columns(line: bytes, texts: list[str]) -> bytes | None:
    """A row's object without what is null, since a field that was never there is a null in a column too."""
    row = orjson.loads(line)
    for name in texts:
        if row[name] is not None:
            row[name] = orjson.loads(row[name])
    row = _without_nulls(row)
    row.update(row.pop(REST, None) or {})
    return orjson.dumps(row) if row else None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value
