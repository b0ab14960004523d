"""Makes a column of one field's values in many BSON documents; names those only the exact reader can place. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from streamsink.decode.bson import positions as at
from streamsink.decode.bson.members import find_members
from streamsink.decode.bson.positions import Data, Int64s, Mask, Values
from streamsink.decode.bson.record import record_of
from streamsink.decode.json.leaves import MOMENT, OCTETS
from streamsink.decode.json.placing import UnfitError, fit
from streamsink.decode.json.shape import Kind, MisfitError, Shape, arrow_type
from streamsink.decode.json.text import DOUBLE_EXACT_MAX

ReadDocuments = Callable[[Int64s, Int64s, Shape], tuple[list[pa.Array], Mask]]
"""Reads documents that lie from here to there: columns by field, and which are in doubt."""

_NUMBERS = {(Kind.INT, at.INT32): "<i4", (Kind.INT, at.INT64): "<i8", (Kind.DOUBLE, at.DOUBLE): "<f8"}
"""Types whose numbers all become the column's without a look at them, and how they are written."""
_UUID_SUBTYPE, _OLD_SUBTYPE = 4, 2


def column(data: Data, values: Values, shape: Shape, read: ReadDocuments) -> tuple[pa.Array, Mask]:
    """Make a column of one field's values.

    Args:
        data: All documents.
        values: The field's type, place and size in each document.
        shape: The field's.
        read: Reads documents inside the values.

    Returns:
        The values in the shape's type, and one entry a row: whether only the exact reader can place the value.
    """
    nulls = (values.types == at.NULL) | (values.types == at.UNDEFINED)
    doubt = nulls.copy() if shape.required else np.zeros(nulls.size, bool)
    if nulls.all():
        return pa.nulls(nulls.size, arrow_type(shape)), doubt
    found = _known(data, values, nulls, shape, read)
    if found is None:
        return _exact(data, values, nulls, shape)
    array, wrong = found
    return array, doubt | (wrong & ~nulls)


def _known(data: Data, values: Values, nulls: Mask, shape: Shape, read: ReadDocuments) -> tuple[pa.Array, Mask] | None:
    """As `column`, in bulk; None where there is no way for such values."""
    found: tuple[pa.Array, Mask] | None = None
    name = "" if shape.leaf is None else shape.leaf.name
    match shape.kind:
        case Kind.INT | Kind.DOUBLE:
            found = _numbers(data, values, nulls, shape.kind)
        case Kind.BOOL:
            found = _bools(data, values, nulls)
        case Kind.STRING:
            found = _strings(data, values, nulls)
        case Kind.LEAF if name == MOMENT:
            found = _moments(data, values, nulls)
        case Kind.LEAF if name == OCTETS:
            found = _octets(data, values)
        case Kind.STRUCT if shape.fields and (nulls | (values.types == at.DOCUMENT)).all():
            found = _structs(values, shape, read)
        case Kind.LIST:
            found = _lists(data, values, nulls, shape, read)
    return found


def _bools(data: Data, values: Values, nulls: Mask) -> tuple[pa.Array, Mask]:
    bits = data.bytes[values.starts]
    wrong = (values.types != at.BOOL) | (bits > 1)
    return pa.array(bits == 1, mask=nulls | wrong), wrong


def _moments(data: Data, values: Values, nulls: Mask) -> tuple[pa.Array, Mask]:
    wrong = values.types != at.DATE
    times = pa.array(np.ascontiguousarray(data.numbers("<i8", values.starts)), pa.int64(), mask=nulls | wrong)
    return times.cast(pa.timestamp("ms", tz="UTC")), wrong


def _numbers(data: Data, values: Values, nulls: Mask, kind: Kind) -> tuple[pa.Array, Mask]:
    types = values.types
    only = at.only_one(types)
    alike = None if only is None else _NUMBERS.get((kind, only))
    if alike is not None:
        numbers = np.ascontiguousarray(data.numbers(alike, values.starts))
        return pa.array(numbers).cast(arrow_type(Shape(kind))), np.zeros(types.size, bool)
    short, long, double = types == at.INT32, types == at.INT64, types == at.DOUBLE
    wrong = ~(short | long | double)
    whole = np.where(short, data.numbers("<i4", values.starts), data.numbers("<i8", values.starts))
    if not double.any() and kind is Kind.INT:
        return pa.array(whole, pa.int64(), mask=nulls | wrong), wrong
    floats = np.where(double, data.numbers("<f8", values.starts).astype(np.float64), 0.0)
    if kind is Kind.INT:
        negative_zero = (floats == 0) & np.signbit(floats)
        exact = (np.abs(floats) < DOUBLE_EXACT_MAX) & (np.floor(floats) == floats) & ~negative_zero
        wrong |= double & ~exact
        whole = np.where(double, np.where(exact, floats, 0.0).astype(np.int64), whole)
        return pa.array(whole, pa.int64(), mask=nulls | wrong), wrong
    wrong |= long & (np.abs(whole) >= DOUBLE_EXACT_MAX)
    return pa.array(np.where(double, floats, whole.astype(np.float64)), pa.float64(), mask=nulls | wrong), wrong


