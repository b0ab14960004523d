"""Builds the `_kafka` column, and lists of bad records, from a slice's raw columns. Pure: no I/O, no clock."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.record import ENVELOPE_FIELDS, BadRecord, RawSlice

VALUE_FIELD = pa.field("value", pa.binary())

KEY_STAGE = "KEY_CONVERTER"
VALUE_STAGE = "VALUE_CONVERTER"
PUT_STAGE = "TASK_PUT"


def envelope_of(raw: RawSlice, *, with_value: bool) -> pa.StructArray:
    """What Kafka knows of each record; with its value's bytes where asked for."""
    fields = [*ENVELOPE_FIELDS, VALUE_FIELD] if with_value else list(ENVELOPE_FIELDS)
    partition = pa.array(np.full(raw.rows.num_rows, raw.topic_partition.partition, np.int32))
    arrays = [partition if field.name == "partition" else raw.rows.column(field.name) for field in fields]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def timestamps_ms(rows: pa.RecordBatch) -> pa.Int64Array:
    """The records' timestamps as milliseconds since the epoch, null where unknown."""
    return pc.cast(rows.column("timestamp"), pa.int64())


def bad_record(raw: RawSlice, row: int, *, stage: str, error: str) -> BadRecord:
    """One row of the slice, as it came, with what is wrong with it."""
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
