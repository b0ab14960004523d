"""Arrow rows as Avro's binary encoding, whole columns at a time. Knows nothing of files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from streamsink.cells import (
    Part,
    binary,
    choose,
    fold,
    from_fixed,
    join,
    list_lengths,
    numbers,
    plain,
    varint,
)
from streamsink.encode.avro.schema import is_bytes, is_copied, is_text, is_union

_NULL, _VALUE = b"\x00", b"\x02"
"""Which branch of `["null", T]` follows, as a zigzag number."""

_DECIMAL_WIDTH = 16


def encode_rows(rows: pa.RecordBatch) -> pa.BinaryArray:
    """One cell for each row: the row as Avro encodes the record of `to_avro`."""
    parts: list[Part] = []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        parts += _field(field, column)
    return join(parts, rows.num_rows)


def _field(field: pa.Field, column: pa.Array) -> list[Part]:
    if types.is_null(field.type):
        return []
    if is_copied(field):
        return [binary(column)]
    if not is_union(field):
        return _value(plain(column))
    if not column.null_count:
        return [_VALUE, *_value(plain(column))]
    if column.null_count == len(column):
        return [_NULL]
    cells = join([_VALUE, *_value(plain(column))], len(column))
    return [choose(column.is_valid(), cells, _NULL)]


def _value(column: pa.Array) -> list[Part]:
    """The parts of a column's values; what stands for a null is cut by the caller, who knows that it is one."""
    type_ = column.type
    if types.is_struct(type_):
        parts: list[Part] = []
        for index, child in enumerate(column.flatten()):
            parts += _field(type_.field(index), child)
        return parts
    if types.is_list(type_):
        return _list(column)
    if is_text(type_) or is_bytes(type_):
        cells = binary(column)
        return [varint(pc.binary_length(cells).to_numpy(zero_copy_only=False)), cells]
    return [_scalar(column)] if not _is_decimal(type_) else _decimal(column)


def _scalar(column: pa.Array) -> pa.BinaryArray:
    type_ = column.type
    if types.is_floating(type_):
        wide = types.is_float64(type_)
        return from_fixed(numbers(column, "<f8" if wide else "<f4"), 8 if wide else 4)
    if types.is_boolean(type_):
        return from_fixed(numbers(column.cast(pa.uint8()), np.uint8), 1)
    return varint(numbers(_whole(column), np.int64))


def _list(column: pa.Array) -> list[Part]:
    """Arrays and maps: how many items, the items, zero; an empty one is just the zero."""
    items = column.flatten()
    counts = list_lengths(column)
    cells = fold(column, join(_field(column.type.value_field, items), len(items)))
    if not counts.any():
        return [b"\x00"]
    return [choose(pa.array(counts > 0), join([varint(counts), cells, b"\x00"], len(column)), b"\x00")]


def _is_decimal(type_: pa.DataType) -> bool:
    return bool(types.is_decimal(type_) or types.is_uint64(type_))


def _decimal(column: pa.Array) -> list[Part]:
    """Sixteen big-endian bytes, or thirty-two where the type is that wide."""
    if types.is_uint64(column.type):
        column = column.cast(pa.decimal128(20, 0))
    elif not (types.is_decimal128(column.type) or types.is_decimal256(column.type)):
        column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    width = 32 if types.is_decimal256(column.type) else _DECIMAL_WIDTH
    values = np.frombuffer(column.buffers()[1], dtype=np.uint8).reshape(-1, width)
    values = values[column.offset : column.offset + len(column), ::-1]
    return [bytes([2 * width]), from_fixed(values, width)]


def _whole(column: pa.Array) -> pa.Array:
    """Times and dates as the numbers Avro counts them in."""
    type_ = column.type
    if types.is_timestamp(type_) and type_.unit == "s":
        return column.cast(pa.timestamp("ms", tz=type_.tz)).cast(pa.int64())
    if types.is_date64(type_):
        return column.cast(pa.date32()).cast(pa.int32())
    if types.is_time32(type_) or types.is_date32(type_):
        return column.cast(pa.time32("ms")).cast(pa.int32()) if types.is_time32(type_) else column.cast(pa.int32())
    if types.is_timestamp(type_) or types.is_duration(type_) or types.is_time64(type_):
        return column.cast(pa.int64())
    return column
