"""Fits an array of one shape into a wider one, where that changes no value. Pure: no I/O, no clock."""

from __future__ import annotations

import pyarrow as pa

from streamsink.decode.json.shape import Kind, Shape, arrow_type


def fitted(array: pa.Array, narrow: Shape, wide: Shape) -> pa.Array | None:
    """The values in the wider shape's type; None where they would have to be rendered anew.

    Args:
        array: Values of the narrow shape.
        narrow: What `array` was read as.
        wide: A shape that `joined(wide, narrow)` leaves as it is.
    """
    if wide.kind is Kind.TEXT and narrow.kind is Kind.TEXT:
        return array
    if wide.default is not None or wide.kind is Kind.TEXT:
        return None
    wanted = arrow_type(wide)
    if array.null_count == len(array):
        return pa.nulls(len(array), wanted)
    if array.type == wanted:
        return array
    if wide.kind is Kind.STRUCT and narrow.kind is Kind.STRUCT:
        return _fitted_struct(array, narrow, wide, wanted)
    numbers = (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)) and (
        pa.types.is_integer(wanted) or pa.types.is_floating(wanted)
    )
    return array.cast(wanted) if numbers else None


def _fitted_struct(array: pa.StructArray, narrow: Shape, wide: Shape, wanted: pa.DataType) -> pa.Array | None:
    children: list[pa.Array] = []
    inside = dict(zip(narrow.fields, array.flatten(), strict=False))
    for name, child in wide.fields.items():
        member = inside.get(name)
        if member is None:
            here = None if child.default is not None else pa.nulls(len(array), arrow_type(child))
        else:
            here = fitted(member, narrow.fields[name], child)
        if here is None:
            return None
        children.append(here)
    return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
