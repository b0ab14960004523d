"""Decoded columns back into value bytes, for archives that kept no original ones. Pure but for Arrow's compute.

JSON, as Connect's `JsonConverter` without schemas writes it: what a registry's converters made of a record needs their
schema and its id, so that values come back equal in meaning, not in bytes. This is the one place to teach more.
"""

from __future__ import annotations

import functools
import operator

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.encode.json_rows import encode_rows


def encode_values(rows: pa.RecordBatch) -> pa.BinaryArray:
    """One value for each row: a JSON object of its columns, null where all of them are.

    Args:
        rows: The decoded columns, without `_kafka`.
    """
    if not rows.num_columns:
        return pa.nulls(rows.num_rows, pa.binary())
    lines = encode_rows(rows)
    ended = pa.array(lines, pa.binary()) if not isinstance(lines, pa.Array) else lines
    bare = pc.binary_slice(ended, 0, -1)
    # A tombstone is archived as a row of nulls.
    some = functools.reduce(operator.or_, (column.is_valid().to_numpy(zero_copy_only=False) for column in rows.columns))
    return pc.if_else(pa.array(some), bare, pa.scalar(None, pa.binary()))


def encode_scalars(column: pa.Array) -> pa.BinaryArray | None:
    """Keys or values that are plain text or bytes, as their bytes; None where they are neither."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return column.cast(pa.binary())
    return column if pa.types.is_binary(kind) else None
