"""Brings rows of differing types together: nothing is lost, what clashes becomes JSON text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from streamsink.transform.rows import Datum, Member, Rows, field_of, is_text, struct_of
from streamsink.transform.texts import json_texts


class InexactError(ValueError):
    """Whole numbers that no double holds."""


def united(one: pa.Field, other: pa.Field) -> pa.Field:
    """Find the narrowest field that holds the values of either.

    Args:
        one: The field so far. Its name is kept.
        other: The field of more rows.

    Returns:
        `one` itself where it holds both. JSON text where the types clash.
    """
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
    """Convert values of one field to a wider one.

    Args:
        array: Values of the narrow field, one a row.
        narrow: Says whether they are JSON texts.
        wide: A field that `united` made of the narrow one and others.

    Returns:
        One value a row, of the wide field's type.

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
    """Put all parts' values one after the other, in a field that holds them all."""
    field = parts[0].field
    for part in parts[1:]:
        field = united(field, part.field)
    try:
        arrays = [fitted(part.array, part.field, field) for part in parts]
    except InexactError:
        field = field_of(field.name, pa.string(), text=True)
        arrays = [fitted(part.array, part.field, field) for part in parts]
    return Member(field, arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays))


def together(parts: Sequence[Rows]) -> list[Rows]:
    """The same rows in as few parts as their types allow, each in offset order; empty parts are left out."""
    groups: list[list[Rows]] = []
    for part in parts:
        if not len(part):
            continue
        group = next(
            (group for group in groups if _alike(group[0].key, part.key) and _alike(group[0].value, part.value)), None
        )
        if group is None:
            groups.append([part])
        else:
            group.append(part)
    return [_merged(group) for group in groups]


def _alike(one: Datum, other: Datum) -> bool:
    about = [(each.declared, each.text, each.name, each.version) for each in (one, other)]
    return about[0] == about[1] and bool(one.array.type.equals(other.array.type, check_metadata=True))


def _merged(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    offsets = pa.concat_arrays([part.offsets for part in parts])
    merged = replace(
        first,
        topics=pa.concat_arrays([part.topics.cast(pa.string()) for part in parts]).dictionary_encode(),
        offsets=offsets,
        timestamps=pa.concat_arrays([part.timestamps for part in parts]),
        headers=pa.concat_arrays([part.headers for part in parts]),
        key=replace(first.key, array=pa.concat_arrays([part.key.array for part in parts])),
        value=replace(first.value, array=pa.concat_arrays([part.value.array for part in parts])),
        rekeyed=np.concatenate([part.rekeyed for part in parts]),
    )
    order = np.argsort(np.asarray(offsets), kind="stable")
    return merged if bool((order[1:] > order[:-1]).all()) else merged.taken(order)
