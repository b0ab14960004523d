"""Arrow columns to Avro's binary encoding in a registered schema, whole columns at a time. Pure: no I/O, no clock.

The inverse of `columns.py`: bytes come back as a serializer writes them plainly (an array is one block, numbers are as
short as they can be). Each function gives the parts of a value, one cell for each place that the places say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.cells import (
    Bytes,
    Int64s,
    Part,
    binary,
    choose,
    fold,
    from_fixed,
    from_lengths,
    join,
    list_lengths,
    numbers,
    plain,
    varint,
)
from streamsink.decode.avro.json_text import write_long
from streamsink.decode.avro.leaves import json_texts_of
from streamsink.decode.avro.types import AvroKind, AvroType

Mask = npt.NDArray[np.bool_]

_DECIMAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class Written:
    """One cell for each row; the cell of a row in `bad` means nothing."""

    cells: pa.BinaryArray
    bad: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Places:
    """The row of each place, and whether the place is written at all: values below a null aren't."""

    rows: Int64s
    alive: Mask
    bad: dict[int, str]

    def fail(self, which: Mask, why: str) -> None:
        for row in self.rows[which & self.alive].tolist():
            self.bad.setdefault(row, why)

    def some(self, alive: Mask) -> _Places:
        return _Places(self.rows, self.alive & alive, self.bad)

    def items(self, counts: Int64s) -> _Places:
        return _Places(np.repeat(self.rows, counts), np.repeat(self.alive, counts), self.bad)


def write_rows(type_: AvroType, array: pa.Array) -> Written:
    """Encode values.

    Args:
        type_: The schema they are written in.
        array: Values in its Arrow type, or in one that Arrow casts to that.

    Raises:
        ArrowInvalid: The array's type isn't the schema's.
    """
    if array.type != (wanted := _loose(type_.arrow)):
        array = array.cast(wanted)
    places = _Places(np.arange(len(array)), np.ones(len(array), np.bool_), {})
    return Written(join(_value(type_, array, places), len(array)), places.bad)


def _loose(type_: pa.DataType) -> pa.DataType:
    """The type with every field nullable: what may be null is looked at value by value."""
    if pa.types.is_struct(type_):
        fields = [type_.field(at) for at in range(type_.num_fields)]
        return pa.struct([pa.field(field.name, _loose(field.type)) for field in fields])
    if pa.types.is_map(type_):
        return pa.map_(type_.key_type, _loose(type_.item_type))
    if pa.types.is_list(type_):
        return pa.list_(pa.field("item", _loose(type_.value_type)))
    return type_


