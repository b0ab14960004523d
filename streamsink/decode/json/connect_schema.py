"""Reads Connect's schema JSON (JsonConverter's form) as a shape. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from streamsink.decode.json import leaves, text_leaves
from streamsink.decode.json.shape import Kind, Leaf, MisfitError, Shape, arrow_field, arrow_type, rendered, widened

DEPTH_MAX = 64

_LOGICAL = "org.apache.kafka.connect.data."
_LEAVES: Mapping[str, Callable[[], Leaf]] = {
    "boolean": leaves.boolean,
    "int8": lambda: leaves.integer(8),
    "int16": lambda: leaves.integer(16),
    "int32": lambda: leaves.integer(32),
    "int64": lambda: leaves.integer(64),
    "float": lambda: leaves.floating(32),
    "double": lambda: leaves.floating(64),
    "bytes": leaves.binary,
    "string": leaves.text,
}
_LOGICAL_LEAVES: Mapping[tuple[str, str], Callable[[], Leaf]] = {
    ("Timestamp", "int64"): leaves.timestamp,
    ("Date", "int32"): leaves.day,
    ("Time", "int32"): leaves.time_of_day,
    ("Timestamp", "string"): lambda: text_leaves.timestamp(local=False),
    ("LocalTimestamp", "string"): lambda: text_leaves.timestamp(local=True),
    ("Date", "string"): text_leaves.day,
    ("Unsigned", "int64"): leaves.unsigned,
}


class SchemaError(ValueError):
    """A document is not a schema that Connect's JsonConverter writes."""


def shape_of(schema: Any, depth: int = 0) -> Shape:
    """Read a schema document as a declared shape.

    Args:
        schema: The document, as parsed JSON of any kind.
        depth: How deep it is nested in another document.

    Raises:
        SchemaError: It is no schema; the message says what it lacks.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str):
        raise SchemaError('a schema is an object with a "type"')
    if depth > DEPTH_MAX:
        raise SchemaError(f"schemas are nested more than {DEPTH_MAX} deep")
    shape = replace(_bare(schema, depth), declared=True, required=not schema.get("optional", False))
    if schema.get("default") is None:
        return shape
    try:
        widened(replace(shape, required=False), schema["default"])
    except MisfitError as error:
        raise SchemaError(f"a default does not fit its type: {error}") from error
    return replace(shape, default=schema["default"])


def _bare(schema: dict[str, Any], depth: int) -> Shape:
    match schema["type"]:
        case "struct":
            return Shape(Kind.STRUCT, fields=_fields(schema.get("fields"), depth))
        case "array":
            return Shape(Kind.LIST, item=shape_of(schema.get("items"), depth + 1))
        case "map":
            keys, values = shape_of(schema.get("keys"), depth + 1), shape_of(schema.get("values"), depth + 1)
            return Shape(Kind.LEAF, leaf=_map(keys, values))
    return Shape(Kind.LEAF, leaf=_leaf(schema))


def _fields(fields: Any, depth: int) -> dict[str, Shape]:
    if not isinstance(fields, list):
        raise SchemaError('a struct schema has a list of "fields"')
    shapes: dict[str, Shape] = {}
    for document in fields:
        name = document.get("field") if isinstance(document, dict) else None
        if not isinstance(name, str) or name in shapes:
            raise SchemaError('each field of a struct has a "field" name of its own')
        shapes[name] = shape_of(document, depth + 1)
    return shapes


def _leaf(schema: dict[str, Any]) -> Leaf:
    kind, name = schema["type"], str(schema.get("name") or "").removeprefix(_LOGICAL)
    if name == "Decimal" and kind in {"bytes", "string"}:
        return _decimal(schema, text=kind == "string")
    make = _LOGICAL_LEAVES.get((name, kind)) or _LEAVES.get(kind)
    if make is None:
        raise SchemaError(f"{kind!r} is not one of Connect's types")
    return make()


def _decimal(schema: dict[str, Any], *, text: bool) -> Leaf:
    parameters: Any = schema.get("parameters")
    try:
        scale = int(parameters["scale"])
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError('a Decimal has a whole number as its parameter "scale"') from error
    if not 0 <= scale <= leaves.DECIMAL_DIGITS_MAX:
        raise SchemaError(f"a Decimal's scale is between 0 and {leaves.DECIMAL_DIGITS_MAX}")
    return text_leaves.decimal(_precision(parameters, scale), scale) if text else leaves.decimal(scale)


def _precision(parameters: dict[str, Any], scale: int) -> int:
    """How many digits a decimal that is written as text has, in the word of Connect's JDBC and of Debezium."""
    try:
        precision = int(parameters.get("connect.decimal.precision", leaves.DECIMAL_DIGITS_MAX))
    except (TypeError, ValueError) as error:
        raise SchemaError("connect.decimal.precision is a whole number") from error
    if not max(1, scale) <= precision <= leaves.DECIMAL_DIGITS_MAX:
        raise SchemaError(f"a decimal has as many digits as its scale, and at most {leaves.DECIMAL_DIGITS_MAX}")
    return precision


def _map(keys: Shape, values: Shape) -> Leaf:
    entry = arrow_field("value", values)

    def read(value: Any) -> list[tuple[object, object]]:
        pairs = list(value.items()) if isinstance(value, dict) else value
        if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            raise MisfitError("a declared map is an object, or an array of pairs")
        if any(key is None for key, _ in pairs):
            raise MisfitError("a declared map has no null key")
        return [(_strict(keys, key), _strict(values, member)) for key, member in pairs]

    kind = pa.map_(pa.field("key", arrow_type(keys), nullable=False), entry)
    return Leaf(kind, read, None, inner=(keys, values), remade=_map)


def _strict(shape: Shape, value: Any) -> object:
    if widened(shape, value) is not shape:
        raise MisfitError("a map's value has a field its schema does not declare")
    return rendered(shape, value)
