"""Columns that a Schema Registry's converter made, back into its wire format. Reads schemas beside the archive.

Avro and Protobuf are written as their serializers write them, so that values come back byte for byte where those wrote
them plainly; JSON in equal meaning. With another registry, schemas are registered there and values get its ids.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import orjson
import pyarrow as pa

from streamsink.config.sink import Converter, RegistryRules
from streamsink.decode import wire
from streamsink.decode.avro_names import whole_schema
from streamsink.decode.avro_types import AvroKind, AvroType, avro_type
from streamsink.decode.protobuf_reader import ProtobufReader
from streamsink.decode.registry import RegisteredSchema, SchemaRegistry
from streamsink.decode.registry_values import CONVERTER_KEY, MESSAGE_KEY, SCHEMA_KEY
from streamsink.encode.nested import schema_with_leaves
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.replay.encode_value import encode_values
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/schemas"

Encode = Callable[[pa.RecordBatch], pa.BinaryArray]


class ValueEncoder:
    """Values of an archive's columns, whatever converter made those.

    Args:
        store: The archive's.
        topic: Where values go, for the subject in another registry.
        registry_url: Another registry, or "" to keep ids as they were.
    """

    def __init__(self, store: Store, topic: str, registry_url: str = "") -> None:
        self._store = store
        self._subject = f"{topic}-value"
        self._registry = SchemaRegistry(RegistryRules({"url": registry_url})) if registry_url else None
        self._ids: dict[str, int] = {}
        self._encoders: dict[tuple[str, str, str], Encode] = {}

    def columns(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        """One value for each row.

        Args:
            rows: The decoded columns, without `_kafka`, with their schema's metadata.

        Raises:
            TerminalError: The schema is not beside the archive.
        """
        about = rows.schema.metadata or {}
        converter = about.get(CONVERTER_KEY.encode(), b"").decode()
        if not converter:
            return encode_values(rows)
        name = about.get(SCHEMA_KEY.encode(), b"").decode()
        if not name:
            return pa.nulls(rows.num_rows, pa.binary())
        key = (converter, name, about.get(MESSAGE_KEY.encode(), b"").decode())
        if key not in self._encoders:
            self._encoders[key] = self._make(*key)
        return self._encoders[key](rows)

    def originals(self, values: pa.BinaryArray, schema: pa.Schema) -> pa.BinaryArray:
        """Original values, with another registry's ids where that was asked for.

        Raises:
            TerminalError: The archive doesn't have their schemas.
        """
        if self._registry is None:
            return values
        name = (schema.metadata or {}).get(SCHEMA_KEY.encode(), b"").decode().rpartition("/")[0]
        ids = wire.read_ids(values)
        if not name:
            if (ids == wire.NULL).all():
                return values
            raise TerminalError(
                "the archive holds values without their schemas, which can't be registered then",
                hint="replay without --register-schemas; archive.value=both keeps schemas and bytes",
            )
        known = {number: self._id(self._schema(f"{name}/{number}")) for number in np.unique(ids[ids >= 0]).tolist()}
        return pa.array(
            [
                value if number not in known else b"\0" + known[number].to_bytes(4, "big") + value[wire.HEAD_BYTES :]
                for number, value in zip(ids.tolist(), values.to_pylist(), strict=True)
            ],
            pa.binary(),
        )

    def _make(self, converter: str, name: str, message: str) -> Encode:
        schema = self._schema(name)
        head = b"\0" + self._id(schema).to_bytes(4, "big")
        match Converter(converter):
            case Converter.AVRO:
                return _Avro(schema, head)
            case Converter.PROTOBUF:
                return _Protobuf(schema, head, tuple(map(int, message.split("."))) if message else (0,))
            case _:
                return lambda rows: _headed(head, encode_values(rows).to_pylist())

    def _schema(self, name: str) -> RegisteredSchema:
        try:
            return RegisteredSchema.from_json(self._store.get(f"{FOLDER}/{name}.json"))
        except ObjectMissingError as error:
            raise TerminalError(
                f"{FOLDER}/{name}.json is missing: without the schema, columns can't become values again",
                hint="restore the folder _streamsink/schemas beside the archive",
            ) from error

    def _id(self, schema: RegisteredSchema) -> int:
        """The schema's id in the registry that values are for."""
        if self._registry is None:
            return schema.schema_id
        if schema.text not in self._ids:
            self._ids[schema.text] = self._registered(self._registry, schema)
        return self._ids[schema.text]

    def _registered(self, registry: SchemaRegistry, schema: RegisteredSchema) -> int:
        if schema.references and schema.kind != "AVRO":
            raise TerminalError(
                f"schema id {schema.schema_id} refers to others, which only Avro's are registered anew with",
                hint="register it by hand, and replay without --register-schemas",
            )
        text = schema.text
        if schema.references:
            text = orjson.dumps(whole_schema(schema.text, schema.references)).decode()
        return registry.register(self._subject, RegisteredSchema(0, schema.kind, text), [])


