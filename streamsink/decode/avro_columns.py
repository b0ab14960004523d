"""Avro's binary encoding to Arrow columns, field by field for all records at once. Pure: no I/O, no clock.

Measured beside pyruhvro 0.4, which knows no bytes, fixed, decimal or time, and fails a batch as a whole: see
ARCHITECTURE.md. fastavro reads only what becomes JSON text.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.avro_cursor import PADDING_BYTES, Bytes, Cursor, Int64s
from streamsink.decode.avro_types import AvroKind, AvroType

EMPTY_ITEMS_MAX = 65_536
"""Items that take no bytes can be claimed in any number: more in one array are taken for damage."""

_DECIMAL_BYTES = 16
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class Columns:
    """What records were decoded to. Rows in `bad` have something in each column, which means nothing."""

    array: pa.Array
    bad: dict[int, str]


def padded(data: Bytes) -> Bytes:
    """A copy that may be read past its end."""
    copy = np.zeros(len(data) + PADDING_BYTES, np.uint8)
    copy[: len(data)] = data
    return copy


def read_columns(type_: AvroType, data: Bytes, starts: Int64s, stops: Int64s) -> Columns:
    """Decode records.

    Args:
        type_: The writer's schema.
        data: Their buffer, `padded`.
        starts: Where each begins; rising.
        stops: Where each ends.
    """
    bad: dict[int, str] = {}
    cursor = Cursor(data, starts.astype(np.int64), stops.astype(np.int64), np.arange(len(starts)), bad)
    array = _read(type_, cursor)
    left = cursor.end - cursor.at
    if left.any():
        for row in cursor.rows[left > 0].tolist():
            bad.setdefault(row, f"it has {int(left[row])} bytes more than its schema says")
    return Columns(array, bad)


def _read(type_: AvroType, cursor: Cursor) -> pa.Array:
    return _READERS[type_.kind](type_, cursor)


def _null(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    return pa.nulls(len(cursor))


def _boolean(type_: AvroType, cursor: Cursor) -> pa.Array:  # noqa: ARG001 - one signature for all readers
    values = cursor.data[cursor.forward(1, "a boolean")]
    if (values > 1).any():
        cursor.fail((values > 1) & cursor.good(), "a boolean is neither 0 nor 1")
    return pa.array(values == 1)


def _int(type_: AvroType, cursor: Cursor) -> pa.Array:
    values = cursor.longs()
    wide = (values < _INT32.min) | (values > _INT32.max)
    if wide.any():
        cursor.fail(wide, "an int has more than 32 bits")
    return _as(pa.array(values.astype(np.int32)), type_.arrow)


def _long(type_: AvroType, cursor: Cursor) -> pa.Array:
    return _as(pa.array(cursor.longs()), type_.arrow)


def _as(array: pa.Array, arrow: pa.DataType) -> pa.Array:
    return array if array.type == arrow else array.view(arrow)


def _float(type_: AvroType, cursor: Cursor) -> pa.Array:
    size = 4 if type_.kind is AvroKind.FLOAT else 8
    words = cursor.words[cursor.forward(size, "a number")]
    return pa.array(words.astype(np.uint32).view(np.float32) if size == 4 else words.view(np.float64))


def _bytes(type_: AvroType, cursor: Cursor) -> pa.Array:
    starts = cursor.forward(cursor.longs(), "a byte string")
    if pa.types.is_decimal(type_.arrow):
        return _decimals(type_, cursor, starts)
    return cursor.cells(starts, cursor.at)


def _string(type_: AvroType, cursor: Cursor) -> pa.Array:
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


def _fixed(type_: AvroType, cursor: Cursor) -> pa.Array:
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


def _enum(type_: AvroType, cursor: Cursor) -> pa.Array:
    index = cursor.longs()
    unknown = (index < 0) | (index >= len(type_.symbols))
    if unknown.any():
        cursor.fail(unknown, "an enum has no such symbol")
        index = np.where(unknown, 0, index)
    symbols = pa.array(type_.symbols or ("",), pa.string())
    return symbols.take(pa.array(index))


def _record(type_: AvroType, cursor: Cursor) -> pa.Array:
    if not type_.children:
        return pa.array([{}] * len(cursor), type_.arrow)
    return pa.StructArray.from_arrays([_read(child, cursor) for child in type_.children], fields=list(type_.fields))


def _union(type_: AvroType, cursor: Cursor) -> pa.Array:
    branch = cursor.longs()
    unknown = (branch < 0) | (branch >= len(type_.children))
    if unknown.any():
        cursor.fail(unknown, "a union has no such branch")
        branch = np.where(unknown, -1, branch)
    values = [at for at in range(len(type_.children)) if at != type_.null_branch]
    columns = [_branch(type_.children[at], cursor, np.flatnonzero(branch == at)) for at in values]
    if not columns:
        return pa.nulls(len(cursor))
    if len(columns) == 1:
        return columns[0]
    null = pa.array((branch == type_.null_branch) | (branch == -1)) if type_.null_branch is not None else None
    return pa.StructArray.from_arrays(columns, fields=list(type_.arrow), mask=null)


def _branch(type_: AvroType, cursor: Cursor, chosen: Int64s) -> pa.Array:
    """One branch's values, null where the record has another."""
    if len(chosen) == len(cursor):
        return _read(type_, cursor)
    if not len(chosen):
        return pa.nulls(len(cursor), type_.arrow)
    some = cursor.take(chosen)
    values = _read(type_, some)
    cursor.put(chosen, some)
    places = np.zeros(len(cursor), np.int64)
    missing = np.ones(len(cursor), np.bool_)
    places[chosen] = np.arange(len(chosen))
    missing[chosen] = False
    return values.take(pa.array(places, mask=missing))


