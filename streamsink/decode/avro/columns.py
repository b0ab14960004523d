"""Avro's binary encoding to Arrow columns, field by field for all records at once. Pure: no I/O, no clock.

Measured beside pyruhvro 0.4, which knows no bytes, fixed, decimal or time, and fails a batch as a whole: see
ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from streamsink.decode.avro import leaves as avro_leaves
from streamsink.decode.avro.cursor import PADDING_BYTES, Bytes, Cursor, Int64s
from streamsink.decode.avro.types import AvroKind, AvroType

EMPTY_ITEMS_MAX = 65_536
"""Items that take no bytes can be claimed in any number: more in one array are taken for damage."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Decoded records. A row in `bad` has a value in each column, which means nothing."""

    array: pa.Array
    bad: dict[int, str]


def padded(data: Bytes) -> Bytes:
    """A copy that may be read past its end."""
    copy = np.empty(len(data) + PADDING_BYTES, np.uint8)
    copy[: len(data)] = data
    copy[len(data) :] = 0
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


_READERS: dict[AvroKind, Callable[[AvroType, Cursor], pa.Array]] = {
    AvroKind.NULL: avro_leaves.nulls,
    AvroKind.BOOLEAN: avro_leaves.booleans,
    AvroKind.INT: avro_leaves.ints,
    AvroKind.LONG: avro_leaves.longs,
    AvroKind.FLOAT: avro_leaves.floats,
    AvroKind.DOUBLE: avro_leaves.floats,
    AvroKind.BYTES: avro_leaves.byte_strings,
    AvroKind.STRING: avro_leaves.strings,
    AvroKind.FIXED: avro_leaves.fixed,
    AvroKind.ENUM: avro_leaves.enums,
    AvroKind.ARRAY: _list,
    AvroKind.MAP: _map,
    AvroKind.RECORD: _record,
    AvroKind.UNION: _union,
    AvroKind.JSON: avro_leaves.json_texts,
}
