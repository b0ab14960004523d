"""A topic's column set as the archive keeps it: fields and their types, as JSON and as a shape. Pure: no I/O.

    {"topic": "logs", "fields": [{"name": "ms", "type": "int64"},
                                 {"name": "user", "type": "struct", "fields": [{"name": "id", "type": "string"}]},
                                 {"name": "tags", "type": "list<string>"},
                                 {"name": "ms__double", "type": "double", "variant_of": "ms"}]}

Types are `bool int64 double string struct list<T> json`. `value.schema` and transforms may bring others: `int8 int16
int32 float bytes timestamp date time decimal(p,s)`, the same written as text: `timestamp_text local_timestamp_text
date_text decimal_text(p,s)`, `unsigned`, and `arrow`, whose `schema` is an Arrow schema in base64. BSON
brings `moment` and `binary`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa

from streamsink.decode.json import leaves, text_leaves
from streamsink.decode.json.shape import Kind, Leaf, MisfitError, Shape, arrow_type
from streamsink.errors import TerminalError
from streamsink.record import REST

KIND = "columns"
"""The folder of column sets among an archive's numbered records."""

COLUMNS_KEY = "streamsink.columns"
"""Metadata of rows and footers: the number of the column set that they were written by."""

_PLAIN = {
    "bool": Kind.BOOL,
    "int64": Kind.INT,
    "double": Kind.DOUBLE,
    "string": Kind.STRING,
    "json": Kind.TEXT,
}
_PLAIN_NAMES = {kind: name for name, kind in _PLAIN.items()}
_LEAVES = {
    "int8": lambda: leaves.integer(8),
    "int16": lambda: leaves.integer(16),
    "int32": lambda: leaves.integer(32),
    "float": lambda: leaves.floating(32),
    "bytes": leaves.binary,
    "timestamp": leaves.timestamp,
    "date": leaves.day,
    "time": leaves.time_of_day,
}
_LEAF_NAMES = {make().type: name for name, make in _LEAVES.items()}
_NAMED_LEAVES = {
    text_leaves.TIMESTAMP: lambda: text_leaves.timestamp(local=False),
    text_leaves.LOCAL_TIMESTAMP: lambda: text_leaves.timestamp(local=True),
    text_leaves.DATE: text_leaves.day,
    leaves.UNSIGNED: leaves.unsigned,
    leaves.MOMENT: leaves.moment,
    leaves.OCTETS: leaves.octets,
}
_SAME = {pa.bool_(): Kind.BOOL, pa.int64(): Kind.INT, pa.float64(): Kind.DOUBLE, pa.string(): Kind.STRING}
_DECIMAL = re.compile(r"decimal(_text)?\((\d+),\s*(-?\d+)\)")
_ARROW = "arrow"


def to_json(topic: str, shape: Shape) -> bytes:
    """Write a column set as JSON.

    Args:
        topic: The topic's name.
        shape: Its columns.
    """
    return orjson.dumps({"topic": topic, "fields": _fields_to_json(shape)}, option=orjson.OPT_INDENT_2)


def from_json(document: bytes, name: str) -> Shape:
    """The shape that a document describes, a struct.

    Args:
        document: A set.
        name: Its object, for errors.

    Raises:
        TerminalError: It describes none.
    """
    try:
        fields = _fields_from_json(orjson.loads(document)["fields"])
        if REST in fields:
            fields[REST] = replace(fields[REST], variant_of=REST)
        return Shape(Kind.STRUCT, fields=fields)
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise TerminalError(
            f"{name} is no column set: {error}", hint="restore it, or archive into another topics.dir"
        ) from error


def without_demands(shape: Shape) -> Shape:
    """The shape as a set keeps it: plain types where those say the same, and nothing about nulls and defaults."""
    fields = {name: without_demands(child) for name, child in shape.fields.items()}
    item = None if shape.item is None else without_demands(shape.item)
    if shape.leaf is not None and shape.leaf.type in _SAME:
        return Shape(_SAME[shape.leaf.type], variant_of=shape.variant_of)
    return replace(shape, fields=fields, item=item, declared=False, required=False, default=None)


