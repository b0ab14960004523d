"""Gives a table's rows as slices of a topic partition, from any offset on. Counts and digests what passes by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa

from streamsink.database.digest import RowDigest
from streamsink.database.frames import TableTotals
from streamsink.database.protocol import RowBatch, Snapshot, Table
from streamsink.errors import SnapshotGoneError, TransientError
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, RawSlice, TopicPartition

OPERATION, SNAPSHOT, ID = "op", "source.snapshot", "snapshot.id"
"""Headers of each row: Debezium's words for how it came, and which snapshot it is of."""


class Feed(Protocol):
    """One partition's slices."""

    @property
    def partition(self) -> TopicPartition:
        """The topic partition of the slices."""
        ...

    def slices(self, start: int) -> Iterator[RawSlice]:
        """The slices from an offset on, to the end; the first one begins there. Each call begins anew."""
        ...


class TableFeed:
    """A table of a snapshot.

    Args:
        snapshot: The open view.
        table: One of its tables.
        partition: The table's topic, and the snapshot's number.
        snapshot_id: For the headers.
        at_ms: The records' timestamp: when the snapshot began.
        batch_rows: The most rows that a slice has.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        table: Table,
        partition: TopicPartition,
        *,
        snapshot_id: str,
        at_ms: int,
        batch_rows: int,
    ) -> None:
        self.partition = partition
        self.table = table
        self.totals: TableTotals | None = None
        """What there was, once all rows have passed by."""
        self._snapshot = snapshot
        self._at_ms = at_ms
        self._batch_rows = batch_rows
        self._headers = _headers(snapshot_id, batch_rows)

    def slices(self, start: int) -> Iterator[RawSlice]:
        """See `Feed`. All rows are read, whatever `start` is: the totals count them all."""
        digest = RowDigest(keyed=bool(self.table.key))
        for rows, last in with_last(self._rows()):
            yield from self._slice(rows, digest.rows, start, last=last)
            digest.add(rows.keys, rows.values)
        own = self._snapshot.digest(self.table)
        self.totals = TableTotals(digest.rows, digest.text(), own)

    def _rows(self) -> Iterator[RowBatch]:
        try:
            yield from self._snapshot.rows(self.table, after=None, batch_rows=self._batch_rows)
        except TransientError as error:
            if self._snapshot.point.returns:
                raise
            raise SnapshotGoneError(
                f"the view is gone with its connection: {error.message}", hint="run it again: it starts anew"
            ) from error

    def _slice(self, rows: RowBatch, offset: int, start: int, *, last: bool) -> Iterator[RawSlice]:
        end = offset + len(rows.values)
        if end <= start:
            return
        skipped = max(0, start - offset)
        keys, values = rows.keys.slice(skipped), rows.values.slice(skipped)
        first, count = offset + skipped, len(values)
        middle, final = self._headers
        headers = pa.concat_arrays([middle.slice(0, count - 1), final]) if last else middle.slice(0, count)
        yield RawSlice(self.partition, first, end, record_rows(first, self._at_ms, keys, values, headers))


class RecordsFeed:
    """Some records that are there as a whole: frames."""

    def __init__(self, partition: TopicPartition, at_ms: int, records: list[tuple[bytes, bytes]]) -> None:
        self.partition = partition
        self._at_ms = at_ms
        self._records = records

    def slices(self, start: int) -> Iterator[RawSlice]:
        """See `Feed`."""
        left = self._records[start:]
        if left:
            keys = pa.array([key for key, _ in left], pa.binary())
            values = pa.array([value for _, value in left], pa.binary())
            headers = pa.array([[]] * len(left), HEADERS_TYPE)
            rows = record_rows(start, self._at_ms, keys, values, headers)
            yield RawSlice(self.partition, start, start + len(left), rows)


def with_last(batches: Iterator[RowBatch]) -> Iterator[tuple[RowBatch, bool]]:
    """Each batch, and whether it is the last one."""
    before: RowBatch | None = None
    for batch in batches:
        if before is not None:
            yield before, False
        before = batch
    if before is not None:
        yield before, True


def record_rows(
    offset: int, at_ms: int, keys: pa.BinaryArray, values: pa.BinaryArray, headers: pa.ListArray
) -> pa.RecordBatch:
    """Make rows of a raw slice: records of one time, whose offsets follow one another.

    Args:
        offset: The first record's.
        at_ms: The records' time, Unix time in milliseconds.
        keys: One a record, null for none.
        values: One a record.
        headers: One list a record, null for none.

    Returns:
        The columns of `RAW_SCHEMA`, one row a record.
    """
    count = len(values)
    columns = [
        pa.array(np.arange(offset, offset + count)),
        pa.array(np.full(count, at_ms)).cast(RAW_SCHEMA.field("timestamp").type),
        pa.array(np.zeros(count, np.int8)),
        keys,
        values,
        headers,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)


def _headers(snapshot_id: str, count: int) -> tuple[pa.ListArray, pa.ListArray]:
    """The headers of as many rows as a slice may have, and the headers of a table's last row."""

    def row(mark: str) -> list[dict[str, object]]:
        pairs = ((OPERATION, "r"), (SNAPSHOT, mark), (ID, snapshot_id))
        return [{"key": key, "value": value.encode()} for key, value in pairs]

    one = pa.array([row("true")], HEADERS_TYPE)
    return one.take(pa.array(np.zeros(count, np.int32))), pa.array([row("last")], HEADERS_TYPE)
