"""Turns ptars' columns of plain messages into an archive's columns (`from_columns.py`: back). Pure: no I/O, no clock.

Columns have times where the plain form has seconds and nanoseconds, JSON text where it has bytes of what holds itself,
and names where it has enums. A time outside what Arrow's nanoseconds hold stands as text in a field beside its own,
`<name>__string`, which appears with the first such time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.protobuf.plain import DURATION, TIMESTAMP, Role, role_of
from streamsink.decode.protobuf.shaping import SECOND_NS, VARIANT, Int64s, Mask, Rows, Shaping, is_many, time_class
from streamsink.decode.registry.evolution import VARIANT_METADATA
from streamsink.record import JSON_TEXT_METADATA

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_SECONDS_MAX = 2**63 // SECOND_NS - 1
_VALID_SECONDS = {TIMESTAMP: (-62_135_596_800, 253_402_300_799), DURATION: (-315_576_000_000, 315_576_000_000)}
_ARROW = {TIMESTAMP: pa.timestamp("ns", tz="UTC"), DURATION: pa.duration("ns")}


def to_columns(message: Descriptor, array: pa.StructArray, shaping: Shaping, rows: Rows) -> pa.StructArray:
    """Turn messages in plain form into columns.

    Args:
        message: The messages' type.
        array: One plain message a row.
        shaping: Learns which times need text.
        rows: The rows' numbers; rows that can't be turned are marked as bad.
    """
    return _out_message(message, array, shaping, rows, ())


def _out_message(
    message: Descriptor, array: pa.StructArray, shaping: Shaping, rows: Rows, path: tuple[str, ...]
) -> pa.StructArray:
    if not shaping.differs(message, writing=False):
        return array
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for at in range(array.type.num_fields):
        member = array.type.field(at)
        one = message.fields_by_name[member.name]
        value, text = _out_field(one, array.field(at), shaping, rows, (*path, member.name))
        about = JSON_TEXT_METADATA if role_of(one) is Role.JSON and not is_many(one) else None
        arrays.append(value)
        fields.append(pa.field(member.name, value.type, nullable=member.nullable, metadata=about))
        if text is not None:
            arrays.append(text)
            fields.append(pa.field(member.name + VARIANT, pa.string(), metadata=VARIANT_METADATA))
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=mask)


def _out_field(
    one: FieldDescriptor, array: pa.Array, shaping: Shaping, rows: Rows, path: tuple[str, ...]
) -> tuple[pa.Array, pa.Array | None]:
    role = role_of(one)
    if role is Role.MAP:
        value = one.message_type.fields_by_name["value"]
        items, _ = _out_one(value, array.items, shaping, rows.items(array), None)
        member = array.type.item_field.with_type(items.type)
        type_ = pa.map_(array.type.key_field, member)
        return pa.MapArray.from_arrays(array.offsets, array.keys, items, type=type_), None
    if is_many(one) and role not in {Role.SAME, Role.ENUM}:
        items, _ = _out_one(one, array.values, shaping, rows.items(array), None, path)
        about = JSON_TEXT_METADATA if role is Role.JSON else None
        member = pa.field("item", items.type, nullable=array.type.value_field.nullable, metadata=about)
        return pa.ListArray.from_arrays(array.offsets, items, type=pa.list_(member)), None
    return _out_one(one, array, shaping, rows, path)


def _out_one(
    one: FieldDescriptor,
    array: pa.Array,
    shaping: Shaping,
    rows: Rows,
    path: tuple[str, ...] | None,
    inside: tuple[str, ...] = (),
) -> tuple[pa.Array, pa.Array | None]:
    """One value for each place; `path` is None where no field can stand beside it."""
    match role_of(one):
        case Role.MESSAGE:
            return _out_message(one.message_type, array, shaping, rows, path or (*inside, one.full_name)), None
        case Role.WRAPPER:
            return _out_wrapper(array), None
        case Role.JSON:
            return _out_json(one.message_type, array, shaping, rows), None
        case Role.TIME:
            return _out_time(one, array, shaping, rows, path)
        case _:
            return array, None


def _out_wrapper(array: pa.StructArray) -> pa.Array:
    value = array.field(0)
    return pc.if_else(array.is_valid(), value, pa.scalar(None, value.type)) if array.null_count else value


def _out_json(message: Descriptor, array: pa.Array, shaping: Shaping, rows: Rows) -> pa.Array:
    from google.protobuf import json_format  # noqa: PLC0415 - an extra

    made = shaping.message_class(message)
    texts: list[str | None] = []
    wrong = np.zeros(len(array), np.bool_)
    why = ""
    for at, cell in enumerate(array.to_pylist()):
        text = None
        if cell is not None:
            try:
                text = json_format.MessageToJson(
                    made.FromString(cell), preserving_proto_field_name=True, indent=None, ensure_ascii=False
                )
            except Exception as error:  # noqa: BLE001 - protobuf says in many ways that a message has no JSON
                wrong[at], why, text = True, str(error), "null"
        texts.append(text)
    if wrong.any():
        rows.fail(wrong, f"{message.full_name} has no JSON text: {why}")
    return pa.array(texts, pa.string())


def _out_time(
    one: FieldDescriptor, array: pa.StructArray, shaping: Shaping, rows: Rows, path: tuple[str, ...] | None
) -> tuple[pa.Array, pa.Array | None]:
    name = one.message_type.full_name
    seconds, nanos = array.field(0).to_numpy(), array.field(1).to_numpy().astype(np.int64)
    there: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    invalid = there & ~_valid(name, seconds, nanos)
    if invalid.any():
        rows.fail(invalid, f"{one.full_name} is no {name}: its seconds or nanoseconds are out of range")
    wide = there & ~invalid & ((seconds > _SECONDS_MAX) | (seconds < -_SECONDS_MAX))
    keep = there & ~invalid & ~wide
    value = pa.array(np.where(keep, seconds * SECOND_NS + nanos, 0), pa.int64(), mask=there & wide | ~there)
    value = value.view(_ARROW[name])
    if path is None:
        if wide.any():
            rows.fail(wide, f"{one.full_name} has a time that nanoseconds of 64 bits don't reach")
            value = value.fill_null(pa.scalar(0, pa.int64()).cast(_ARROW[name])) if array.null_count == 0 else value
        return value, None
    if wide.any():
        shaping.texts.add(path)
    if path not in shaping.texts:
        return value, None
    texts = np.full(len(array), None, object)
    for at in np.flatnonzero(wide).tolist():
        texts[at] = time_class(name)(seconds=int(seconds[at]), nanos=int(nanos[at])).ToJsonString()
    return value, pa.array(texts, pa.string())


def _valid(name: str, seconds: Int64s, nanos: Int64s) -> Mask:
    least, most = _VALID_SECONDS[name]
    valid: Mask = (seconds >= least) & (seconds <= most) & (np.abs(nanos) < SECOND_NS)
    if name == TIMESTAMP:
        valid &= nanos >= 0
    else:
        valid &= (seconds == 0) | (nanos == 0) | ((seconds < 0) == (nanos < 0))
    return valid
