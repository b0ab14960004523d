"""Finds each value's place in a topic's columns: its own column, its variant, or `_rest`. Pure: no I/O, no clock.

A column keeps its type for ever. What doesn't fit goes to the column's variant beside it, `ms__double`; a name that a
real field has is never a variant's. What has no place inside a struct sends the whole struct to its own variant, and
at the top to `_rest`, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from streamsink.decode.json import leaves
from streamsink.decode.json import text as json_text
from streamsink.decode.json.limits import Limits
from streamsink.decode.json.shape import DEPTH_MAX, NESTED_FIELDS_MAX, UNKNOWN, Kind, MisfitError, Shape
from streamsink.decode.json.text import DOUBLE_EXACT_MAX, JsonText, Moment, Overflow
from streamsink.record import REST

DOCUMENT = "value"
"""Column of values that are no objects, as JSON text."""

WHOLE = ""
"""Such a value's name in a record, and what its column is a variant of."""


class Whole(str):
    """The JSON text of a value that is no object."""

    __slots__ = ()


_TEXT = Shape(Kind.TEXT)
_REST = Shape(Kind.TEXT, variant_of=REST)
_KINDS: dict[type, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    list: Kind.LIST,
    dict: Kind.STRUCT,
    JsonText: Kind.TEXT,
    Overflow: Kind.DOUBLE,
    Whole: Kind.TEXT,
    Moment: Kind.LEAF,
    bytes: Kind.LEAF,
}
_EASY: dict[Kind, type] = {Kind.BOOL: bool, Kind.INT: int, Kind.DOUBLE: float, Kind.STRING: str}
_SUFFIXES = {Kind.BOOL: "bool", Kind.INT: "int64", Kind.DOUBLE: "double", Kind.STRING: "string"}
_VARIANTS = {"bool": Kind.BOOL, "int64": Kind.INT, "double": Kind.DOUBLE, "string": Kind.STRING, "json": Kind.TEXT}

Record = Mapping[str, Any]
"""A value's fields; a value that is no object is one of the name `WHOLE`."""


class UnfitError(ValueError):
    """A value has no place in a shape."""


_NESTED = Limits(NESTED_FIELDS_MAX, taken=frozenset())


def with_fields(shape: Shape, base: Shape | None, record: Record, limits: Limits, depth: int = 0) -> Shape:
    """The struct shape with places for the fields it lacks.

    Args:
        shape: So far.
        base: The part of it in the archive's set. The rest is fresh: there, integers and doubles become doubles.
        record: A value.
        limits: Of the struct's fields.
        depth: How deep the struct lies.
    """
    changed: dict[str, Shape] = {}
    for name, value in record.items():
        known = shape.fields.get(name)
        if value is None or type(value) is Whole or (known is not None and known.variant_of is not None):
            continue
        if known is None and not limits.admit(name, len(shape.fields) + len(changed)):
            continue
        before = None if base is None else base.fields.get(name)
        after = _learned(UNKNOWN if known is None else known, before, value, depth + 1)
        if after is not known and after.kind is not Kind.NULL:
            changed[name] = after
    return replace(shape, fields={**shape.fields, **changed}) if changed else shape


def with_variants(shape: Shape, record: Record, limits: Limits) -> Shape:
    """Add the variants that a record's values need, and `_rest` where some have no place. Fields come before them.

    Args:
        shape: The top-level shape, which has a column for each field that gets one.
        record: The record's top-level fields.
        limits: Decide on new columns.
    """
    shape = _with_variants(shape, record, limits)
    if REST not in shape.fields and placed(shape, record)[1]:
        shape = replace(shape, fields={**shape.fields, REST: _REST})
    return shape