def _list(type_: AvroType, cursor: Cursor) -> pa.Array:
    offsets, items = _blocks(cursor, lambda some: _read(type_.children[0], some), type_.arrow.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=type_.arrow)


def _map(type_: AvroType, cursor: Cursor) -> pa.Array:
    entry = pa.struct([pa.field("key", pa.string(), nullable=False), type_.arrow.item_field])
    key = AvroType(AvroKind.STRING, pa.string())

    def pair(some: Cursor) -> pa.Array:
        keys = _read(key, some)
        return pa.StructArray.from_arrays([keys, _read(type_.children[0], some)], fields=list(entry))

    offsets, pairs = _blocks(cursor, pair, entry)
    keys, values = (pairs.field(0), pairs.field(1))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, values, type=type_.arrow)


def _blocks(cursor: Cursor, read: Callable[[Cursor], pa.Array], arrow: pa.DataType) -> tuple[Any, pa.Array]:
    """Arrays and maps: the first item of every record, then the second of those that have one, and so on."""
    owners: list[Int64s] = []
    found: list[pa.Array] = []
    active = np.arange(len(cursor))
    claimed = 0
    while active.size:
        some = cursor.take(active)
        count = some.longs()
        sized = np.flatnonzero(count < 0)
        if sized.size:
            part = some.take(sized)
            part.longs()
            some.put(sized, part)
            count = np.abs(count)
        room = some.end - some.at
        wrong = (count < 0) | (count > np.maximum(room, EMPTY_ITEMS_MAX))
        if wrong.any():
            some.fail(wrong & some.good(), "an array claims more items than it has bytes")
        left = np.where(some.good(), count, 0)
        again = left > 0
        while True:
            chosen = np.flatnonzero(left > 0)
            if not chosen.size:
                break
            part = some.take(chosen)
            found.append(read(part))
            owners.append(active[chosen])
            some.put(chosen, part)
            left[chosen] = np.where(part.good(), left[chosen] - 1, 0)
            claimed += len(chosen)
        cursor.put(active, some)
        active = active[again & some.good()]
    offsets = np.zeros(len(cursor) + 1, np.int32)
    if not found:
        return offsets, pa.array([], arrow)
    owner = np.concatenate(owners)
    np.cumsum(np.bincount(owner, minlength=len(cursor)), out=offsets[1:])
    items = pa.concat_arrays(found)
    return offsets, items.take(pa.array(np.argsort(owner, kind="stable")))


def _json(type_: AvroType, cursor: Cursor) -> pa.Array:
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


_READERS: dict[AvroKind, Callable[[AvroType, Cursor], pa.Array]] = {
    AvroKind.NULL: _null,
    AvroKind.BOOLEAN: _boolean,
    AvroKind.INT: _int,
    AvroKind.LONG: _long,
    AvroKind.FLOAT: _float,
    AvroKind.DOUBLE: _float,
    AvroKind.BYTES: _bytes,
    AvroKind.STRING: _string,
    AvroKind.FIXED: _fixed,
    AvroKind.ENUM: _enum,
    AvroKind.ARRAY: _list,
    AvroKind.MAP: _map,
    AvroKind.RECORD: _record,
    AvroKind.UNION: _union,
    AvroKind.JSON: _json,
}
