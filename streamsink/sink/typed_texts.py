"""Gives JSON texts their types again, so that each finds the column it fits. Pure; works row by row.

A decoder that has met a string where an object was gives that field as JSON text from then on, objects too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from streamsink.transform.rows import Member, field_of, is_text

_UNLIKE = (pa.ArrowException, TypeError, ValueError, OverflowError)


def has_texts(kind: pa.Field) -> bool:
    """Whether a field's values are JSON texts, or have some inside."""
    if pa.types.is_list(kind.type):
        return has_texts(kind.type.value_field)
    if pa.types.is_struct(kind.type):
        return any(has_texts(child) for child in kind.type)
    return is_text(kind)


def typed(texts: pa.StringArray) -> Iterator[Member]:
    """Split values by type, each array null where another type's value is. A value without a type stays text.

    Args:
        texts: JSON texts, or null.

    Yields:
        A column for each type, of as many rows.
    """
    told = texts.to_pylist()
    groups: dict[object, list[Any]] = {}
    for row, text in enumerate(told):
        value = None if text is None else json.loads(text)
        if value is not None:
            groups.setdefault(_group(value), [None] * len(told))[row] = value
    left = [False] * len(told)
    for values in groups.values():
        array = _array(values)
        if array is None:
            left = [one or value is not None for one, value in zip(left, values, strict=True)]
        else:
            yield Member(pa.field("value", array.type), array)
    if any(left):
        kept = [text if one else None for one, text in zip(left, told, strict=True)]
        yield Member(field_of("value", pa.string(), text=True), pa.array(kept, pa.string()))


def _group(value: Any) -> object:
    """A key that is equal for values that may share a column: few groups, since each is a whole column."""
    if not isinstance(value, list):
        return type(value)
    return frozenset(type(item) for item in value if item is not None)


def _array(values: list[Any]) -> pa.Array | None:
    try:
        array = pa.array(values)
    except _UNLIKE:
        return None
    return array if _without_nulls(array.to_pylist()) == _without_nulls(values) else None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(member) for member in value] if isinstance(value, list) else value
