"""Brings rows of differing types together: nothing is lost, what clashes becomes JSON text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from streamsink.transform.rows import Datum, Member, Rows, field_of, is_text, struct_of
from streamsink.transform.texts import json_texts

VALUE = "value"
"""The field of a value that has none, where others have some."""


class InexactError(ValueError):
    """Whole numbers that no double holds."""


def united(one: pa.Field, other: pa.Field) -> pa.Field:
    """The narrowest field that holds what either holds; `one` itself if it does already."""
    if one.type.equals(other.type, check_metadata=True) and is_text(one) == is_text(other):
        return one
    if pa.types.is_null(other.type) or is_text(one):
        return one
    kind = other.type if pa.types.is_null(one.type) else _united_types(one.type, other.type)
    return field_of(one.name, kind or pa.string(), text=kind is None or is_text(other))


def _united_types(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """A type that holds both, or None where only JSON text does."""
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        members = {child.name: child for child in one}
        for child in other:
            members[child.name] = united(members[child.name], child) if child.name in members else child
        return pa.struct(list(members.values()))
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(united(one.value_field, other.value_field))
    numbers = [kind for kind in (one, other) if pa.types.is_integer(kind) or pa.types.is_floating(kind)]
    if len(numbers) == 2:
        if pa.types.is_integer(one) == pa.types.is_integer(other):
            return max(numbers, key=lambda kind: kind.bit_width)
        return pa.float64()
    return one if one.equals(other) and not pa.types.is_nested(one) else None


def fitted(array: pa.Array, narrow: pa.Field, wide: pa.Field) -> pa.Array:
    """Values of one field as values of a wider one.

    Raises:
        InexactError: Whole numbers would lose digits.
    """
    if array.type.equals(wide.type, check_metadata=True) and is_text(narrow) == is_text(wide):
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), wide.type)
    if is_text(wide):
        return json_texts(array, text=is_text(narrow))
    if pa.types.is_struct(wide.type):
        return _fitted_struct(array, wide.type)
    if pa.types.is_list(wide.type):
        lengths = np.asarray(array.value_lengths().fill_null(0))
        ends = pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]))
        items = fitted(array.flatten(), array.type.value_field, wide.type.value_field)
        return pa.ListArray.from_arrays(ends, items, type=wide.type, mask=array.is_null())
    try:
        return array.cast(wide.type)
    except pa.ArrowInvalid as error:
        raise InexactError(str(error)) from error


def _fitted_struct(array: pa.StructArray, wide: pa.StructType) -> pa.Array:
    inside = {child.name: Member(child, member) for child, member in zip(array.type, array.flatten(), strict=True)}
    members: dict[str, Member] = {}
    for child in wide:
        here = inside.get(child.name)
        value = pa.nulls(len(array), child.type) if here is None else fitted(here.array, here.field, child)
        members[child.name] = Member(child, value)
    return struct_of(members, len(array), array.is_null())


def concatenated(parts: Sequence[Member]) -> Member:
    """All parts' values, one after the other, in a field that holds them all."""
    field = parts[0].field
    for part in parts[1:]:
        field = united(field, part.field)
    try:
        arrays = [fitted(part.array, part.field, field) for part in parts]
    except InexactError:
        field = field_of(field.name, pa.string(), text=True)
        arrays = [fitted(part.array, part.field, field) for part in parts]
    return Member(field, arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays))


def merged(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, in offset order."""
    if len(parts) == 1:
        return parts[0]
    filled = [part for part in parts if len(part)] or [parts[0]]
    if len(filled) == 1:
        return filled[0]
    offsets = pa.concat_arrays([part.offsets for part in filled])
    topics = pa.concat_arrays([part.topics.cast(pa.string()) for part in filled]).dictionary_encode()
    together = Rows(
        source=filled[0].source,
        topics=topics,
        offsets=offsets,
        timestamps=pa.concat_arrays([part.timestamps for part in filled]),
        headers=pa.concat_arrays([part.headers for part in filled]),
        key=_merged_data([part.key for part in filled]),
        value=_merged_data([part.value for part in filled]),
        rekeyed=np.concatenate([part.rekeyed for part in filled]),
    )
    order = np.argsort(np.asarray(offsets), kind="stable")
    return together if bool((order[1:] > order[:-1]).all()) else together.taken(order)


def _merged_data(data: Sequence[Datum]) -> Datum:
    if any(datum.is_struct for datum in data):
        data = [_as_struct(datum) for datum in data]
    whole = concatenated([Member(field_of("", datum.array.type, text=datum.text), datum.array) for datum in data])
    known = [datum for datum in data if datum.array.null_count < len(datum.array)] or list(data)
    first = next((datum for datum in known if datum.name), known[0])
    return replace(first, array=whole.array, text=whole.text, declared=all(datum.declared for datum in known))


def _as_struct(datum: Datum) -> Datum:
    """A value without fields as the one field of a struct, as it would be in columns."""
    if datum.is_struct or pa.types.is_null(datum.array.type):
        return datum
    member = Member(field_of(VALUE, datum.array.type, text=datum.text), datum.array)
    return datum.of(struct_of({VALUE: member}, len(datum.array), datum.array.is_null()))