def placed(
    shape: Shape, record: Record, easy: Mapping[str, type] = MappingProxyType({})
) -> tuple[dict[str, object], dict[str, Any]]:
    """Place each value of a record in a column.

    Args:
        shape: The top-level shape.
        record: The record's top-level fields.
        easy: As `easy_types` of the shape: fields whose values of these types need no look.

    Returns:
        The record's cells by column, as Arrow takes them, and the fields that have no place.
    """
    found: dict[str, object] = {}
    left: dict[str, Any] = {}
    for name, value in record.items():
        if easy.get(name) is type(value):
            found[name] = value
        elif value is not None and not _put(shape, name, value, found):
            left[name] = value
    return found, left


def orphaned(shape: Shape, cells: Mapping[str, Any]) -> bool:
    """Whether a value went to the variant of a column that isn't there yet, and may be the first one of that column.

    Args:
        shape: The shape of the cells.
        cells: Placed values by column.
    """
    for name, cell in cells.items():
        child = shape.fields[name]
        if child.variant_of is not None:
            if child.variant_of not in shape.fields and name.startswith(f"{child.variant_of}__"):
                return True
        elif child.kind is Kind.STRUCT:
            if orphaned(child, cell):
                return True
        elif child.item is not None and child.item.kind is Kind.STRUCT:
            item = child.item
            if any(member is not None and orphaned(item, member) for member in cell):
                return True
    return False


def fit(shape: Shape, value: Any) -> object:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    """Give a value as Arrow takes it for a column's type.

    Args:
        shape: The column's.
        value: Parsed JSON.

    Raises:
        UnfitError: It doesn't fit.
    """
    if value is None:
        return None
    given = type(value)
    match shape.kind:
        case Kind.TEXT:
            return str(value) if given is JsonText or given is Whole else json_text.write(value)
        case Kind.STRING if given is str:
            return value
        case Kind.BOOL if given is bool:
            return value
        case Kind.INT if given is int:
            return value
        case Kind.INT if (
            given is float and value.is_integer() and abs(value) < DOUBLE_EXACT_MAX and str(value) != "-0.0"
        ):
            return int(value)
        case Kind.DOUBLE if given is float or given is Overflow:
            return value
        case Kind.DOUBLE if given is int and float(value) == value:
            return float(value)
        case Kind.LIST if given is list:
            assert shape.item is not None
            item = shape.item
            return [fit(item, member) for member in value]
        case Kind.STRUCT if given is dict:
            found, left = placed(shape, value)
            if not left:
                return found
        case Kind.LEAF:
            assert shape.leaf is not None
            try:
                return shape.leaf.read(value)
            except MisfitError as error:
                raise UnfitError from error
    raise UnfitError


def easy_types(shape: Shape) -> dict[str, type]:
    """The type by field whose values fit as they are, as most values of most records do."""
    return {
        name: _EASY[child.kind]
        for name, child in shape.fields.items()
        if child.kind in _EASY and child.variant_of is None
    }


def rest_text(left: Mapping[str, Any]) -> str:
    """The text of `_rest` for the fields of one record that have no place."""
    whole = left.get(WHOLE)
    return str(whole) if type(whole) is Whole else json_text.write(dict(left))


def suffix(value: object) -> str:
    """The end of a variant's name, behind its column's, for such a value."""
    return _SUFFIXES.get(_KINDS[type(value)], "json")


def _learned(shape: Shape, base: Shape | None, value: Any, depth: int) -> Shape:
    kind = _KINDS[type(value)]
    if shape.kind is Kind.NULL:
        return _inferred(value, kind, depth)
    if shape.kind is Kind.STRUCT and kind is Kind.STRUCT:
        return with_fields(shape, base, value, _NESTED, depth)
    if shape.item is not None and kind is Kind.LIST:
        inner = None if base is None else base.item
        item = shape.item
        for member in value:
            if member is not None:
                item = _learned(item, inner, member, depth + 1)
        return shape if item is shape.item else replace(shape, item=item)
    if base is None and not shape.declared:
        if shape.kind is Kind.INT and kind is Kind.DOUBLE:
            return replace(shape, kind=Kind.DOUBLE)
        if shape.kind is Kind.TEXT:
            other = _inferred(value, kind, depth)
            return shape if other.kind in {Kind.NULL, Kind.TEXT} else other
    return shape