def _value(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    if array.null_count and type_.kind not in {AvroKind.NULL, AvroKind.UNION, AvroKind.JSON}:
        places.fail(_nulls(array), "a value is null where its schema has no null")
    return _WRITERS[type_.kind](type_, array, places)


def _nulls(array: pa.Array) -> Mask:
    found: Mask = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _lengths(cells: pa.BinaryArray) -> pa.BinaryArray:
    return varint(pc.binary_length(cells).to_numpy(zero_copy_only=False))


def _union(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    values = [at for at in range(len(type_.children)) if at != type_.null_branch]
    null = b"" if type_.null_branch is None else write_long(type_.null_branch)
    if not values:
        return [null]
    count = len(array)
    branches = [array] if len(values) == 1 else array.flatten()
    written: pa.BinaryArray | None = None
    chosen = np.zeros(count, np.bool_)
    for at, column in zip(values, branches, strict=True):
        head = write_long(at)
        if not column.null_count:
            return [head, *_value(type_.children[at], column, places)]
        if column.null_count == count:
            continue
        there = ~_nulls(column)
        cells = join([head, *_value(type_.children[at], column, places.some(there))], count)
        written = choose(pa.array(there), cells, null) if written is None else pc.if_else(there, cells, written)
        chosen |= there
    if type_.null_branch is None:
        places.fail(~chosen, "a value is null where its schema has no null")
    return [null] if written is None else [written]


def _record(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    parts: list[Part] = []
    inside = places.some(~_nulls(array)) if array.null_count else places
    if type_.names:
        columns = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        for name, child in zip(type_.names, type_.children, strict=True):
            parts += _value(child, columns[name], inside)
    return parts


def _list(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    array = plain(array)
    counts = list_lengths(array)
    items = array.flatten()
    return _blocks(array, counts, join(_value(type_.children[0], items, places.items(counts)), len(items)))


def _map(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    entries = plain(array)
    counts = list_lengths(entries)
    keys, values = entries.flatten().flatten()
    cells = binary(keys)
    inside = _value(type_.children[0], values, places.items(counts))
    return _blocks(entries, counts, join([_lengths(cells), cells, *inside], len(keys)))


def _blocks(lists: pa.Array, counts: Int64s, items: pa.BinaryArray) -> list[Part]:
    """How many items, the items, zero; an empty one is just the zero."""
    if not counts.any():
        return [b"\0"]
    whole = join([varint(counts), fold(lists, items), b"\0"], len(lists))
    return [choose(pa.array(counts > 0), whole, b"\0")]


def _enum(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    index = pc.index_in(array, value_set=pa.array(type_.symbols, pa.string()))
    if index.null_count:
        places.fail(_nulls(index) & ~_nulls(array), "an enum has no such symbol")
    return [varint(numbers(index, np.int64))]


def _fixed(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    if not pa.types.is_decimal(array.type):
        cells = binary(array.cast(pa.binary()))
        wrong = np.diff(_starts(cells)) != type_.size
        if wrong.any():
            places.fail(wrong & ~_nulls(array), f"a fixed has not {type_.size} bytes")
        return [cells]
    wide = _big_endian(array)
    size = type_.size
    sign = np.where(wide[:, :1] >= 0x80, 0xFF, 0).astype(np.uint8)
    if size >= _DECIMAL_BYTES:
        wide = np.concatenate([np.broadcast_to(sign, (len(wide), size - _DECIMAL_BYTES)), wide], axis=1)
        return [from_fixed(np.ascontiguousarray(wide), size)]
    narrow, rest = wide[:, -size:], wide[:, :-size]
    over = (rest != sign).any(axis=1) | ((narrow[:, :1] >= 0x80) != (sign == 0xFF))[:, 0]
    if over.any():
        places.fail(over & ~_nulls(array), f"a decimal needs more than {size} bytes")
    return [from_fixed(np.ascontiguousarray(narrow), size)]


def _starts(cells: pa.BinaryArray) -> Int64s:
    lengths: Int64s = pc.binary_length(cells).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def _big_endian(array: pa.Array) -> Bytes:
    """Sixteen bytes for each decimal; zeros for null."""
    if array.null_count:
        array = array.fill_null(pa.scalar(Decimal(0), array.type))
    values = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, _DECIMAL_BYTES)
    return values[array.offset : array.offset + len(array), ::-1]


def _decimals(array: pa.Array) -> pa.BinaryArray:
    """Two's complement in as few bytes as hold the number and its sign."""
    if not len(array):
        return pa.array([], pa.binary())
    wide = _big_endian(array)
    sign = np.where(wide[:, :1] >= 0x80, 0xFF, 0).astype(np.uint8)
    differs = wide != sign
    first = np.where(differs.any(axis=1), differs.argmax(axis=1), _DECIMAL_BYTES - 1)
    top = wide[np.arange(len(wide)), first] >= 0x80
    # The sign needs a bit: one byte more where the first byte's highest bit says otherwise.
    first = np.maximum(first - (top != (sign[:, 0] == 0xFF)), 0)
    kept = np.arange(_DECIMAL_BYTES) >= first[:, None]
    return from_lengths(_DECIMAL_BYTES - first, wide[kept])


def _json(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:
    texts = json_texts_of(type_)
    cells: list[bytes] = []
    wrong = np.zeros(len(array), np.bool_)
    why = ""
    for at, text in enumerate(array.to_pylist()):
        try:
            cells.append(texts.write(text) if places.alive[at] else b"")
        except ValueError as error:
            wrong[at], why = True, str(error)
            cells.append(b"")
    if wrong.any():
        places.fail(wrong, f"JSON text can't be written: {why}")
    return [pa.array(cells, pa.binary())]


def _sized(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:  # noqa: ARG001 - one signature for all
    cells = _decimals(array) if pa.types.is_decimal(array.type) else binary(array)
    return [_lengths(cells), cells]


def _boolean(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:  # noqa: ARG001 - one signature for all
    return [from_fixed(numbers(array.cast(pa.uint8()), np.uint8), 1)]


def _float(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:  # noqa: ARG001 - one signature for all
    wide = type_.kind is AvroKind.DOUBLE
    return [from_fixed(numbers(array, "<f8" if wide else "<f4"), 8 if wide else 4)]


def _whole(type_: AvroType, array: pa.Array, places: _Places) -> list[Part]:  # noqa: ARG001 - one signature for all
    bits = pa.int32() if type_.kind is AvroKind.INT else pa.int64()
    return [varint(numbers(array.cast(bits), np.int64))]


_WRITERS: dict[AvroKind, Callable[[AvroType, pa.Array, _Places], list[Part]]] = {
    AvroKind.NULL: lambda _type, _array, _places: [],
    AvroKind.BOOLEAN: _boolean,
    AvroKind.INT: _whole,
    AvroKind.LONG: _whole,
    AvroKind.FLOAT: _float,
    AvroKind.DOUBLE: _float,
    AvroKind.BYTES: _sized,
    AvroKind.STRING: _sized,
    AvroKind.FIXED: _fixed,
    AvroKind.ENUM: _enum,
    AvroKind.ARRAY: _list,
    AvroKind.MAP: _map,
    AvroKind.RECORD: _record,
    AvroKind.UNION: _union,
    AvroKind.JSON: _json,
}
