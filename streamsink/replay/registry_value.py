"""Encodes columns of a registry's converters in its wire format again. Reads schemas beside the archive.

Avro and Protobuf are written as their serializers write them, so that values come back byte for byte where those wrote
them plainly; JSON in equal meaning. With another registry, schemas are registered there and values get its ids.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa

from streamsink.cells import join
from streamsink.config.sink import Converter, RegistryRules
from streamsink.decode.avro.named_types import whole_schema
from streamsink.decode.protobuf.reader import ProtobufReader
from streamsink.decode.registry import wire
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.decode.registry.schema_reader import AvroReader, SchemaReader
from streamsink.decode.registry.values import CONVERTER_KEY, MESSAGE_KEY, SCHEMA_KEY
from streamsink.errors import ObjectMissingError, ValueNotKeptError
from streamsink.replay.encode_value import encode_values
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/schemas"

Encode = Callable[[pa.RecordBatch], pa.BinaryArray]


class ValueEncoder:
    """Makes values of an archive's columns, for each converter that may have made the columns.

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

    def columns(self, rows: pa.RecordBatch, tombstones: pa.BooleanArray | None = None) -> pa.BinaryArray:
        """One value for each row.

        Args:
            rows: The decoded columns, without `_kafka`, with their schema's metadata.
            tombstones: Which rows have no value, where the archive tells. Those of a registry's converter have
                their own objects, which name no schema.

        Returns:
            One value a row in the registry's wire format, null where the record had none.

        Raises:
            ValueNotKeptError: The schema is not beside the archive, or a row doesn't fit it.
        """
        about = rows.schema.metadata or {}
        converter = about.get(CONVERTER_KEY.encode(), b"").decode()
        if not converter:
            return encode_values(rows, tombstones)
        name = about.get(SCHEMA_KEY.encode(), b"").decode()
        if not name:
            return pa.nulls(rows.num_rows, pa.binary())
        key = (converter, name, about.get(MESSAGE_KEY.encode(), b"").decode())
        if key not in self._encoders:
            self._encoders[key] = self._make(*key)
        return self._encoders[key](rows)

    def originals(self, values: pa.BinaryArray, schema: pa.Schema) -> pa.BinaryArray:
        """Original values, with another registry's ids where that was asked for.

        Args:
            values: One a row, in the wire format, null for none.
            schema: The rows' schema. Its metadata name the folder of the values' schemas.

        Returns:
            One value a row. The same array where the schemas keep their ids.

        Raises:
            ValueNotKeptError: The archive doesn't have their schemas.
        """
        if self._registry is None:
            return values
        name = (schema.metadata or {}).get(SCHEMA_KEY.encode(), b"").decode().rpartition("/")[0]
        ids = wire.read_ids(values)
        if not name:
            if (ids == wire.NULL).all():
                return values
            raise ValueNotKeptError(
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
                return _Framed(AvroReader(schema), head)
            case Converter.PROTOBUF:
                path = tuple(map(int, message.split("."))) if message else (0,)
                return _Framed(ProtobufReader(schema, path), head + _place(path))
            case _:
                return lambda rows: _headed(
                    head, encode_values(rows, pa.repeat(pa.scalar(False), rows.num_rows)).to_pylist()
                )

    def _schema(self, name: str) -> RegisteredSchema:
        try:
            return RegisteredSchema.from_json(self._store.get(f"{FOLDER}/{name}.json"))
        except ObjectMissingError as error:
            raise ValueNotKeptError(
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
            raise ValueNotKeptError(
                f"schema id {schema.schema_id} refers to others, which only Avro's are registered anew with",
                hint="register it by hand, and replay without --register-schemas",
            )
        text = schema.text
        if schema.references:
            text = orjson.dumps(whole_schema(schema.text, schema.references)).decode()
        return registry.register(self._subject, RegisteredSchema(0, schema.kind, text), [])


def _headed(head: bytes, values: list[bytes | None]) -> pa.BinaryArray:
    return pa.array([None if value is None else head + value for value in values], pa.binary())


class _Framed:
    """Values of one schema behind the head that names it."""

    def __init__(self, reader: SchemaReader, head: bytes) -> None:
        self._reader = reader
        self._head = head

    def __call__(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        written = self._reader.write(rows)
        if written.bad:
            row = min(written.bad)
            raise ValueNotKeptError(
                f"its value can't be written in its schema again: {written.bad[row]}",
                hint="archive.value=both or raw keeps the original bytes",
                row=row,
            )
        return join([self._head, written.cells], rows.num_rows)


def _place(path: tuple[int, ...]) -> bytes:
    """Where a Protobuf message stands in its schema, as serializers write it."""
    return b"\0" if path == (0,) else b"".join(map(_zigzag, (len(path), *path)))


def _zigzag(number: int) -> bytes:
    left, found = number << 1, bytearray()
    while left >= 0x80:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])
