"""Gives an archive's rows as JSON Lines, each partition in offset order. Changes nothing, prints nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pyarrow as pa

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.cells import packed
from streamsink.encode.json.rows import encode_rows
from streamsink.encode.nested import schema_with_leaves
from streamsink.encode.read import open_object
from streamsink.errors import ObjectMissingError

LINES_ROWS_MAX = 10_000
"""Rows turned into text at once."""


def json_lines(
    archive: Archive, *, topic: str = "", partition: int | None = None, limit: int | None = None, text: bool = False
) -> Iterator[bytes]:
    """Lines, some thousands at a time; bytes as base64, or as text where all of a column's are UTF-8.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        topic: Only this topic's objects; empty for all topics.
        partition: Only the objects of this number; None for all partitions.
        limit: How many rows at most.
        text: Show bytes as text where they are.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: An object is damaged.
    """
    entries = list(archive.objects(topic=topic, partition=partition))
    entries.sort(key=lambda entry: (entry.parsed.topic, entry.parsed.partition, entry.parsed.start_offset, entry.name))
    left = limit
    for entry in entries:
        for batch in read_rows(archive, entry):
            if left is not None and left <= 0:
                return
            kept = batch if left is None else batch.slice(0, left)
            left = None if left is None else left - kept.num_rows
            for start in range(0, kept.num_rows, LINES_ROWS_MAX):
                rows = kept.slice(start, LINES_ROWS_MAX)
                yield bytes(packed(encode_rows(as_text(rows) if text else rows)))


def read_rows(archive: Archive, entry: ArchivedObject) -> Iterator[pa.RecordBatch]:
    """Read one object's rows, a row group or block at a time. A deleted object has none.

    Args:
        archive: The archive that holds it.
        entry: The object.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The object is damaged.
    """
    try:
        data = archive.store.get(entry.name)
    except ObjectMissingError:
        return
    yield from open_object(entry.name, data, archive.sidecar(entry.name, hashlib.sha256(data).hexdigest())).batches()


def as_text(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Turn each column of bytes into strings, where all its bytes are UTF-8."""
    columns, fields = [], []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        wanted = schema_with_leaves(pa.schema([field]), _text).field(0)
        try:
            columns.append(column.cast(wanted.type))
            fields.append(wanted)
        except pa.ArrowInvalid:
            columns.append(column)
            fields.append(field)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _text(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_binary(type_) else type_
