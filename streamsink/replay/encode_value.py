"""Makes value bytes of columns, for archives that kept no original bytes. Pure but for Arrow's compute.

JSON, as Connect's `JsonConverter` without schemas writes it; what a registry's converters made of a record needs their
schema and its id (`registry_value.py`).
"""

from __future__ import annotations

import functools
import operator

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.encode.json.rows import encode_rows
from streamsink.replay.json_value import json_values


def encode_values(rows: pa.RecordBatch, tombstones: pa.BooleanArray | None = None) -> pa.BinaryArray:
    """Make one value of each row: a JSON object of its columns.

    Args:
        rows: The decoded columns, without `_kafka`.
        tombstones: Which rows have no value. Where it isn't known, those whose columns are all null.
        tombstones: True where a row has no value. None where that isn't known: rows whose columns are all null then
            have none.

    Returns:
        One value a row, null where a row has none.
    """
    if tombstones is not None:
        return pc.if_else(tombstones, pa.scalar(None, pa.binary()), json_values(rows))
    if not rows.num_columns:
        return pa.nulls(rows.num_rows, pa.binary())
    some = functools.reduce(operator.or_, (column.is_valid().to_numpy(zero_copy_only=False) for column in rows.columns))
    return pc.if_else(pa.array(some), json_values(rows), pa.scalar(None, pa.binary()))


def encode_foreign(rows: pa.RecordBatch) -> pa.BinaryArray:
    """One JSON object for each row of another program's columns, with their nulls; null where all of them are."""
    if not rows.num_columns:
        return pa.nulls(rows.num_rows, pa.binary())
    some = functools.reduce(operator.or_, (column.is_valid().to_numpy(zero_copy_only=False) for column in rows.columns))
    return pc.if_else(pa.array(some), _objects(rows), pa.scalar(None, pa.binary()))


def _objects(rows: pa.RecordBatch) -> pa.BinaryArray:
    lines = encode_rows(rows)
    ended = pa.array(lines, pa.binary()) if not isinstance(lines, pa.Array) else lines
    return pc.binary_slice(ended, 0, -1)


def encode_scalars(column: pa.Array) -> pa.BinaryArray | None:
    """Keys or values that are plain text or bytes, as their bytes; None where they are neither."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return column.cast(pa.binary())
    return column if pa.types.is_binary(kind) else None
