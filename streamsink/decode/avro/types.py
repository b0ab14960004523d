"""Avro schemas as a tree, each type with its Arrow type. Pure: no I/O, no clock.

A type that holds itself has no end in Arrow: the field it is under becomes JSON text. A union of more than one type
becomes a struct with one nullable field for each, as Connect's AvroData does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson
import pyarrow as pa

from streamsink.decode.avro.named_types import PRIMITIVES, AvroSchemaError, Names, full_name, learned, resolve, spelled
from streamsink.decode.json.shape import EMPTY_STRUCT
from streamsink.record import JSON_TEXT_METADATA

DECIMAL_DIGITS_MAX = 38
"""What Parquet's readers agree on. Connect declares 64 where it knows no precision: wider values are refused."""

DECIMAL_BYTES_MAX = 32
DEPTH_MAX = 64
PROPERTY_PREFIX = "connect."

_UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}
_ARROW = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}


class AvroKind(Enum):
    """The encoding of a value."""

    NULL = auto()
    BOOLEAN = auto()
    INT = auto()
    LONG = auto()
    FLOAT = auto()
    DOUBLE = auto()
    BYTES = auto()
    STRING = auto()
    FIXED = auto()
    ENUM = auto()
    ARRAY = auto()
    MAP = auto()
    RECORD = auto()
    UNION = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True, eq=False)
class AvroType:
    """One place of an Avro schema.

    Args:
        kind: How values are encoded.
        arrow: Their Arrow type.
        children: Fields of a record, branches of a union, items of an array, values of a map.
        names: The fields' or branches' names.
        size: Bytes of a fixed.
        symbols: Of an enum.
        null_branch: Which branch of a union is null, or None.
        schema: The Avro schema of a value that becomes JSON text, whole.
        fields: Arrow's fields of the children, with defaults and aliases in their metadata.
        full_names: Of a union's branches, as Avro knows them.
    """

    kind: AvroKind
    arrow: pa.DataType
    children: tuple[AvroType, ...] = ()
    names: tuple[str, ...] = ()
    size: int = 0
    symbols: tuple[str, ...] = ()
    null_branch: int | None = None
    schema: Any = None
    fields: tuple[pa.Field, ...] = ()
    full_names: tuple[str, ...] = ()

    @property
    def nullable(self) -> bool:
        """Whether values may be null."""
        return self.null_branch is not None or self.kind is AvroKind.NULL


def avro_type(text: str, references: Mapping[str, str] | None = None) -> AvroType:
    """The tree of a schema text.

    Args:
        text: The schema.
        references: Texts of schemas it names, by name, each after those it needs itself.

    Raises:
        AvroSchemaError: It is none.
    """
    try:
        schema, names = learned(text, references or {})
        return _type(schema, "", names, 0)
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        raise AvroSchemaError(f"it is no Avro schema: {error!r}") from error


def _type(schema: Any, space: str, names: Names, depth: int) -> AvroType:  # noqa: C901, PLR0911 - one case a type
    if depth > DEPTH_MAX:
        raise AvroSchemaError(f"it is nested more than {DEPTH_MAX} deep")
    if isinstance(schema, list):
        return _union(schema, space, names, depth)
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return AvroType(AvroKind[schema.upper()], _ARROW[schema])
        schema, space = resolve(schema, space, names)
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return _type(kind, space, names, depth + 1)
    match kind:
        case "record" | "error":
            return _record(schema, space, names, depth)
        case "enum":
            return AvroType(AvroKind.ENUM, pa.string(), symbols=tuple(map(str, schema["symbols"])))
        case "fixed":
            return _fixed(schema)
        case "array":
            item = _type(schema["items"], space, names, depth + 1)
            member = pa.field("item", item.arrow, nullable=item.nullable)
            return AvroType(AvroKind.ARRAY, pa.list_(member), (item,))
        case "map":
            value = _type(schema["values"], space, names, depth + 1)
            member = pa.field("value", value.arrow, nullable=value.nullable)
            return AvroType(AvroKind.MAP, pa.map_(pa.string(), member), (value,))
        case _ if kind in PRIMITIVES:
            return AvroType(AvroKind[kind.upper()], _logical(schema, kind) or _ARROW[kind])
    return _type(*resolve(kind, space, names), names, depth + 1)


def _fixed(schema: Mapping[str, Any]) -> AvroType:
    size = int(schema["size"])
    arrow = _decimal_of(schema) if schema.get("logicalType") == "decimal" else None
    # Parquet writes byte strings of the fixed length 0, and then can't read them.
    return AvroType(AvroKind.FIXED, arrow or (pa.binary(size) if size else pa.binary()), size=size)


