"""Cast: fields, or the whole value, to another type, as Java converts them. Pure.

A number without schema that is whole counts as the integer it may have been, since a column of doubles holds both.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.java import numbers
from streamsink.transform.require import Settings, all_struct, items, mapped, refuse
from streamsink.transform.rows import Member, Rows, field_of, mask_of
from streamsink.transform.texts import connect_texts, double_or_whole

TYPES = {
    **{name: pa.type_for_alias(name) for name in numbers.INT_BITS},
    "float32": pa.float32(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}


class Cast:
    """Casts some fields, or everything."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._whole, self._casts = read_spec(settings.get("spec", ""))

    def apply(self, rows: Rows) -> Rows:
        """The rows with other types."""
        datum = rows.datum(key=self._key)
        if datum.array.null_count == len(rows):
            return rows
        if self._whole:
            array = cast(datum.array, self._whole, declared=datum.declared, text=datum.text)
            return rows.with_datum(datum.of(array), key=self._key)
        datum = all_struct(datum, "casting types", nulls=True)
        members = datum.fields()
        for name, target in self._casts.items():
            if name in members:
                member = members[name]
                array = cast(member.array, target, declared=datum.declared, text=member.text)
                members[name] = Member(field_of(name, array.type), array)
        return rows.with_datum(datum.with_fields(members), key=self._key)


def read_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Read the types to cast to.

    Returns:
        The type of the whole value, "" where fields are cast, and each field's type.

    Raises:
        ValueError: The spec is none of Connect's.
    """
    whole, casts = "", dict[str, str]()
    for item in items({"spec": spec}, "spec"):
        name, colon, target = item.rpartition(":")
        target = target.strip().lower()
        if target not in TYPES:
            raise ValueError(f"{target!r} is none of {', '.join(TYPES)}")
        if not colon:
            whole = target
        elif not name or ":" in name:
            raise ValueError(f"{item!r} is not a field, a colon and a type")
        else:
            casts[name.strip()] = target
    if whole and casts:
        raise ValueError("has a type for the whole value, and types for fields")
    if not whole and not casts:
        raise ValueError("names nothing to cast")
    return whole, casts


def cast(array: pa.Array, target: str, *, declared: bool, text: bool) -> pa.Array:  # noqa: PLR0911 - one case a type
    """Convert values to another type, as Java converts them.

    Args:
        array: Values of any type, one a row.
        target: A key of `TYPES`, such as `int32` or `string`.
        declared: Whether the values came with a schema. Without one, whole doubles are written as integers.
        text: Whether the strings in `array` are JSON texts.

    Returns:
        One value a row of the target's type, null where it was null.

    Raises:
        TransformError: For the rows whose values can't be had so.
    """
    kind, wanted = array.type, TYPES[target]
    if text:
        return mapped(array, lambda value: _of_json(orjson.loads(value), target), wanted)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), wanted)
    if pa.types.is_nested(kind):
        refuse(mask_of(array.is_valid()), f"a {kind} can't be cast")
        return pa.nulls(len(array), wanted)
    if target == "string":
        return _to_string(array, declared=declared)
    if pa.types.is_temporal(kind):
        array = array.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        kind = array.type
    if pa.types.is_boolean(kind):
        return array if target == "boolean" else array.cast(pa.int8()).cast(wanted)
    if pa.types.is_integer(kind):
        return pc.not_equal(array, 0) if target == "boolean" else array.cast(wanted, safe=False)
    if pa.types.is_floating(kind):
        return _from_floats(array, target)
    return mapped(array, _reader(target), wanted)


def _from_floats(array: pa.Array, target: str) -> pa.Array:
    if target in {"float32", "float64"}:
        return array.cast(TYPES[target], safe=False)
    bits = numbers.INT_BITS.get(target, 64)
    wide = 64 if bits == 64 else 32
    known = np.nan_to_num(np.asarray(array.cast(pa.float64()).fill_null(0)), nan=0.0, posinf=np.inf, neginf=-np.inf)
    top = 2.0 ** (wide - 1)
    inside = np.where(np.abs(known) < top, known, 0).astype(np.int64)
    whole = np.where(known >= top, 2 ** (wide - 1) - 1, np.where(known <= -top, -(2 ** (wide - 1)), inside))
    result = pa.array(whole.astype(np.int64), mask=~mask_of(array.is_valid()))
    return pc.not_equal(result, 0) if target == "boolean" else result.cast(TYPES[target], safe=False)


def _to_string(array: pa.Array, *, declared: bool) -> pa.Array:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return array.cast(pa.string())
    if pa.types.is_binary(kind):
        return mapped(array, lambda value: base64.b64encode(value).decode(), pa.string())
    if pa.types.is_float32(kind):
        return mapped(array, numbers.float_text, pa.string())
    if pa.types.is_floating(kind):
        return mapped(array, numbers.double_text if declared else double_or_whole, pa.string())
    if pa.types.is_decimal(kind):
        return mapped(array, str, pa.string())
    return pa.array(connect_texts(array, text=False, declared=declared), pa.string())


def _reader(target: str) -> Callable[[Any], Any]:
    """How strings and decimals are read."""

    def read(value: Any) -> Any:
        if isinstance(value, Decimal):
            return _of_number(value, target)
        if not isinstance(value, str):
            raise ValueError("bytes can be cast to a string only")  # noqa: TRY004 - a fault of the value
        if target == "boolean":
            return value.lower() == "true"
        if target in numbers.INT_BITS:
            return numbers.parse_whole(value, numbers.INT_BITS[target])
        return numbers.parse_float(value)

    return read


def _of_number(value: float | Decimal, target: str) -> Any:
    if target in {"float32", "float64"}:
        return float(value)
    if isinstance(value, float):
        whole = numbers.whole_of(value, numbers.INT_BITS.get(target, 64))
    else:
        whole = numbers.wrapped(int(value), numbers.INT_BITS.get(target, 64))
    return whole != 0 if target == "boolean" else whole


def _of_json(value: Any, target: str) -> Any:
    match value:
        case dict() | list():
            raise ValueError("an object or array can't be cast")
        case bool() if target == "string":
            return str(value).lower()
        case float() if target == "string":
            return double_or_whole(value)
        case int() | str() if target == "string":
            return str(value)
        case bool():
            return value if target == "boolean" else int(value)
        case int() | float():
            return _of_number(value, target)
    return _reader(target)(value)
