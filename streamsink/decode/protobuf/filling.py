"""Fills fields that may not be null inside absent messages. Pure.

Files keep no value below a null struct, and Arrow takes no null for a field that may not be null, wherever it stands.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types


def filled(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The array with the default of its type in place of each null that a type doesn't allow below the top.

    Args:
        array: Of the same shape as `wanted`.
        wanted: Says which fields may not be null.
    """
    if types.is_struct(wanted) and types.is_struct(array.type):
        if array.type.num_fields != wanted.num_fields or not wanted.num_fields:
            return array
        children = [_child(array.field(at), wanted.field(at)) for at in range(wanted.num_fields)]
        fields = [pa.field(field.name, child.type) for field, child in zip(array.type, children, strict=True)]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)
    if array.offset and array.null_count:
        # Arrow makes no list of an offset and nulls.
        array = array.take(pa.array(np.arange(len(array))))
    if types.is_list(wanted) and types.is_list(array.type):
        items = _child(array.values, wanted.value_field)
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, items, mask=mask)
    if types.is_map(wanted) and types.is_map(array.type):
        values = _child(array.items, wanted.item_field)
        mask = array.is_null() if array.null_count else None
        return pa.MapArray.from_arrays(array.offsets, array.keys, values, mask=mask)
    return array


def _child(child: pa.Array, field: pa.Field) -> pa.Array:
    found = filled(child, field.type)
    if field.nullable or not found.null_count:
        return found
    if types.is_list(found.type):
        return pa.ListArray.from_arrays(found.offsets, found.values)
    if types.is_map(found.type):
        return pa.MapArray.from_arrays(found.offsets, found.keys, found.items)
    if types.is_struct(found.type):
        return found
    return pc.fill_null(found, _default(found.type))


def _default(type_: pa.DataType) -> pa.Scalar:
    plain = "" if types.is_string(type_) or types.is_large_string(type_) else b"" if _is_bytes(type_) else 0
    return pa.scalar(plain, pa.int64()).cast(type_) if plain == 0 else pa.scalar(plain, type_)


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(types.is_binary(type_) or types.is_large_binary(type_))
