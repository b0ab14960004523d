"""Makes records to produce of an object's rows, however they were archived. Pure but for Arrow's compute."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.registry.values import CONVERTER_KEY
from streamsink.encode.protocol import ObjectReader
from streamsink.encode.raw import VALUE
from streamsink.errors import TerminalError, ValueNotKeptError
from streamsink.record import ENVELOPE, ENVELOPE_TOMBSTONE, HEADERS_TYPE, PLAIN_TEXT_METADATA
from streamsink.replay.encode_value import encode_foreign, encode_scalars, encode_values
from streamsink.replay.plan import Selection

RECORDS = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.int64()),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS_TYPE),
    ]
)
"""Columns of records. `timestamp` is milliseconds, null where the broker kept none."""

NO_RECORDS = pa.RecordBatch.from_pylist([], schema=RECORDS)


class Encode(Protocol):
    """Makes values of columns, or passes original ones on."""

    def columns(self, rows: pa.RecordBatch, tombstones: pa.BooleanArray | None = None) -> pa.BinaryArray:
        """Make values of decoded columns.

        Args:
            rows: The decoded columns, without `_kafka`.
            tombstones: True where a row has no value. None where the archive doesn't tell.

        Returns:
            One value a row, null where a row has none.

        Raises:
            ValueNotKeptError: The columns don't tell a value.
        """
        ...

    def originals(self, values: pa.BinaryArray, schema: pa.Schema) -> pa.BinaryArray:
        """Pass on original values, changed where the target needs other schema ids.

        Args:
            values: One a row, null for none.
            schema: The rows' schema. Its metadata name the schemas of the values.

        Returns:
            One value a row.

        Raises:
            ValueNotKeptError: The archive doesn't have their schemas.
        """
        ...


class AsJson:
    """Columns become JSON, original values stay as they are."""

    def columns(self, rows: pa.RecordBatch, tombstones: pa.BooleanArray | None = None) -> pa.BinaryArray:
        """See `Encode.columns`."""
        return encode_values(rows, tombstones)

    def originals(self, values: pa.BinaryArray, schema: pa.Schema) -> pa.BinaryArray:  # noqa: ARG002 - the protocol's shape
        """See `Encode.originals`."""
        return values


AS_JSON = AsJson()


class Kind(Enum):
    """The kinds of rows that an object may hold."""

    RAW = "original bytes"
    BOTH = "original bytes beside columns"
    COLUMNS = "columns"
    FOREIGN = "values of another program"


def kind_of(schema: pa.Schema) -> Kind:
    """Tell the kind of rows by their schema."""
    if ENVELOPE not in schema.names:
        return Kind.FOREIGN
    envelope = schema.field(ENVELOPE).type
    if envelope.get_field_index("value") >= 0:
        return Kind.BOTH
    decoded = CONVERTER_KEY.encode() in (schema.metadata or {})
    if not decoded and schema.names == [ENVELOPE, VALUE]:
        field = schema.field(VALUE)
        if pa.types.is_binary(field.type) or _is_plain_text(field):
            return Kind.RAW
    return Kind.COLUMNS


def _is_plain_text(field: pa.Field) -> bool:
    """Whether a field's strings are whole values, whose bytes are their UTF-8."""
    marks = field.metadata or {}
    return all(marks.get(key.encode()) == mark.encode() for key, mark in PLAIN_TEXT_METADATA.items())


def wanted_columns(schema: pa.Schema | None, selection: Selection) -> list[str] | None:
    """Choose the columns to read. Columns beside original bytes are only read to choose records by them.

    Args:
        schema: The object's schema; None where the format has none.
        selection: Which records.

    Returns:
        The columns' names, or None for all.
    """
    if schema is None or selection.where or kind_of(schema) is not Kind.BOTH:
        return None
    return [ENVELOPE]


def restore(rows: pa.RecordBatch, first_row_offset: int, encode: Encode = AS_JSON) -> pa.RecordBatch:
    """Make records of archived rows.

    Args:
        rows: As they were archived.
        first_row_offset: The first row's offset where rows don't tell; the next ones follow it.
        encode: What makes values of columns.

    Returns:
        One record a row, in the columns of `RECORDS`.

    Raises:
        ValueNotKeptError: Their columns don't tell a value.
        TerminalError: They can't be records.
    """
    kind = kind_of(rows.schema)
    if kind is Kind.FOREIGN:
        return _records(_counted(first_row_offset, rows.num_rows), None, None, _foreign_values(rows), None)
    envelope = rows.column(rows.schema.get_field_index(ENVELOPE))
    get = pc.struct_field
    if kind is Kind.BOTH:
        value = encode.originals(get(envelope, "value"), rows.schema)
    elif kind is Kind.RAW:
        value = encode.originals(rows.column(1).cast(pa.binary()), rows.schema)
    else:
        told = envelope.type.get_field_index(ENVELOPE_TOMBSTONE.name) >= 0
        tombstones = get(envelope, ENVELOPE_TOMBSTONE.name) if told else None
        try:
            value = encode.columns(rows.drop_columns([ENVELOPE]), tombstones)
        except ValueNotKeptError as error:
            if error.row is None:
                raise
            offset = get(envelope, "offset")[error.row].as_py()
            raise ValueNotKeptError(f"offset {offset}: {error.message}", hint=error.hint) from error
    timestamp = get(envelope, "timestamp").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
    headers = get(envelope, "headers")
    return _records(get(envelope, "offset"), timestamp, get(envelope, "key"), value, _none_if_empty(headers))


