"""Looks into one object: its description, its schema, its row groups and its first rows. Changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.cells import packed
from streamsink.config.sink import FormatKind
from streamsink.encode.json.rows import encode_rows
from streamsink.encode.read import open_object
from streamsink.encode.table import format_named
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription

FIRST_ROWS = 5


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group, block or batch of an object; its encoded size where the format tells it."""

    records: int
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One object's content, schema and description."""

    name: str
    path: str
    size_bytes: int
    sha256: str
    footer: dict[str, str]
    description: ObjectDescription | None
    columns: list[tuple[str, str, bool]]
    """Name, Arrow type, and whether it may be null."""
    row_groups: list[RowGroup]
    first_rows: list[str]
    """As JSON."""


def find_object(archive: Archive, name: str) -> ArchivedObject:
    """Find one object by its name.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        name: The object's, relative to the archive or to the store's root; empty for the only object there is.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: There is none of this name, or there are several.
    """
    found = [entry for entry in archive.objects() if name in {"", entry.path, entry.name}]
    if not found:
        raise TerminalError(f"{archive.url} has no object {name}", hint="streamsink archive ls --objects lists them")
    if len(found) > 1:
        raise TerminalError(
            f"{archive.url} has {len(found)} objects; which one?",
            hint="name one after the archive, as ls --objects does",
        )
    return found[0]


def inspect_object(archive: Archive, entry: ArchivedObject) -> Inspection:
    """Read an object and say what is in it. One that nothing describes is read all the same.

    Args:
        archive: The archive that holds it.
        entry: The object.

    Raises:
        ObjectMissingError: It is gone.
        TransientError: It can't be read now.
        TerminalError: It is damaged.
    """
    data = archive.store.get(entry.name)
    sha256 = hashlib.sha256(data).hexdigest()
    reader = open_object(entry.name, data, archive.sidecar(entry.name, sha256))
    batches = reader.batches()
    groups, first = [], None
    for batch in batches:
        groups.append(RowGroup(batch.num_rows))
        first = batch if first is None else first
    schema = reader.schema() or (pa.schema([]) if first is None else first.schema)
    try:
        description = archive.describe(entry)
    except (TerminalError, ObjectMissingError):
        description = None
    return Inspection(
        name=entry.name,
        path=entry.path,
        size_bytes=len(data),
        sha256=sha256,
        footer=reader.footer(),
        description=description,
        columns=[(field.name, str(field.type), field.nullable) for field in schema],
        row_groups=_parquet_groups(data) if format_named(entry.name).kind is FormatKind.PARQUET else groups,
        first_rows=[] if first is None else _lines(first.slice(0, FIRST_ROWS)),
    )


def _parquet_groups(data: bytes) -> list[RowGroup]:
    metadata = pq.read_metadata(pa.BufferReader(data))
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return [
        RowGroup(group.num_rows, sum(group.column(at).total_compressed_size for at in range(group.num_columns)))
        for group in groups
    ]


def _lines(rows: pa.RecordBatch) -> list[str]:
    return bytes(packed(encode_rows(rows))).decode().splitlines()