def _headed(head: bytes, values: list[bytes | None]) -> pa.BinaryArray:
    return pa.array([None if value is None else head + value for value in values], pa.binary())


class _Protobuf:
    def __init__(self, schema: RegisteredSchema, head: bytes, path: tuple[int, ...]) -> None:
        self._reader = ProtobufReader(schema, path)
        self._head = head + (b"\0" if path == (0,) else b"".join(map(_zigzag, (len(path), *path))))

    def __call__(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        return _headed(self._head, self._reader.write(rows))


def _zigzag(number: int) -> bytes:
    left, found = number << 1, bytearray()
    while left >= 0x80:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


class _Avro:
    """Record by record, in the schema's own form without logical types: times are numbers in Arrow as in Avro."""

    def __init__(self, schema: RegisteredSchema, head: bytes) -> None:
        self._head = head
        self._type = avro_type(schema.text, schema.references)
        self._schema = fastavro.parse_schema(_without_times(whole_schema(schema.text, schema.references)))
        self._bare = self._type.kind is not AvroKind.RECORD

    def __call__(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        numbered = rows.cast(schema_with_leaves(rows.schema, _as_number))
        found: list[bytes | None] = []
        for row in numbered.to_pylist():
            stream = io.BytesIO()
            stream.write(self._head)
            value = _datum(self._type, row["value"] if self._bare else row)
            try:
                fastavro.schemaless_writer(stream, self._schema, value)
            except (TypeError, ValueError, KeyError) as error:
                raise TerminalError(
                    f"a record can't be written in its schema again: {error}",
                    hint="archive.value=both or raw keeps the original bytes",
                ) from error
            found.append(stream.getvalue())
        return pa.array(found, pa.binary())


def _as_number(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_temporal(type_):
        return pa.int32() if type_.bit_width == 32 else pa.int64()
    return type_


def _without_times(schema: Any) -> Any:
    """Only decimals keep their logical type."""
    if isinstance(schema, list):
        return [_without_times(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_times(value) if key in {"type", "items", "values", "fields"} else value
        for key, value in schema.items()
        if key != "logicalType" or value == "decimal"
    }


def _datum(type_: AvroType, value: Any) -> Any:  # noqa: PLR0911 - one case a kind
    """A value as fastavro wants it: maps as dicts, branches of a union of several types by name."""
    if value is None:
        return None
    match type_.kind:
        case AvroKind.RECORD:
            pairs = zip(type_.names, type_.children, strict=True)
            return {name: _datum(child, value[name]) for name, child in pairs}
        case AvroKind.ARRAY:
            return [_datum(type_.children[0], item) for item in value]
        case AvroKind.MAP:
            return {key: _datum(type_.children[0], item) for key, item in value}
        case AvroKind.JSON:
            return orjson.loads(value)
        case AvroKind.UNION:
            return _branch(type_, value)
        case _:
            return value


def _branch(type_: AvroType, value: Any) -> Any:
    values = [at for at in range(len(type_.children)) if at != type_.null_branch]
    if len(values) == 1:
        return _datum(type_.children[values[0]], value)
    for at in values:
        inside = value.get(type_.names[at])
        if inside is not None:
            return (type_.full_names[at], _datum(type_.children[at], inside))
    return None
