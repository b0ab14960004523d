"""Objects whose `_kafka` is in their sidecar, back into rows. Reads bytes, knows no store."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from streamsink.encode.beside import BESIDE, INNER, TOMBSTONES
from streamsink.encode.footer import own_entries
from streamsink.encode.output.text import TEXT
from streamsink.encode.parquet_read import ParquetReader
from streamsink.encode.protocol import ObjectReader
from streamsink.encode.raw import VALUE
from streamsink.record import ENVELOPE

PARQUET_MAGIC = b"PAR1"


def beside_entries(sidecar: bytes | None) -> Mapping[str, str] | None:
    """The entries of a sidecar that holds its object's `_kafka`; None where it doesn't hold it."""
    if sidecar is None or not sidecar.startswith(PARQUET_MAGIC):
        return None
    entries = ParquetReader(sidecar).metadata.metadata or {}
    if BESIDE.encode() not in entries and TEXT.encode() not in entries:
        return None
    return {key.decode(): value.decode() for key, value in entries.items() if key.startswith((b"beside", b"text."))}


def holds_tombstones(entries: Mapping[str, str]) -> bool:
    """Whether the object holds keys of tombstones, and no values."""
    return entries.get(BESIDE) == TOMBSTONES


def inner_sidecar(entries: Mapping[str, str]) -> bytes | None:
    """The sidecar that the object's format would have had."""
    return base64.b64decode(entries.get(INNER, "")) or None


class BesideReader:
    """One object with its sidecar.

    Args:
        values: Reads the object.
        sidecar: Has `_kafka`.
        enveloped: Whether the value is the column `value` among others.
    """

    def __init__(self, values: ObjectReader, sidecar: bytes, *, enveloped: bool = False) -> None:
        self._values = values
        self._enveloped = enveloped
        self._sidecar = ParquetReader(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours, which both have."""
        return self._values.footer() or own_entries(self._sidecar.metadata.metadata)

    def schema(self) -> pa.Schema | None:
        """`_kafka`, and the columns of the values."""
        values = self._values.schema()
        if values is not None and self._enveloped:
            values = _unwrapped(pa.RecordBatch.from_pylist([], schema=values)).schema
        return None if values is None else _joined(self._sidecar.schema(), values)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows, as the values' format gives them."""
        if columns is not None and all(_of_envelope(name) for name in columns):
            yield from self._sidecar.batches(columns)
            return
        wanted = None if columns is None or self._enveloped else [name for name in columns if not _of_envelope(name)]
        beside = _Rows(self._sidecar.batches())
        for held in self._values.batches(wanted):
            rows = _unwrapped(held) if self._enveloped else held
            envelope = beside.take(rows.num_rows)
            schema = _joined(envelope.schema, rows.schema)
            yield pa.RecordBatch.from_arrays([*envelope.columns, *rows.columns], schema=schema)
        if beside.any_left():
            raise ValueError("its sidecar has more records than it")


class TombstoneReader:
    """One object of tombstones: rows without a value.

    Args:
        entries: How many keys the object has, None where that can't be told; its sidecar must agree.
        sidecar: Has `_kafka`.
    """

    def __init__(self, entries: int | None, sidecar: bytes) -> None:
        self._entries = entries
        self._sidecar = ParquetReader(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours."""
        return own_entries(self._sidecar.metadata.metadata)

    def schema(self) -> pa.Schema:
        """`_kafka` without what only columns need, and `value`."""
        return pa.schema([_plain(self._sidecar.schema().field(ENVELOPE)), pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows; their values are null."""
        schema, count = self.schema(), 0
        for rows in self._sidecar.batches():
            count += rows.num_rows
            column = rows.column(ENVELOPE)
            fields = list(schema.field(ENVELOPE).type)
            envelope = pa.StructArray.from_arrays([column.field(field.name) for field in fields], fields=fields)
            yield pa.RecordBatch.from_arrays([envelope, pa.nulls(rows.num_rows, pa.binary())], schema=schema)
        if self._entries not in {None, count}:
            raise ValueError(f"it has {self._entries} keys, and its sidecar {count} records")


def _unwrapped(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The value's columns out of the column that held them together."""
    column = rows.column(VALUE)
    if not pa.types.is_struct(column.type):
        return pa.RecordBatch.from_arrays([column], schema=pa.schema([rows.schema.field(VALUE)]))
    schema = pa.schema(list(column.type), metadata=rows.schema.metadata)
    if not schema.names:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(column.flatten(), schema=schema)


class _Rows:
    """Batches, taken by so many rows at a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    def take(self, count: int) -> pa.RecordBatch:
        parts: list[pa.RecordBatch] = []
        missing = count
        while missing or not parts:
            rows = self._rest if self._rest is not None else next(self._batches, None)
            if rows is None:
                raise ValueError("its sidecar has fewer records than it")
            parts.append(rows.slice(0, missing))
            self._rest = rows.slice(missing) if rows.num_rows > missing else None
            missing -= parts[-1].num_rows
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)

    def any_left(self) -> bool:
        return self._rest is not None or any(rows.num_rows for rows in self._batches)


def _plain(field: pa.Field) -> pa.Field:
    kept = [member for member in field.type if member.name not in {"tombstone", "value"}]
    return field.with_type(pa.struct(kept))


def _joined(envelope: pa.Schema, values: pa.Schema) -> pa.Schema:
    return pa.schema([*envelope, *values], metadata=values.metadata)


def _of_envelope(column: str) -> bool:
    return column.partition(".")[0] == ENVELOPE
