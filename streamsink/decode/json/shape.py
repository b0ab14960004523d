"""The shape of a topic's JSON so far, as an immutable tree that only ever widens. Pure: no I/O, no clock.

`null -> anything`, `int -> double`, a new field, a longer struct; whatever else clashes becomes `TEXT`, the JSON text
of each value, so that nothing is lost. Declared leaves never widen by a value: one that doesn't fit is a `MisfitError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

import pyarrow as pa

from streamsink.decode.json import text as json_text
from streamsink.decode.json.text import DOUBLE_EXACT_MAX, JsonText, Overflow
from streamsink.record import JSON_TEXT_METADATA, VARIANT_OF

DEPTH_MAX = 32
"""Structs and lists nested deeper than this are kept as JSON text."""

NESTED_FIELDS_MAX = 200
"""A nested object that adds up to more fields is a map in disguise, and is kept as JSON text."""

EMPTY_STRUCT = pa.struct([pa.field("_empty", pa.null())])
"""A struct that has had no field yet: file formats refuse one without any."""


class MisfitError(ValueError):
    """A value does not fit the declared type."""


class Kind(Enum):
    """The kind of value at one place of the tree."""

    NULL = auto()
    BOOL = auto()
    INT = auto()
    DOUBLE = auto()
    STRING = auto()
    LIST = auto()
    STRUCT = auto()
    TEXT = auto()
    LEAF = auto()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A declared type.

    Args:
        type: The column's type.
        read: A JSON value as something Arrow takes for `type`; raises `MisfitError`.
        wire: The type in which the JSON reader can read the values, to be cast to `type`; None if it can't.
        inner: The shapes a leaf is made of, if it is: a map's keys and values.
        remade: The same leaf of other inner shapes.
        cast: Makes `type` of `wire`, null where a value may not fit; None where Arrow's cast does.
        name: What column sets call it, where `type` doesn't say how its values are written.
    """

    type: pa.DataType
    read: Callable[[Any], object]
    wire: pa.DataType | None
    inner: tuple[Shape, ...] = ()
    remade: Callable[..., Leaf] | None = None
    cast: Callable[[pa.Array], pa.Array] | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One place of the tree. Compared by identity: the same object means nothing has widened.

    `variant_of` is the name of the column beside it, whose values go here where they don't fit that one.
    """

    kind: Kind = Kind.NULL
    item: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    leaf: Leaf | None = None
    declared: bool = False
    required: bool = False
    default: Any = None
    variant_of: str | None = None


UNKNOWN = Shape()
TEXT = Shape(Kind.TEXT)
_PLAIN = {
    Kind.TEXT: TEXT,
    Kind.LIST: Shape(Kind.LIST, item=UNKNOWN),
    **{kind: Shape(kind) for kind in (Kind.BOOL, Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.STRUCT)},
}
_NESTED = {Kind.LIST, Kind.STRUCT}
_KINDS: dict[type, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    list: Kind.LIST,
    dict: Kind.STRUCT,
    JsonText: Kind.TEXT,
    Overflow: Kind.DOUBLE,
}
_ARROW = {
    Kind.NULL: pa.null(),
    Kind.BOOL: pa.bool_(),
    Kind.INT: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.TEXT: pa.string(),
}


def widened(shape: Shape, value: Any, depth: int = 0) -> Shape:
    """Widen a shape so that a value fits; the same object comes back if it fits already.

    Args:
        shape: The shape so far.
        value: Parsed JSON.
        depth: How deep the value is nested; at `DEPTH_MAX` it becomes JSON text.

    Raises:
        MisfitError: The value does not fit a declared type.
    """
    if value is None:
        if shape.required and shape.default is None:
            raise MisfitError("a required field is null or missing")
        return shape
    if shape.leaf is not None:
        shape.leaf.read(value)
        return shape
    kind = _KINDS[type(value)]
    if shape.kind is Kind.NULL:
        shape = TEXT if depth >= DEPTH_MAX and kind in _NESTED else _PLAIN[kind]
    match shape.kind:
        case Kind.TEXT:
            return shape
        case Kind.LIST if kind is Kind.LIST:
            return _widened_list(shape, value, depth)
        case Kind.STRUCT if kind is Kind.STRUCT:
            return _widened_struct(shape, value, depth)
    return shape if shape.kind is kind else _clash(shape, value)


def _clash(shape: Shape, value: object) -> Shape:
    if shape.declared:
        raise MisfitError(f"{_told(value)} does not fit the declared {shape.kind.name.lower()}")
    if shape.kind is Kind.INT and isinstance(value, float):
        return _PLAIN[Kind.DOUBLE]
    if shape.kind is Kind.DOUBLE and type(value) is int and abs(value) <= DOUBLE_EXACT_MAX:
        return shape
    return TEXT


def _widened_list(shape: Shape, values: list[Any], depth: int) -> Shape:
    assert shape.item is not None
    item = shape.item
    for value in values:
        item = widened(item, value, depth + 1)
    return shape if item is shape.item else replace(shape, item=item)


def _widened_struct(shape: Shape, value: dict[str, Any], depth: int) -> Shape:
    changed: dict[str, Shape] = {}
    for name, member in value.items():
        before = shape.fields.get(name)
        after = widened(UNKNOWN if before is None else before, member, depth + 1)
        if after is not before:
            changed[name] = after
    if shape.declared:
        check_required(shape.fields, value)
        return shape if not changed else replace(shape, fields={**shape.fields, **changed})
    if not changed:
        return shape
    fields = {**shape.fields, **changed}
    return replace(shape, fields=fields) if len(fields) <= NESTED_FIELDS_MAX else TEXT


def check_required(fields: Mapping[str, Shape], value: Mapping[str, Any]) -> None:
    """Refuse a struct that lacks a declared field which has no default.

    Args:
        fields: The struct's declared fields by name.
        value: Its members by name.

    Raises:
        MisfitError: A field is null or missing; the message names it.
    """
    for name, child in fields.items():
        if child.required and child.default is None and value.get(name) is None:
            raise MisfitError(f"the required field {name!r} is null or missing")


def joined(one: Shape, other: Shape) -> Shape:
    """Join two shapes into one that holds the values of both.

    Args:
        one: Comes back itself if it does already.
        other: Its required fields stay so only where both require them.
    """
    if one is other or other.kind is Kind.NULL or one.kind is Kind.TEXT:
        return one
    if one.kind is Kind.NULL:
        return replace(other, required=False) if other.required else other
    if one.kind is Kind.STRUCT and other.kind is Kind.STRUCT:
        both = _joined_structs(one, other)
    elif one.item is not None and other.item is not None:
        item = joined(one.item, other.item)
        both = one if item is one.item else replace(one, item=item)
    else:
        both = _joined_leaves(one, other)
    demands_more = both.required and not (one.required and other.required)
    return replace(both, required=False) if demands_more else both


def _joined_leaves(one: Shape, other: Shape) -> Shape:
    type_one, type_other = arrow_type(one), arrow_type(other)
    if type_one == type_other:
        return _joined_inside(one, other)
    for wide, narrow in ((one, other), (other, one)):
        if _holds(arrow_type(wide), arrow_type(narrow)):
            return wide
    return TEXT


def _joined_inside(one: Shape, other: Shape) -> Shape:
    """Two leaves of one type: what either leaf's inner shapes may lack, the joined one's may."""
    if one.leaf is None or other.leaf is None or one.leaf.remade is None or not other.leaf.inner:
        return one
    inner = tuple(joined(mine, theirs) for mine, theirs in zip(one.leaf.inner, other.leaf.inner, strict=True))
    same = all(after is before for after, before in zip(inner, one.leaf.inner, strict=True))
    return one if same else replace(one, leaf=one.leaf.remade(*inner))


def _joined_structs(one: Shape, other: Shape) -> Shape:
    fields = dict(one.fields)
    for name, child in other.fields.items():
        fields[name] = joined(fields[name], child) if name in fields else replace(child, required=False)
    for name in one.fields.keys() - other.fields.keys():
        if fields[name].required:
            fields[name] = replace(fields[name], required=False)
    same = len(fields) == len(one.fields) and all(fields[name] is child for name, child in one.fields.items())
    return one if same else replace(one, fields=fields)


def _holds(wide: pa.DataType, narrow: pa.DataType) -> bool:
    if pa.types.is_floating(wide):
        fits = pa.types.is_integer(narrow) or pa.types.is_floating(narrow)
    else:
        fits = pa.types.is_integer(wide) and pa.types.is_integer(narrow)
    return bool(fits and narrow.bit_width < wide.bit_width)


def arrow_type(shape: Shape) -> pa.DataType:
    """The Arrow type of values of this shape."""
    if shape.leaf is not None:
        return shape.leaf.type
    if shape.kind is Kind.LIST:
        assert shape.item is not None
        return pa.list_(arrow_field("item", shape.item))
    if shape.kind is Kind.STRUCT:
        return pa.struct([arrow_field(name, child) for name, child in shape.fields.items()] or list(EMPTY_STRUCT))
    return _ARROW[shape.kind]


def arrow_field(name: str, shape: Shape) -> pa.Field:
    """A nullable field, whose metadata say whether it holds JSON texts, and whose variant it is.

    Args:
        name: The column's.
        shape: The column's.
    """
    metadata = dict(JSON_TEXT_METADATA) if shape.kind is Kind.TEXT else {}
    if shape.variant_of is not None and shape.variant_of != name:
        metadata[VARIANT_OF] = shape.variant_of
    return pa.field(name, arrow_type(shape), metadata=metadata or None)


def is_plain(shape: Shape) -> bool:
    """Whether Arrow takes values of this shape as the JSON reader gives them."""
    if shape.default is not None or shape.kind in {Kind.TEXT, Kind.LEAF}:
        return False
    if shape.item is not None:
        return is_plain(shape.item)
    return all(is_plain(child) for child in shape.fields.values())


def cast_read(array: pa.Array, shape: Shape) -> pa.Array:
    """Cast a column from the type it was read in to the shape's type.

    Args:
        array: The column in the wire type.
        shape: The column's.

    Returns:
        Null where the exact reader has to judge a value.
    """
    if shape.leaf is not None and shape.leaf.cast is not None:
        return shape.leaf.cast(array)
    wanted = arrow_type(shape)
    return array if array.type == wanted else array.cast(wanted)


def rendered(shape: Shape, value: Any) -> object:
    """Give a value as Arrow takes it for `arrow_type(shape)`.

    Args:
        shape: The column's.
        value: Parsed JSON that fits it.

    Raises:
        NotJsonError: It would have to become JSON text, and is nested too deeply for that.
    """
    if value is None:
        if shape.default is None:
            return None
        value = shape.default
    match shape.kind:
        case Kind.TEXT:
            return str(value) if type(value) is JsonText else json_text.write(value)
        case Kind.LEAF:
            assert shape.leaf is not None
            return shape.leaf.read(value)
        case Kind.LIST:
            assert shape.item is not None
            return [rendered(shape.item, member) for member in value]
        case Kind.STRUCT:
            return {name: rendered(child, value.get(name)) for name, child in shape.fields.items()}
    return value


def _told(value: object) -> str:
    names = {"dict": "an object", "list": "an array", "str": "a string", "bool": "a boolean", "JsonText": "a number"}
    return names.get(type(value).__name__, "a number")
