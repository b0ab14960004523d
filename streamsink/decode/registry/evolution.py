"""Brings columns of one schema version into those of another. Pure: no I/O, no clock.

As Connect's SchemaProjector: fields by name or alias, numbers only ever to wider ones, a field the old version lacks
gets its default or null, one the new version lacks is left out. Unlike it, a number that the wider type may round does
not fit: a long is no double, and an int no float.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

VARIANT_METADATA = {"streamsink": "variant"}
"""Metadata of a field that has what its neighbour could not hold."""

_WIDER = {
    pa.int8(): {pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()},
    pa.int16(): {pa.int32(), pa.int64(), pa.float32(), pa.float64()},
    pa.int32(): {pa.int64(), pa.float64()},
    pa.float32(): {pa.float64()},
}
"""Types that hold every number of the first one exactly."""
_TEXTS = (pa.string(), pa.binary())


class ProjectionError(ValueError):
    """One version's columns can't become another's."""


def projected(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Bring an array into another version's type.

    Args:
        array: Values of one version.
        wanted: The other version's type.

    Raises:
        ProjectionError: Something doesn't fit; the message names it.
    """
    if array.type.equals(wanted, check_metadata=True):
        return array
    if pa.types.is_struct(wanted) and pa.types.is_struct(array.type):
        return _struct(array, wanted)
    if pa.types.is_list(wanted) and pa.types.is_list(array.type):
        items = projected(array.values, wanted.value_type)
        return pa.ListArray.from_arrays(_offsets(array), items, type=wanted)
    if pa.types.is_map(wanted) and pa.types.is_map(array.type):
        items = projected(array.items, wanted.item_type)
        return pa.MapArray.from_arrays(_offsets(array), array.keys, items, type=wanted)
    return _leaf(array, wanted)


def fits(narrow: pa.DataType, wide: pa.DataType) -> bool:
    """Whether every array of one type can be brought into another.

    Args:
        narrow: The arrays' type.
        wide: The other type.
    """
    try:
        projected(pa.array([], narrow), wide)
    except ProjectionError:
        return False
    return True


def with_variants(wanted: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Add another type's variant fields (`<name>__...`) wherever both types have the field beside them.

    Args:
        wanted: The type.
        other: A type with variants.
    """
    if pa.types.is_struct(wanted) and pa.types.is_struct(other):
        inside = {field.name: field for field in other}
        fields = [
            field.with_type(with_variants(field.type, inside[field.name].type)) if field.name in inside else field
            for field in wanted
        ]
        names = {field.name for field in fields}
        return pa.struct([*fields, *(one for one in other if one.name not in names and _is_variant(one))])
    if pa.types.is_list(wanted) and pa.types.is_list(other):
        item = wanted.value_field
        return pa.list_(item.with_type(with_variants(item.type, other.value_type)))
    if pa.types.is_map(wanted) and pa.types.is_map(other):
        item = wanted.item_field
        return pa.map_(wanted.key_field, item.with_type(with_variants(item.type, other.item_type)))
    return wanted


def _is_variant(field: pa.Field) -> bool:
    return any((field.metadata or {}).get(key.encode()) == value.encode() for key, value in VARIANT_METADATA.items())


def _offsets(array: pa.Array) -> pa.Array:
    """Of lists or maps, with nulls where those are null."""
    if not array.null_count:
        return array.offsets
    missing = [*array.is_null().to_pylist(), False]
    return pa.array(array.offsets.to_pylist(), pa.int32(), mask=pa.array(missing).to_numpy(zero_copy_only=False))


def _leaf(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    type_ = array.type
    if type_ == wanted:
        return array
    if pa.types.is_null(type_):
        return pa.nulls(len(array), wanted)
    if wanted in _WIDER.get(type_, ()) or (type_ in _TEXTS and wanted == pa.binary()):
        return array.cast(wanted, safe=False)
    decimals = pa.types.is_decimal(type_) and pa.types.is_decimal(wanted)
    if decimals and type_.scale == wanted.scale and type_.precision <= wanted.precision:
        return array.cast(wanted)
    raise ProjectionError(f"{type_} does not become {wanted}")


def _struct(array: pa.StructArray, wanted: pa.StructType) -> pa.Array:
    inside = {array.type.field(at).name: at for at in range(array.type.num_fields)}
    members = array.flatten()
    children = []
    for at in range(wanted.num_fields):
        field = wanted.field(at)
        found = next((inside[name] for name in (field.name, *_aliases(field)) if name in inside), None)
        if found is None:
            children.append(_absent(field, len(array)))
            continue
        if array.type.field(found).nullable and not field.nullable:
            raise ProjectionError(f"{field.name} may be null in one version and not in the other")
        children.append(projected(members[found], field.type))
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(wanted), mask=mask)


def _aliases(field: pa.Field) -> list[str]:
    said = (field.metadata or {}).get(b"avro.aliases")
    return [str(alias) for alias in orjson.loads(said)] if said else []


def _absent(field: pa.Field, count: int) -> pa.Array:
    said = (field.metadata or {}).get(b"avro.default")
    value = orjson.loads(said) if said is not None else None
    if value is None:
        if not field.nullable:
            raise ProjectionError(f"{field.name} is required and has no default")
        return pa.nulls(count, field.type)
    try:
        return pa.repeat(_scalar(value, field.type), count)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, ArithmeticError) as error:
        raise ProjectionError(f"the default of {field.name} does not fit it: {error}") from error


def _scalar(value: Any, type_: pa.DataType) -> pa.Scalar:
    """A default as Avro writes it: bytes as text of code points, times as numbers."""
    if pa.types.is_decimal(type_) and isinstance(value, str):
        unscaled = int.from_bytes(value.encode("latin-1"), "big", signed=True)
        return pa.scalar(Decimal(unscaled).scaleb(-type_.scale), type_)
    if (pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_)) and isinstance(value, str):
        return pa.scalar(value.encode("latin-1"), type_)
    if pa.types.is_map(type_) and isinstance(value, dict):
        return pa.scalar(list(value.items()), type_)
    if pa.types.is_temporal(type_):
        bits = pa.int32() if type_.bit_width == 32 else pa.int64()
        return pa.array([value], bits).view(type_)[0]
    return pa.scalar(value, type_)