def _inferred(value: Any, kind: Kind, depth: int) -> Shape:
    """The place for a field's first value; `UNKNOWN` where it says nothing of a type, as `[]` and `{}`."""
    if kind is Kind.TEXT:
        return _TEXT
    if kind is Kind.LEAF:
        return Shape(kind, leaf=leaves.moment() if type(value) is Moment else leaves.octets())
    if kind is Kind.STRUCT:
        if depth >= DEPTH_MAX or len(value) > NESTED_FIELDS_MAX:
            return _TEXT
        shape = with_fields(Shape(Kind.STRUCT), None, value, _NESTED, depth)
        return shape if shape.fields else UNKNOWN
    if kind is Kind.LIST:
        return _TEXT if depth >= DEPTH_MAX else _inferred_list(value, depth)
    return Shape(kind)


def _inferred_list(values: list[Any], depth: int) -> Shape:
    item = UNKNOWN
    known = [value for value in values if value is not None]
    for value in known:
        item = _learned(item, None, value, depth + 1)
    if item.kind is Kind.NULL:
        return UNKNOWN
    shape = Shape(Kind.LIST, item=item)
    # What structs have unlike each other gets variants inside them.
    alike = all(type(value) is dict for value in known) if item.kind is Kind.STRUCT else _fits(shape, values)
    return shape if alike and item.kind is not Kind.TEXT else _TEXT


def _with_variants(shape: Shape, record: Record, limits: Limits) -> Shape:
    changed: dict[str, Shape] = {}
    for name, value in record.items():
        if value is None:
            continue
        known = shape.fields.get(name)
        if known is not None and known.variant_of is not None:
            continue
        if known is not None:
            after = _inside(known, value)
            if after is not known:
                known = changed[name] = after
            if _fits(known, value):
                continue
        elif type(value) is not Whole and not _says_nothing(value):
            continue
        variant = _variant_name(shape, name, value)
        if variant is None or variant in shape.fields or variant in changed:
            continue
        if name in limits.always or limits.admit_variant(variant, len(shape.fields) + len(changed)):
            changed[variant] = Shape(_VARIANTS[suffix(value)], variant_of=name)
    return replace(shape, fields={**shape.fields, **changed}) if changed else shape


def _inside(shape: Shape, value: Any) -> Shape:
    """The shape with the variants that structs inside need."""
    if shape.kind is Kind.STRUCT and type(value) is dict:
        return _with_variants(shape, value, _NESTED)
    if shape.item is not None and type(value) is list:
        item = shape.item
        for member in value:
            item = _inside(item, member)
        return shape if item is shape.item else replace(shape, item=item)
    return shape


def _says_nothing(value: Any) -> bool:
    """Whether no column can be made of the value, since it tells no type."""
    kind = _KINDS[type(value)]
    return kind in {Kind.LIST, Kind.STRUCT} and _inferred(value, kind, 1).kind is Kind.NULL


def _variant_name(shape: Shape, name: str, value: object) -> str | None:
    """The variant's name, or None where real fields have the names it could have."""
    names = [DOCUMENT, f"{DOCUMENT}__json"] if type(value) is Whole else [f"{name}__{suffix(value)}"]
    for candidate in names:
        known = shape.fields.get(candidate)
        if known is None or known.variant_of == name:
            return candidate
    return None


def _put(shape: Shape, name: str, value: Any, found: dict[str, object]) -> bool:
    """Put a field's value into its column or variant; False where it has no place."""
    known = shape.fields.get(name)
    if known is not None and known.variant_of is None:
        try:
            found[name] = fit(known, value)
        except UnfitError:
            pass
        else:
            return True
    variant = _variant_name(shape, name, value)
    place = None if variant is None else shape.fields.get(variant)
    if variant is None or place is None:
        return False
    found[variant] = fit(place, value)
    return True


def _fits(shape: Shape, value: Any) -> bool:
    try:
        fit(shape, value)
    except UnfitError:
        return False
    return True
