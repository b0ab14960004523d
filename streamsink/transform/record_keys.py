"""Writes keys that transforms changed as bytes that their converter reads as the same key. Pure.

Bytes stay bytes. With the json converter all else is JSON, in Connect's envelope of schema and payload where keys come
in it; with any other, strings are their UTF-8 and all else is JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import orjson
import pyarrow as pa

from streamsink.java.numbers import big_integer_bytes
from streamsink.transform.rows import Datum
from streamsink.transform.texts import json_texts

_TYPES = {
    pa.bool_(): "boolean",
    pa.int8(): "int8",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "bytes",
}
_LOGICAL = "org.apache.kafka.connect.data."

KeyWriter = Callable[[Datum], pa.Array]
"""Keys as bytes, null for null."""

_WIDE = Context(prec=100)
"""Python's own context rounds to 28 digits."""


def key_writer(*, as_json: bool, with_schema: bool) -> KeyWriter:
    """Choose how keys are written.

    Args:
        as_json: Whether the json converter reads them.
        with_schema: Whether it wants schema and payload.

    Returns:
        A function that makes one binary cell, or null, of each key.
    """

    def write(datum: Datum) -> pa.Array:
        kind = datum.array.type
        if pa.types.is_null(kind):
            return pa.nulls(len(datum.array), pa.binary())
        if as_json and with_schema:
            return _enveloped(datum)
        if pa.types.is_binary(kind) and not as_json:
            return datum.array
        if pa.types.is_string(kind) and not datum.text and not as_json:
            return datum.array.cast(pa.binary())
        return json_texts(datum.array, text=datum.text).cast(pa.binary())

    return write


def _enveloped(datum: Datum) -> pa.Array:
    kind = datum.array.type
    schema = None if datum.text else {**connect_schema(kind), "optional": True}
    if schema is not None and datum.name:
        schema["name"] = datum.name
    if schema is not None and datum.version is not None:
        schema["version"] = datum.version
    rows: list[bytes | None] = []
    for value in datum.array.to_pylist():
        if value is None:
            rows.append(None)
            continue
        payload = orjson.Fragment(value) if datum.text else _payload(value, kind)
        rows.append(orjson.dumps({"schema": schema, "payload": payload}))
    return pa.array(rows, pa.binary())


def connect_schema(kind: pa.DataType) -> dict[str, Any]:  # noqa: PLR0911 - one case a type
    """A type as Connect's JsonConverter writes its schema."""
    if pa.types.is_struct(kind):
        fields = [{"field": child.name, **connect_schema(child.type), "optional": True} for child in kind]
        return {"type": "struct", "fields": fields}
    if pa.types.is_map(kind):
        return {"type": "map", "keys": connect_schema(kind.key_type), "values": connect_schema(kind.item_type)}
    if pa.types.is_list(kind):
        return {"type": "array", "items": {**connect_schema(kind.value_type), "optional": True}}
    if pa.types.is_timestamp(kind):
        return {"type": "int64", "name": f"{_LOGICAL}Timestamp", "version": 1}
    if pa.types.is_date(kind):
        return {"type": "int32", "name": f"{_LOGICAL}Date", "version": 1}
    if pa.types.is_time(kind):
        return {"type": "int32", "name": f"{_LOGICAL}Time", "version": 1}
    if pa.types.is_decimal(kind):
        parameters = {"scale": str(kind.scale)}
        return {"type": "bytes", "name": f"{_LOGICAL}Decimal", "version": 1, "parameters": parameters}
    return {"type": _TYPES.get(kind, "string")}


def _payload(value: Any, kind: pa.DataType) -> Any:  # noqa: PLR0911 - one case a type
    """A value as JsonConverter writes it: times as numbers, bytes and decimals in base64."""
    match value:
        case None:
            return None
        case dict():
            return {child.name: _payload(value[child.name], child.type) for child in kind}
        case list() if pa.types.is_map(kind):
            return {key: _payload(member, kind.item_type) for key, member in value}
        case list():
            return [_payload(member, kind.value_type) for member in value]
        case bytes():
            return base64.b64encode(value).decode()
        case Decimal():
            unscaled = int(value.scaleb(kind.scale, _WIDE))
            return base64.b64encode(big_integer_bytes(unscaled)).decode()
    if pa.types.is_temporal(kind):
        wide = pa.int64() if kind.bit_width == 64 else pa.int32()
        number = pa.scalar(value, kind)
        if pa.types.is_timestamp(kind):
            number = number.cast(pa.timestamp("ms", tz=kind.tz))
        return number.cast(wide).as_py()
    return value