def chosen(records: pa.RecordBatch, selection: Selection, start_offset: int) -> pa.BooleanArray | None:
    """Find the records that are chosen by offset, time and key. A record without a time is in no window.

    Args:
        records: In the columns of `RECORDS`, in offset order.
        selection: Which records.
        start_offset: Records below it were replayed before.

    Returns:
        One flag for each record, or None where all are chosen.
    """
    masks = []
    low = max(start_offset, selection.from_offset or 0)
    column = records.column
    if low and records.num_rows and column("offset")[0].as_py() < low:
        masks.append(pc.greater_equal(column("offset"), low))
    if selection.until_offset is not None:
        masks.append(pc.less(column("offset"), selection.until_offset))
    if selection.from_ms is not None:
        masks.append(pc.greater_equal(column("timestamp"), selection.from_ms))
    if selection.until_ms is not None:
        masks.append(pc.less(column("timestamp"), selection.until_ms))
    if selection.key is not None:
        masks.append(pc.equal(column("key"), pa.scalar(selection.key, pa.binary())))
    together = None
    for mask in masks:
        together = mask if together is None else pc.and_(together, mask)
    return None if together is None else together.fill_null(False)


class Beside:
    """An object of keys or headers beside one of values, taken as many rows at a time as that one gives.

    Args:
        reader: The object.
        restore: What makes keys or headers of its rows.
    """

    def __init__(self, reader: ObjectReader, restore: Callable[[pa.RecordBatch], pa.Array]) -> None:
        self._batches = reader.batches()
        self._restore = restore
        self._left: list[pa.Array] = []

    def take(self, count: int) -> pa.Array:
        """The next ones.

        Raises:
            TerminalError: There are fewer.
        """
        taken: list[pa.Array] = []
        while count:
            if not self._left:
                rows = next(self._batches, None)
                if rows is None:
                    raise TerminalError(f"the object beside it lacks {count} rows")
                self._left.append(self._restore(rows))
            part = self._left.pop()
            if len(part) > count:
                self._left.append(part.slice(count))
                part = part.slice(0, count)
            count -= len(part)
            taken.append(part)
        return pa.concat_arrays(taken)


def foreign_keys(rows: pa.RecordBatch) -> pa.BinaryArray:
    """Keys of Confluent's layout: alone, or as the one field of a record; structures become JSON."""
    return _foreign_values(rows)


def foreign_headers(rows: pa.RecordBatch) -> pa.Array:
    """Headers of Confluent's layout: lists of key and value, alone or as the field `headers` of a record.

    Raises:
        TerminalError: They are something else.
    """
    column = rows.column(0)
    if pa.types.is_binary(column.type):
        return pa.array([_header_list(text) for text in column.to_pylist()], HEADERS_TYPE)
    found = [
        [(header["key"], _bytes(header.get("value"))) for header in headers or []] for headers in column.to_pylist()
    ]
    return pa.array([[{"key": key, "value": value} for key, value in one] for one in found], HEADERS_TYPE)


def with_beside(records: pa.RecordBatch, keys: pa.Array | None, headers: pa.Array | None) -> pa.RecordBatch:
    """Put in keys and headers from the objects beside the records' own.

    Args:
        records: In the columns of `RECORDS`.
        keys: One for each record; None leaves the records' keys.
        headers: One list for each record; None leaves the records' headers.

    Returns:
        The records, in the same order.
    """
    columns = dict(zip(RECORDS.names, records.columns, strict=True))
    if keys is not None:
        columns["key"] = keys
    if headers is not None:
        columns["headers"] = _none_if_empty(headers) or pa.nulls(len(headers), HEADERS_TYPE)
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=RECORDS)


def _header_list(text: bytes | None) -> list[dict[str, object]]:
    import orjson  # noqa: PLC0415 - rare

    found = orjson.loads(text or b"[]")
    found = found["headers"] if isinstance(found, dict) else found
    return [{"key": header["key"], "value": _bytes(header.get("value"))} for header in found]


def _bytes(value: object) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _foreign_values(rows: pa.RecordBatch) -> pa.Array:
    if rows.num_columns == 1 and (scalars := encode_scalars(rows.column(0))) is not None:
        return scalars
    return encode_foreign(rows)


def _none_if_empty(headers: pa.ListArray) -> pa.ListArray | None:
    return headers if len(headers.flatten()) else None


def _counted(first: int, count: int) -> pa.Int64Array:
    return pa.array(np.arange(first, first + count, dtype=np.int64))


def _records(
    offset: pa.Array, timestamp: pa.Array | None, key: pa.Array | None, value: pa.Array, headers: pa.Array | None
) -> pa.RecordBatch:
    count = len(offset)
    columns = [
        offset,
        pa.nulls(count, pa.int64()) if timestamp is None else timestamp,
        pa.nulls(count, pa.binary()) if key is None else key,
        value,
        pa.nulls(count, HEADERS_TYPE) if headers is None else headers,
    ]
    try:
        return pa.RecordBatch.from_arrays(columns, schema=RECORDS)
    except pa.ArrowException as error:
        raise TerminalError(f"its rows are no records: {error}") from error