def _strings(data: Data, values: Values, nulls: Mask) -> tuple[pa.Array, Mask] | None:
    types = values.types
    if (nulls | (types == at.STRING)).all():
        # Where a text is none, it is cut out empty and made null.
        ends = np.where(nulls, values.starts, values.starts + values.sizes - 1)
        texts = _cut(data, np.where(nulls, values.starts, values.starts + 4), ends)
        try:
            strings = texts.cast(pa.string())
        except pa.ArrowInvalid:
            return None
        return _without(strings, nulls), np.zeros(nulls.size, bool)
    if (nulls | (types == at.OBJECT_ID)).all():
        digits = data.runs(np.where(nulls, 0, values.starts), 12).tobytes().hex().encode()
        ends = np.arange(0, len(digits) + 1, 24, dtype=np.int32)
        texts = pa.Array.from_buffers(
            pa.string(), nulls.size, [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(digits)]
        )
        return _without(texts, nulls), np.zeros(nulls.size, bool)
    return None


def _octets(data: Data, values: Values) -> tuple[pa.Array, Mask]:
    binary = values.types == at.BINARY
    subtypes = data.bytes[np.where(binary, values.starts + 4, 0)]
    uuid = (subtypes == _UUID_SUBTYPE) & (values.sizes == 5 + 16)
    wrong = ~binary | uuid | (subtypes == _OLD_SUBTYPE)
    starts = np.where(wrong, values.starts, values.starts + 5)
    return _without(_cut(data, starts, np.where(wrong, starts, values.starts + values.sizes)), wrong), wrong


def _structs(values: Values, shape: Shape, read: ReadDocuments) -> tuple[pa.Array, Mask]:
    there = values.types == at.DOCUMENT
    own = values.of(there)
    arrays, inner = read(own.starts, own.starts + own.sizes, shape)
    structs = pa.StructArray.from_arrays(arrays, fields=list(arrow_type(shape)))
    wrong = np.zeros(there.size, bool)
    wrong[there] = inner
    if there.all():
        return structs, wrong
    order = np.cumsum(there) - 1
    return structs.take(pa.array(np.maximum(order, 0), mask=~there)), wrong


def _lists(data: Data, values: Values, nulls: Mask, shape: Shape, read: ReadDocuments) -> tuple[pa.Array, Mask]:
    assert shape.item is not None
    members = find_members(data, values)
    items, doubt = column(data, members.values, shape.item, read)
    wrong = members.wrong.copy()
    wrong[members.arrays[doubt]] = True
    ends = pa.array(np.concatenate([[0], np.cumsum(members.counts)]), pa.int32())
    return pa.ListArray.from_arrays(ends, items, arrow_type(shape), mask=pa.array(nulls | wrong)), wrong


def _exact(data: Data, values: Values, nulls: Mask, shape: Shape) -> tuple[pa.Array, Mask]:
    """As `column`, one value after the other."""
    doubt = nulls.copy() if shape.required else np.zeros(nulls.size, bool)
    cells: list[object] = []
    whole = data.bytes
    for row, (kind, start, size) in enumerate(
        zip(values.types.tolist(), values.starts.tolist(), values.sizes.tolist(), strict=True)
    ):
        cell = None
        if kind not in (at.NULL, at.UNDEFINED):
            head = (size + 8).to_bytes(4, "little") + bytes([kind])
            try:
                cell = fit(shape, record_of(head + b"v\0" + whole[start : start + size].tobytes() + b"\0")["v"])
            except (MisfitError, UnfitError):
                doubt[row] = True
        cells.append(cell)
    return pa.array(cells, arrow_type(shape)), doubt


def _cut(data: Data, starts: Int64s, ends: Int64s) -> pa.BinaryArray:
    """The bytes between these places, which ascend: every second cell of an array of texts and the gaps between."""
    edges = np.empty(2 * starts.size, np.int32)
    edges[0::2], edges[1::2] = starts, ends
    cells = pa.Array.from_buffers(
        pa.binary(), edges.size - 1, [None, pa.py_buffer(edges.tobytes()), pa.py_buffer(data.bytes)]
    )
    return cells.take(pa.array(np.arange(0, edges.size - 1, 2)))


def _without(array: pa.Array, nulls: Mask) -> pa.Array:
    """The array with nulls in these places."""
    if not nulls.any():
        return array
    return array.take(pa.array(np.arange(nulls.size), mask=nulls))
