"""Turns Avro records of a Schema Registry into JSON as Kafka Connect writes it, by schemas beside the archive."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
import orjson

from streamsink.decode.avro.named_types import whole_schema
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.errors import TerminalError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/schemas/"
_MAGIC = 0
_HEAD_BYTES = 5


@dataclass(frozen=True, slots=True)
class _Schema:
    """One schema: as fastavro reads by it, and as Connect's JSON converter would write it."""

    avro: Any
    connect: bytes


class AvroRecords:
    """Reads values in a registry's wire format.

    Args:
        store: The archive's; its schemas are read with the first such value.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[int, str] | None = None
        self._schemas: dict[int, _Schema | None] = {}

    def as_json(self, data: bytes | None) -> bytes | None:
        """A value as JSON with its schema; what isn't in the wire format stays as it is.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: A value is damaged, or its schema is no Avro schema, or isn't beside the archive.
        """
        if data is None or not is_in_wire_format(data):
            return data
        number = int.from_bytes(data[1:_HEAD_BYTES], "big")
        schema = self._schema(number)
        if schema is None:
            raise TerminalError(
                f"schema {number} is not beside the archive",
                hint="archive such topics with value.converter=avro and archive.value=both, which keeps their schemas",
            )
        try:
            payload = fastavro.schemaless_reader(io.BytesIO(data[_HEAD_BYTES:]), schema.avro, None)
        except (ValueError, EOFError, IndexError, KeyError, TypeError) as error:
            raise TerminalError(f"a value is no Avro record of schema {number}: {error}") from error
        return b'{"schema":%s,"payload":%s}' % (schema.connect, orjson.dumps(payload, default=_text))

    def key_as_json(self, data: bytes | None) -> bytes | None:
        """As `as_json`; None where a key's schema isn't beside the archive, which keeps values' schemas."""
        if data is None or not is_in_wire_format(data):
            return data
        known = self._schema(int.from_bytes(data[1:_HEAD_BYTES], "big")) is not None
        return self.as_json(data) if known else None

    def _schema(self, number: int) -> _Schema | None:
        if number not in self._schemas:
            self._schemas[number] = self._read(number)
        return self._schemas[number]

    def _read(self, number: int) -> _Schema | None:
        if self._names is None:
            listed = (info.name for info in self._store.list(FOLDER))
            stems = ((name, name.rpartition("/")[2].removesuffix(".json")) for name in listed)
            self._names = {int(stem): name for name, stem in stems if stem.isdecimal()}
        if number not in self._names:
            return None
        found = RegisteredSchema.from_json(self._store.get(self._names[number]))
        if found.kind != "AVRO":
            raise TerminalError(
                f"schema {number} is {found.kind}", hint="Avro and JSON in Debezium's envelope are read"
            )
        whole = whole_schema(found.text, found.references)
        names: dict[str, Any] = {}
        connect = _connect(whole, names)
        return _Schema(fastavro.parse_schema(_plain(whole)), orjson.dumps(connect))


def is_in_wire_format(data: bytes) -> bool:
    """Whether bytes begin as a registry's serializers begin them."""
    return len(data) >= _HEAD_BYTES and data[0] == _MAGIC


def _text(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def _plain(schema: Any) -> Any:
    """The schema without logical types: numbers and bytes are meant by their Connect names."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if isinstance(schema, dict):
        kept = {name: value for name, value in schema.items() if name not in {"logicalType", "default"}}
        return {
            name: _plain(value) if name in {"type", "items", "values", "fields"} else value
            for name, value in kept.items()
        }
    return schema


def _connect(schema: Any, names: dict[str, Any]) -> dict[str, Any]:
    """Read Connect's JSON of a type: its name, its fields, its parameters."""
    if isinstance(schema, list):
        known = [each for each in schema if each != "null"]
        return _connect(known[0], names) if len(known) == 1 else {"type": "union"}
    if isinstance(schema, str):
        known_type: dict[str, Any] = names.get(schema, {"type": schema})
        return known_type
    inner = schema["type"]
    if isinstance(inner, (dict, list)):
        return _connect(inner, names)
    found: dict[str, Any] = {"type": inner, "name": schema.get("connect.name", ""), "parameters": _parameters(schema)}
    if inner == "record":
        found["type"] = "struct"
        named = (
            schema["name"] if "." in schema["name"] else f"{schema.get('namespace', '')}.{schema['name']}".strip(".")
        )
        names[named] = names[schema["name"]] = found
        found["fields"] = [{**_connect(each["type"], names), "field": each["name"]} for each in schema["fields"]]
    return found


def _parameters(schema: Mapping[str, Any]) -> dict[str, str]:
    told = {name: str(value) for name, value in schema.get("connect.parameters", {}).items()}
    return {**({"scale": str(schema["scale"])} if "scale" in schema else {}), **told}