def shape_of_type(kind: pa.DataType, *, text: bool = False) -> Shape:
    """The shape of values that have an Arrow type.

    Args:
        kind: The type.
        text: Whether the values are JSON text.
    """
    if text:
        return Shape(Kind.TEXT)
    if kind in _SAME:
        return Shape(_SAME[kind])
    if pa.types.is_struct(kind):
        return Shape(Kind.STRUCT, fields={child.name: shape_of_type(child.type) for child in kind})
    if pa.types.is_list(kind) and not pa.types.is_null(kind.value_type):
        return Shape(Kind.LIST, item=shape_of_type(kind.value_type))
    return Shape(Kind.LEAF, leaf=_leaf(kind))


def _leaf(kind: pa.DataType) -> Leaf:
    if kind in _LEAF_NAMES:
        return _LEAVES[_LEAF_NAMES[kind]]()
    if pa.types.is_decimal128(kind) and kind == leaves.decimal(kind.scale).type:
        return leaves.decimal(kind.scale)
    return Leaf(kind, _unreadable, None)


def _unreadable(_: object) -> object:
    raise MisfitError("JSON has no such values")


def _fields_to_json(shape: Shape) -> list[dict[str, Any]]:
    return [_field_to_json(name, child) for name, child in shape.fields.items()]


def _field_to_json(name: str, shape: Shape) -> dict[str, Any]:
    lists = 0
    inner = shape
    while inner.kind is Kind.LIST and inner.item is not None:
        inner, lists = inner.item, lists + 1
    type_name = "struct" if inner.kind is Kind.STRUCT else _scalar_name(inner)
    entry: dict[str, Any] = {"name": name, "type": "list<" * lists + type_name + ">" * lists}
    if inner.kind is Kind.STRUCT:
        entry["fields"] = _fields_to_json(inner)
    if type_name == _ARROW:
        schema = pa.schema([pa.field("value", arrow_type(inner))])
        entry["schema"] = base64.b64encode(schema.serialize()).decode()
    if shape.variant_of is not None and shape.variant_of != name:
        entry["variant_of"] = shape.variant_of
    return entry


def _scalar_name(shape: Shape) -> str:
    if shape.kind in _PLAIN_NAMES:
        return _PLAIN_NAMES[shape.kind]
    if shape.leaf is not None and shape.leaf.name:
        return shape.leaf.name
    kind = arrow_type(shape)
    if kind in _LEAF_NAMES:
        return _LEAF_NAMES[kind]
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return _ARROW


def _fields_from_json(entries: list[dict[str, Any]]) -> dict[str, Shape]:
    return {entry["name"]: replace(_from_entry(entry), variant_of=entry.get("variant_of")) for entry in entries}


def _from_entry(entry: dict[str, Any]) -> Shape:
    name: str = entry["type"]
    lists = 0
    while name.startswith("list<") and name.endswith(">"):
        name, lists = name[5:-1], lists + 1
    shape = _inner(name, entry)
    for _ in range(lists):
        shape = Shape(Kind.LIST, item=shape)
    return shape


def _inner(name: str, entry: dict[str, Any]) -> Shape:
    if name == "struct":
        return Shape(Kind.STRUCT, fields=_fields_from_json(entry["fields"]))
    if name in _PLAIN:
        return Shape(_PLAIN[name])
    if make := _LEAVES.get(name) or _NAMED_LEAVES.get(name):
        return Shape(Kind.LEAF, leaf=make())
    if matched := _DECIMAL.fullmatch(name):
        precision, scale = int(matched[2]), int(matched[3])
        text = matched[1] is not None
        leaf = text_leaves.decimal(precision, scale) if text else _leaf(pa.decimal128(precision, scale))
        return Shape(Kind.LEAF, leaf=leaf)
    if name == _ARROW:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(entry["schema"])))
        return Shape(Kind.LEAF, leaf=_leaf(schema.field(0).type))
    raise ValueError(f"unknown type {name!r}")
