"""Builds the `_kafka` column, and lists of bad records, from a slice's raw columns. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from streamsink.config.sink import ArchiveValue
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, ENVELOPE_TOMBSTONE, ENVELOPE_VALUE, BadRecord, RawSlice

VALUE_FIELD = pa.field("value", pa.binary())

KEY_STAGE = "KEY_CONVERTER"
VALUE_STAGE = "VALUE_CONVERTER"
PUT_STAGE = "TASK_PUT"


def beside_envelope(name: str) -> str:
    """The column of a field: names that would clash with the envelope get one underscore more."""
    return f"{name}_" if name.rstrip("_") == ENVELOPE else name


def fields_of(rows: pa.RecordBatch, names: Sequence[str]) -> dict[str, pa.Array]:
    """The columns of these fields, by the fields' own names; a field without a column is left out.

    Args:
        rows: Without the envelope. Where they had none, names are as they were.
        names: Of all fields.
    """
    clashing = [name for name in names if name.rstrip("_") == ENVELOPE]
    renamed = any(
        beside_envelope(name) in rows.schema.names and beside_envelope(name) not in names for name in clashing
    )
    columns = {name: beside_envelope(name) if renamed else name for name in names}
    return {name: rows.column(column) for name, column in columns.items() if column in rows.schema.names}


def envelope_fields(archive_value: ArchiveValue) -> list[pa.Field]:
    """The fields of `_kafka`."""
    match archive_value:
        case ArchiveValue.BOTH:
            return [*ENVELOPE_FIELDS, ENVELOPE_VALUE]
        case ArchiveValue.COLUMNS:
            return [*ENVELOPE_FIELDS, ENVELOPE_TOMBSTONE]
    return list(ENVELOPE_FIELDS)


def envelope_of(raw: RawSlice, archive_value: ArchiveValue) -> pa.StructArray:
    """Build `_kafka`: where and when Kafka had each record, its key and headers, and what columns can't hold.

    Args:
        raw: The slice.
        archive_value: Which parts of the value are kept beside its columns.
    """
    fields = envelope_fields(archive_value)
    beside = {
        "partition": pa.array(np.full(raw.rows.num_rows, raw.topic_partition.partition, np.int32)),
        ENVELOPE_TOMBSTONE.name: raw.rows.column("value").is_null(),
    }
    arrays = [beside[field.name] if field.name in beside else raw.rows.column(field.name) for field in fields]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def timestamps_ms(rows: pa.RecordBatch) -> pa.Int64Array:
    """The records' timestamps as milliseconds since the epoch, null where unknown."""
    return rows.column("timestamp").view(pa.int64())


def bad_record(raw: RawSlice, row: int, *, stage: str, error: str) -> BadRecord:
    """Make a bad record of one row, which is kept as it came.

    Args:
        raw: The slice.
        row: The row's index in the slice.
        stage: Where it failed, in Connect's words, as `VALUE_CONVERTER`.
        error: The reason, for an operator.
    """
    rows = raw.rows
    stamp = rows.column("timestamp")[row]
    return BadRecord(
        topic_partition=raw.topic_partition,
        offset=rows.column("offset")[row].as_py(),
        timestamp_ms=stamp.value if stamp.is_valid else None,
        key=rows.column("key")[row].as_py(),
        value=rows.column("value")[row].as_py(),
        headers=tuple((header["key"], header["value"]) for header in rows.column("headers")[row].as_py()),
        stage=stage,
        error=error,
        error_class="DecodeError",
    )
