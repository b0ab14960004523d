"""Arrow schemas as Avro schemas. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import types

from streamsink.encode.footer import schema_from_text
from streamsink.errors import TerminalError
from streamsink.record import AVRO_COLUMNS, AVRO_RECORD

ORIGINAL_NAME = "streamsink.name"
"""Property of a field whose name Avro doesn't allow: the name it has in Kafka."""

_UNITS = {"s": "millis", "ms": "millis", "us": "micros", "ns": "nanos"}


def to_avro(schema: pa.Schema) -> dict[str, Any]:
    """The Avro record of an Arrow schema, nullable fields as unions with null first.

    Raises:
        TerminalError: A column's type has no place in Avro.
    """
    names: set[str] = set()
    described = _record("Row", [field for field in schema if not is_copied(field)], names)
    for field in schema:
        if is_copied(field):
            described["fields"] += orjson.loads(field.metadata[AVRO_RECORD.encode()])["fields"]
    return described


def is_copied(field: pa.Field) -> bool:
    """Whether values are encoded Avro records already: their fields take the field's place, at the end."""
    return AVRO_RECORD.encode() in (field.metadata or {})


def decoded_schema(schema: pa.Schema) -> pa.Schema:
    """The schema that a reader gets for rows of this schema."""
    fields: list[pa.Field] = []
    for field in schema:
        text = (field.metadata or {}).get(AVRO_COLUMNS.encode())
        fields += [field] if text is None else list(schema_from_text(text.decode()))
    return pa.schema(fields, metadata=schema.metadata)


def is_union(field: pa.Field) -> bool:
    """Whether the field is a union with null: nullable, and of a type that isn't null anyway."""
    return bool(field.nullable) and not types.is_null(field.type)


def _record(name: str, fields: list[pa.Field], names: set[str]) -> dict[str, Any]:
    name = _unique(name, names)
    taken: set[str] = set()
    return {"type": "record", "name": name, "fields": [_field(field, name, taken, names) for field in fields]}


def _field(field: pa.Field, path: str, taken: set[str], names: set[str]) -> dict[str, Any]:
    name = _unique(field.name, taken)
    inner = _type(field.type, f"{path}_{name}", names)
    described: dict[str, Any] = {"name": name, "type": ["null", inner] if is_union(field) else inner}
    if is_union(field):
        described["default"] = None
    if name != field.name:
        described[ORIGINAL_NAME] = field.name
    return described


def _nullable(field: pa.Field, path: str, names: set[str]) -> Any:
    inner = _type(field.type, path, names)
    return ["null", inner] if is_union(field) else inner


def _type(type_: pa.DataType, path: str, names: set[str]) -> Any:
    if isinstance(type_, pa.ExtensionType):
        return _type(type_.storage_type, path, names)
    if types.is_dictionary(type_):
        return _type(type_.value_type, path, names)
    if types.is_struct(type_):
        return _record(path, [type_.field(index) for index in range(type_.num_fields)], names)
    if types.is_map(type_):
        return _map(type_, path, names)
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return {"type": "array", "items": _nullable(type_.value_field, f"{path}_item", names)}
    return _primitive(type_, path)


def _map(type_: pa.MapType, path: str, names: set[str]) -> Any:
    if is_text(type_.key_type):
        return {"type": "map", "values": _nullable(type_.item_field, f"{path}_value", names)}
    return {"type": "array", "items": _record(f"{path}_entry", [type_.key_field, type_.item_field], names)}


def is_text(type_: pa.DataType) -> bool:
    """Whether values are strings."""
    return bool(types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_))


def is_bytes(type_: pa.DataType) -> bool:
    """Whether values are byte strings."""
    return bool(
        types.is_binary(type_)
        or types.is_large_binary(type_)
        or types.is_binary_view(type_)
        or types.is_fixed_size_binary(type_)
    )


def _primitive(type_: pa.DataType, path: str) -> Any:  # noqa: PLR0911 - one line for each type reads best
    if types.is_null(type_):
        return "null"
    if types.is_boolean(type_):
        return "boolean"
    if types.is_uint64(type_):
        return {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0}
    if types.is_integer(type_):
        return "long" if types.is_int64(type_) or types.is_uint32(type_) else "int"
    if types.is_floating(type_):
        return "double" if types.is_float64(type_) else "float"
    if is_text(type_):
        return "string"
    if types.is_decimal(type_):
        return {"type": "bytes", "logicalType": "decimal", "precision": type_.precision, "scale": type_.scale}
    if is_bytes(type_):
        return "bytes"
    return _temporal(type_, path)


def _temporal(type_: pa.DataType, path: str) -> Any:
    if types.is_timestamp(type_):
        local = "" if type_.tz else "local-"
        return {"type": "long", "logicalType": f"{local}timestamp-{_UNITS[type_.unit]}"}
    if types.is_date(type_):
        return {"type": "int", "logicalType": "date"}
    if types.is_time32(type_):
        return {"type": "int", "logicalType": "time-millis"}
    if types.is_time64(type_) and type_.unit == "us":
        return {"type": "long", "logicalType": "time-micros"}
    if types.is_duration(type_) or types.is_time64(type_):
        return "long"
    raise TerminalError(
        f"column {path.removeprefix('Row_')} is {type_}, which Avro objects can't hold",
        hint="choose format.class=parquet for this topic",
    )


def _unique(name: str, taken: set[str]) -> str:
    """The name with what Avro doesn't allow replaced, and a number behind it where that is taken."""
    base = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not re.match(r"[A-Za-z_]", base):
        base = f"_{base}"
    unique, number = base, 1
    while unique in taken:
        number += 1
        unique = f"{base}_{number}"
    taken.add(unique)
    return unique
