"""The leaves of Avro's types to Arrow columns: whatever holds no other type, and what becomes JSON text. Pure.

Each reader takes a type and a cursor, and gives one value for each of the cursor's records.
"""

from __future__ import annotations

import io
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.avro_cursor import Bytes, Cursor, Int64s
from streamsink.decode.avro_types import AvroKind, AvroType

_DECIMAL_BYTES = 16
_INT32 = np.iinfo(np.int32)


def nulls(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    """Nothing."""
    return pa.nulls(len(cursor))


def booleans(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    """One byte, 0 or 1."""
    values = cursor.data[cursor.forward(1, "a boolean")]
    if (values > 1).any():
        cursor.fail((values > 1) & cursor.good(), "a boolean is neither 0 nor 1")
    return pa.array(values == 1)


def ints(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Varints of 32 bits, dates and times among them."""
    values = cursor.longs()
    wide = (values < _INT32.min) | (values > _INT32.max)
    if wide.any():
        cursor.fail(wide, "an int has more than 32 bits")
    return _as(pa.array(values.astype(np.int32)), type_.arrow)


def longs(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Varints of 64 bits, times among them."""
    return _as(pa.array(cursor.longs()), type_.arrow)


def _as(array: pa.Array, arrow: pa.DataType) -> pa.Array:
    return array if array.type == arrow else array.view(arrow)


def floats(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Four or eight bytes."""
    size = 4 if type_.kind is AvroKind.FLOAT else 8
    words = cursor.words[cursor.forward(size, "a number")]
    return pa.array(words.astype(np.uint32).view(np.float32) if size == 4 else words.view(np.float64))


def byte_strings(type_: AvroType, cursor: Cursor) -> pa.Array:
    """A length and bytes, decimals among them."""
    starts = cursor.forward(cursor.longs(), "a byte string")
    if pa.types.is_decimal(type_.arrow):
        return _decimals(type_, cursor, starts)
    return cursor.cells(starts, cursor.at)


def strings(type_: AvroType, cursor: Cursor) -> pa.Array:
    """A length and UTF-8."""
    starts = cursor.forward(cursor.longs(), "a string")
    cells = cursor.cells(starts, cursor.at)
    try:
        return cells.cast(type_.arrow)
    except pa.ArrowInvalid:
        texts = [_utf8(cell) for cell in cells.to_pylist()]
        cursor.fail(np.array([text is None for text in texts], np.bool_), "a string is not UTF-8")
        return pa.array([text or "" for text in texts], type_.arrow)


def _utf8(cell: bytes) -> str | None:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None


def fixed(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Bytes of the type's size, decimals among them."""
    starts = cursor.forward(type_.size, "a fixed")
    if pa.types.is_decimal(type_.arrow):
        return _decimals(type_, cursor, starts, type_.size)
    cells = cursor.block(starts, type_.size).reshape(-1)
    return pa.Array.from_buffers(type_.arrow, len(cursor), [None, pa.py_buffer(np.ascontiguousarray(cells))])


def _decimals(type_: AvroType, cursor: Cursor, starts: Int64s, size: int | None = None) -> pa.Array:
    """Big-endian two's complement of any length, into Arrow's sixteen bytes, lowest first."""
    stops = starts + size if size is not None else cursor.at
    lengths = stops - starts
    places = np.arange(_DECIMAL_BYTES)
    last = np.maximum(stops - 1, 0)
    cells = cursor.data[np.maximum(last[:, None] - places, 0)]
    sign = np.where((cursor.data[starts] >= 0x80) & (lengths > 0), 0xFF, 0).astype(np.uint8)
    cells = np.where(places < lengths[:, None], cells, sign[:, None])
    long = np.flatnonzero(lengths > _DECIMAL_BYTES)
    wide = np.zeros(len(cursor), np.bool_)
    for at in long.tolist():
        head = cursor.data[int(starts[at]) : int(stops[at]) - _DECIMAL_BYTES]
        wide[at] = bool((head != sign[at]).any()) or (cells[at, -1] >= 0x80) != (sign[at] == 0xFF)
    array = pa.Array.from_buffers(type_.arrow, len(cursor), [None, pa.py_buffer(np.ascontiguousarray(cells))])
    digits = type_.arrow.precision
    lowest = np.ascontiguousarray(cells[:, 8:]).view(np.int64).reshape(-1)
    if digits < 18 and not wide.any() and not ((lowest != 0) & (lowest != -1)).any():
        value = np.ascontiguousarray(cells[:, :8]).view(np.int64).reshape(-1)
        wide = (value >= 10**digits) | (value <= -(10**digits)) | ((value < 0) != (lowest < 0))
    else:
        whole = pa.Array.from_buffers(pa.decimal128(38, 0), len(cursor), [None, array.buffers()[1]])
        bound = pa.scalar(Decimal(10**digits - 1), pa.decimal128(38, 0))
        fits = pc.less_equal(pc.abs(whole), bound).to_numpy(zero_copy_only=False)
        wide |= ~fits | (_magnitude_of_minimum(cells))
    if wide.any():
        cursor.fail(wide, f"a decimal has more than {digits} digits")
        zero = pa.scalar(Decimal(0), type_.arrow)
        return pc.if_else(pa.array(wide), zero, array)
    return array


def _magnitude_of_minimum(cells: Bytes) -> Any:
    """-2**127, the one number whose magnitude has no place."""
    return (cells[:, -1] == 0x80) & ~cells[:, :-1].any(axis=1)


def enums(type_: AvroType, cursor: Cursor) -> pa.Array:
    """The number of a symbol."""
    index = cursor.longs()
    unknown = (index < 0) | (index >= len(type_.symbols))
    if unknown.any():
        cursor.fail(unknown, "an enum has no such symbol")
        index = np.where(unknown, 0, index)
    symbols = pa.array(type_.symbols or ("",), pa.string())
    return symbols.take(pa.array(index))


def json_texts(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Values that hold themselves, one by one."""
    schema = fastavro.parse_schema(type_.schema)
    texts: list[str | None] = []
    wrong = np.zeros(len(cursor), np.bool_)
    for row, (start, stop) in enumerate(zip(cursor.at.tolist(), cursor.end.tolist(), strict=True)):
        stream = io.BytesIO(cursor.data[start:stop].tobytes())
        try:
            value = fastavro.schemaless_reader(stream, schema, None)
            texts.append(None if value is None else orjson.dumps(value, default=_plain).decode())
        except Exception:  # noqa: BLE001 - fastavro says in many ways that bytes are wrong
            wrong[row] = True
            texts.append(None if type_.nullable else "null")
        cursor.at[row] = start + stream.tell()
    if wrong.any():
        cursor.fail(wrong, "a value that holds itself can't be read")
    return pa.array(texts, pa.string())


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.decode("latin-1")
        case Decimal() | UUID():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")
