"""Turns an archive's columns into ptars' of plain messages, the way back of `columns.py`. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.protobuf.plain import DURATION, Role, role_of
from streamsink.decode.protobuf.shaping import SECOND_NS, VARIANT, Mask, Rows, Shaping, is_many, time_class

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_PARTS = pa.struct([pa.field("seconds", pa.int64(), nullable=False), pa.field("nanos", pa.int32(), nullable=False)])


def to_plain(message: Descriptor, array: pa.StructArray, shaping: Shaping, rows: Rows) -> pa.StructArray:
    """Turn columns into messages in plain form.

    Args:
        message: The messages' type.
        array: One record a row; fields that it lacks are left out of the messages.
        shaping: Knows which fields differ.
        rows: The rows' numbers; rows that can't be turned are marked as bad.
    """
    if not shaping.differs(message, writing=True):
        return array
    inside = {array.type.field(at).name: at for at in range(array.type.num_fields)}
    arrays: list[pa.Array] = []
    names: list[str] = []
    # Values below a null message mean nothing: some readers leave empty texts there.
    held = array.flatten()
    for one in message.fields:
        if one.name not in inside:
            continue
        beside = one.name + VARIANT
        text = held[inside[beside]] if beside in inside and beside not in message.fields_by_name else None
        arrays.append(_in_field(one, held[inside[one.name]], text, shaping, rows))
        names.append(one.name)
    mask = array.is_null() if array.null_count else None
    fields = [pa.field(name, value.type) for name, value in zip(names, arrays, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=mask)


def _in_field(one: FieldDescriptor, array: pa.Array, text: pa.Array | None, shaping: Shaping, rows: Rows) -> pa.Array:
    role = role_of(one)
    if role is Role.MAP:
        value = one.message_type.fields_by_name["value"]
        items = _in_one(value, array.items, None, shaping, rows.items(array))
        type_ = pa.map_(array.type.key_type, items.type)
        return pa.MapArray.from_arrays(_offsets(array), array.keys, items, type=type_)
    if is_many(one) and role is not Role.SAME:
        items = _in_one(one, array.values, None, shaping, rows.items(array))
        return pa.ListArray.from_arrays(_offsets(array), items, type=pa.list_(pa.field("item", items.type)))
    return _in_one(one, array, text, shaping, rows)


def _offsets(array: pa.Array) -> pa.Array:
    """Of lists or maps, with nulls where those are null."""
    if not array.null_count:
        return array.offsets
    missing = np.append(array.is_null().to_numpy(zero_copy_only=False), False)
    return pa.array(array.offsets.to_numpy(), pa.int32(), mask=missing)


def _in_one(one: FieldDescriptor, array: pa.Array, text: pa.Array | None, shaping: Shaping, rows: Rows) -> pa.Array:
    match role_of(one):
        case Role.MESSAGE:
            return to_plain(one.message_type, array, shaping, rows)
        case Role.WRAPPER:
            kept = array if not array.null_count else array.fill_null(_zero(array.type))
            mask = array.is_null() if array.null_count else None
            return pa.StructArray.from_arrays([kept], fields=[pa.field("value", array.type, nullable=False)], mask=mask)
        case Role.JSON:
            return _in_json(one.message_type, array, shaping, rows)
        case Role.TIME:
            return _in_time(one, array, text, rows)
        case Role.ENUM:
            return _in_enum(one, array, rows)
        case _:
            return array


def _zero(type_: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return pa.scalar("", pa.string()).cast(type_)
    return pa.scalar(False) if pa.types.is_boolean(type_) else pa.scalar(0).cast(type_)


def _in_json(message: Descriptor, array: pa.Array, shaping: Shaping, rows: Rows) -> pa.Array:
    from google.protobuf import json_format  # noqa: PLC0415 - an extra

    made = shaping.message_class(message)
    cells: list[bytes | None] = []
    wrong = np.zeros(len(array), np.bool_)
    why = ""
    for at, text in enumerate(array.to_pylist()):
        cell = None
        if text is not None:
            try:
                cell = json_format.ParseDict(orjson.loads(text), made()).SerializeToString(deterministic=True)
            except (json_format.Error, ValueError, TypeError) as error:
                wrong[at], why, cell = True, str(error), b""
        cells.append(cell)
    if wrong.any():
        rows.fail(wrong, f"JSON text is no {message.full_name}: {why}")
    return pa.array(cells, pa.binary())


def _in_time(one: FieldDescriptor, array: pa.Array, text: pa.Array | None, rows: Rows) -> pa.Array:
    name = one.message_type.full_name
    counts = array.view(pa.int64()).fill_null(0).to_numpy()
    there: Mask = array.is_valid().to_numpy(zero_copy_only=False).copy()
    seconds, nanos = np.divmod(counts, SECOND_NS)
    if name == DURATION:
        below = (seconds < 0) & (nanos > 0)
        seconds, nanos = np.where(below, seconds + 1, seconds), np.where(below, nanos - SECOND_NS, nanos)
    for at in np.flatnonzero(text.is_valid().to_numpy(zero_copy_only=False)).tolist() if text is not None else ():
        assert text is not None, "there is one"
        found = time_class(name)()
        try:
            found.FromJsonString(text[at].as_py())
        except ValueError as error:
            rows.fail(np.arange(len(array)) == at, f"{one.name}{VARIANT} is no {name}: {error}")
        seconds[at], nanos[at], there[at] = found.seconds, found.nanos, True
    arrays = [pa.array(seconds, pa.int64()), pa.array(nanos.astype(np.int32), pa.int32())]
    return pa.StructArray.from_arrays(arrays, fields=list(_PARTS), mask=pa.array(~there))


def _in_enum(one: FieldDescriptor, array: pa.Array, rows: Rows) -> pa.Array:
    """Names as numbers; an unknown number stands as its digits."""
    values = one.enum_type.values
    names = pa.array([value.name for value in values], pa.string())
    index = pc.index_in(array, value_set=names)
    numbers = pa.array([value.number for value in values], pa.int32()).take(index)
    if index.null_count > array.null_count:
        return _with_digits(array, numbers, rows, one)
    return numbers


def _with_digits(array: pa.Array, numbers: pa.Array, rows: Rows, one: FieldDescriptor) -> pa.Array:
    found = numbers.to_pylist()
    wrong = np.zeros(len(array), np.bool_)
    for at, (number, name) in enumerate(zip(found, array.to_pylist(), strict=True)):
        if number is None and name is not None:
            try:
                found[at] = int(name)
            except ValueError:
                wrong[at], found[at] = True, 0
    if wrong.any():
        rows.fail(wrong, f"{one.full_name} has no such name")
    return pa.array(found, pa.int32())