def without_ignored(schema: Any) -> Any:
    """A schema without the logical types that are ignored, as readers are strict in unlike ways about those.

    Decimals are left out where they aren't declared as Avro demands, or where Arrow has no place for them.
    """
    if isinstance(schema, list):
        return [without_ignored(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {"type", "items", "values", "fields"}
    found = {key: without_ignored(value) if key in inside else value for key, value in schema.items()}
    if schema.get("logicalType") == "decimal" and not (schema["type"] in {"bytes", "fixed"} and _decimal_of(schema)):
        for key in ("logicalType", "precision", "scale"):
            found.pop(key, None)
    return found


def _decimal_of(schema: Mapping[str, Any]) -> pa.DataType | None:
    if schema["type"] == "fixed" and int(schema["size"]) > DECIMAL_BYTES_MAX:
        return None
    return _decimal(schema)


def _decimal(schema: Mapping[str, Any]) -> pa.DataType | None:
    """None where the declaration is not one that Avro allows: the bytes are kept then, as Avro says."""
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision or precision < 1:
        return None
    return pa.decimal128(min(precision, DECIMAL_DIGITS_MAX), scale) if scale <= DECIMAL_DIGITS_MAX else None


def _logical(schema: Mapping[str, Any], kind: str) -> pa.DataType | None:
    name = schema.get("logicalType")
    if not isinstance(name, str):
        return None
    if kind == "bytes" and name == "decimal":
        return _decimal(schema)
    if kind == "int":
        return {"date": pa.date32(), "time-millis": pa.time32("ms")}.get(name)
    if kind == "long":
        if name == "time-micros":
            return pa.time64("us")
        head, _, unit = name.rpartition("-")
        if head in {"timestamp", "local-timestamp"} and unit in _UNITS:
            return pa.timestamp(_UNITS[unit], tz="UTC" if head == "timestamp" else None)
    return None


def _record(schema: Mapping[str, Any], space: str, names: Names, depth: int) -> AvroType:
    name, space = full_name(schema, space)
    if name in names.open:
        names.recursive = True
        return AvroType(AvroKind.JSON, pa.string())
    names.open.append(name)
    children, fields = [], []
    for member in schema["fields"]:
        outer, names.recursive = names.recursive, False
        child = _type(member["type"], space, names, depth + 1)
        if names.recursive:
            whole = spelled(member["type"], space, names, set())
            child = AvroType(AvroKind.JSON, pa.string(), schema=whole, null_branch=_null_branch(member["type"]))
        names.recursive = outer
        children.append(child)
        fields.append(_arrow_field(member, child))
    names.open.pop()
    arrow = pa.struct(fields) if fields else EMPTY_STRUCT
    return AvroType(
        AvroKind.RECORD, arrow, tuple(children), tuple(member.name for member in fields), fields=tuple(fields)
    )


def _arrow_field(member: Mapping[str, Any], child: AvroType) -> pa.Field:
    about = {key: _text(member[key]) for key in member if key.startswith(PROPERTY_PREFIX)}
    if "default" in member:
        about["avro.default"] = _text(member["default"])
    if member.get("aliases"):
        about["avro.aliases"] = _text(member["aliases"])
    if child.kind is AvroKind.JSON:
        about |= JSON_TEXT_METADATA
    return pa.field(str(member["name"]), child.arrow, nullable=child.nullable, metadata=about or None)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _null_branch(schema: Any) -> int | None:
    return schema.index("null") if isinstance(schema, list) and "null" in schema else None


def _union(schema: list[Any], space: str, names: Names, depth: int) -> AvroType:
    children = tuple(_type(branch, space, names, depth + 1) for branch in schema)
    labels = tuple(_branch_name(branch, space, names) for branch in schema)
    null = next((at for at, child in enumerate(children) if child.kind is AvroKind.NULL), None)
    values = [at for at in range(len(children)) if at != null]
    if not values:
        return AvroType(AvroKind.UNION, pa.null(), children, labels, null_branch=null)
    if len(values) == 1:
        return AvroType(AvroKind.UNION, children[values[0]].arrow, children, labels, null_branch=null)
    short = [label.rpartition(".")[2] for label in labels]
    unique = tuple(label if short.count(short[at]) > 1 else short[at] for at, label in enumerate(labels))
    members = [pa.field(unique[at], children[at].arrow) for at in values]
    return AvroType(AvroKind.UNION, pa.struct(members), children, unique, null_branch=null, full_names=labels)


def _branch_name(branch: Any, space: str, names: Names) -> str:
    if isinstance(branch, str):
        if branch in PRIMITIVES:
            return branch
        branch, space = resolve(branch, space, names)
    if isinstance(branch, dict) and branch["type"] in {"record", "error", "enum", "fixed"}:
        return full_name(branch, space)[0]
    return str(branch["type"]) if isinstance(branch, dict) else "union"
