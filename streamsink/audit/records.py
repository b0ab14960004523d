"""Gives a topic's and an archive's records one set of columns, so that both can be compared. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE, HEADERS_TYPE, RawSlice

RECORDS = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.int64()),
        pa.field("timestamp_type", pa.int8()),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS_TYPE),
        pa.field("bytes_kept", pa.bool_(), nullable=False),
    ]
)
"""`timestamp` is milliseconds, its type null where an object doesn't tell it; without `bytes_kept` the value can't be
compared."""


def from_topic(raw: RawSlice) -> pa.RecordBatch:
    """A slice's records."""
    rows = raw.rows
    get = rows.column
    times = get("timestamp").cast(pa.int64())
    return _records(get("offset"), times, get("timestamp_type"), get("key"), get("value"), get("headers"))


def from_archive(rows: pa.RecordBatch) -> pa.RecordBatch | None:
    """An object's rows as records; None where they don't tell their offsets.

    Raises:
        TerminalError: They can't be records.
    """
    if ENVELOPE not in rows.schema.names:
        return None
    envelope = rows.column(rows.schema.get_field_index(ENVELOPE))
    names = {envelope.type.field(index).name for index in range(envelope.type.num_fields)}
    get = pc.struct_field
    value = None
    if "value" in names:
        value = get(envelope, "value")
    elif rows.schema.names == [ENVELOPE, "value"] and pa.types.is_binary(rows.column(1).type):
        value = rows.column(1)
    try:
        times = get(envelope, "timestamp").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
        return _records(
            get(envelope, "offset"),
            times,
            get(envelope, "timestamp_type") if "timestamp_type" in names else pa.nulls(rows.num_rows, pa.int8()),
            get(envelope, "key"),
            value,
            get(envelope, "headers"),
        )
    except pa.ArrowException as error:
        raise TerminalError(f"its rows are no records: {error}") from error


def without_values(records: pa.RecordBatch, kept: pa.BooleanArray) -> pa.RecordBatch:
    """Take away values that the other side doesn't hold byte by byte, so that they aren't compared.

    Args:
        records: Columns of `RECORDS`.
        kept: One entry a row: whether the other side has the value's bytes.
    """
    columns = dict(zip(RECORDS.names, records.columns, strict=True))
    columns["value"] = pc.if_else(kept, columns["value"], pa.scalar(None, pa.binary()))
    columns["bytes_kept"] = kept
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=RECORDS)


def _records(
    offset: pa.Array, timestamp: pa.Array, kind: pa.Array, key: pa.Array, value: pa.Array | None, headers: pa.Array
) -> pa.RecordBatch:
    count = len(offset)
    columns = [
        offset,
        timestamp,
        kind.cast(pa.int8()),
        key.cast(pa.binary()),
        pa.nulls(count, pa.binary()) if value is None else value.cast(pa.binary()),
        headers.cast(HEADERS_TYPE),
        pa.repeat(pa.scalar(value is not None), count),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)
