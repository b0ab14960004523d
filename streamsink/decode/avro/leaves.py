"""Reads Avro's types without members, and those that become JSON text, into Arrow columns. Pure.

Each reader takes a type and a cursor, and gives one value for each of the cursor's records.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.avro.cursor import Bytes, Cursor, Int64s
from streamsink.decode.avro.json_text import JsonTexts
from streamsink.decode.avro.types import AvroKind, AvroType

_DECIMAL_BYTES = 16
_INT32 = np.iinfo(np.int32)


def nulls(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    """Read nulls, which take no bytes.

    Args:
        type_: Not used.
        cursor: The records.
    """
    return pa.nulls(len(cursor))


def booleans(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    """Read booleans: one byte, 0 or 1.

    Args:
        type_: Not used.
        cursor: The records, each before its value.
    """
    values = cursor.data[cursor.forward(1, "a boolean")]
    if (values > 1).any():
        cursor.fail((values > 1) & cursor.good(), "a boolean is neither 0 nor 1")
    return pa.array(values == 1)


def ints(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read varints of 32 bits, dates and times among them.

    Args:
        type_: Its `arrow` type is the column's.
        cursor: The records, each before its value.
    """
    values = cursor.longs()
    wide = (values < _INT32.min) | (values > _INT32.max)
    if wide.any():
        cursor.fail(wide, "an int has more than 32 bits")
    return _as(pa.array(values.astype(np.int32)), type_.arrow)


def longs(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read varints of 64 bits, times among them.

    Args:
        type_: Its `arrow` type is the column's.
        cursor: The records, each before its value.
    """
    return _as(pa.array(cursor.longs()), type_.arrow)


def _as(array: pa.Array, arrow: pa.DataType) -> pa.Array:
    return array if array.type == arrow else array.view(arrow)


def floats(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read floats of four bytes and doubles of eight.

    Args:
        type_: Says which of both.
        cursor: The records, each before its value.
    """
    size = 4 if type_.kind is AvroKind.FLOAT else 8
    words = cursor.words[cursor.forward(size, "a number")]
    return pa.array(words.astype(np.uint32).view(np.float32) if size == 4 else words.view(np.float64))


def byte_strings(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read a length and bytes, decimals among them.

    Args:
        type_: Its `arrow` type is the column's: binary, or a decimal.
        cursor: The records, each before its value.
    """
    starts = cursor.forward(cursor.longs(), "a byte string")
    if pa.types.is_decimal(type_.arrow):
        return _decimals(type_, cursor, starts)
    return cursor.cells(starts, cursor.at)


def strings(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read a length and UTF-8. A record with other bytes is marked as bad.

    Args:
        type_: Its `arrow` type is the column's.
        cursor: The records, each before its value.
    """
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
    """Read as many bytes as the type has, decimals among them.

    Args:
        type_: Has the size, and the column's `arrow` type.
        cursor: The records, each before its value.
    """
    starts = cursor.forward(type_.size, "a fixed")
    if pa.types.is_decimal(type_.arrow):
        return _decimals(type_, cursor, starts, type_.size)
    if not type_.size:
        return pa.array([b""] * len(cursor), pa.binary())
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
    """Read a symbol's number, and give the symbol.

    Args:
        type_: Has the symbols.
        cursor: The records, each before its value.
    """
    index = cursor.longs()
    unknown = (index < 0) | (index >= len(type_.symbols))
    if unknown.any():
        cursor.fail(unknown, "an enum has no such symbol")
        index = np.where(unknown, 0, index)
    symbols = pa.array(type_.symbols or ("",), pa.string())
    return symbols.take(pa.array(index))


@lru_cache(maxsize=256)
def json_texts_of(type_: AvroType) -> JsonTexts:
    """The codec between a recursive type's values and their JSON."""
    return JsonTexts(type_.schema)


def json_texts(type_: AvroType, cursor: Cursor) -> pa.Array:
    """Read values of a recursive type one by one, as JSON text.

    Args:
        type_: The recursive type.
        cursor: The records, each before its value.
    """
    codec = json_texts_of(type_)
    texts: list[str | None] = []
    wrong = np.zeros(len(cursor), np.bool_)
    why = ""
    for row, (start, stop) in enumerate(zip(cursor.at.tolist(), cursor.end.tolist(), strict=True)):
        try:
            text, size = codec.read(cursor.data[start:stop].tobytes())
        except ValueError as error:
            wrong[row], why = True, str(error)
            text, size = (None if type_.nullable else "null"), 0
        texts.append(text)
        cursor.at[row] = start + size
    if wrong.any():
        cursor.fail(wrong, f"a value that holds itself can't be read: {why}")
    return pa.array(texts, pa.string())
