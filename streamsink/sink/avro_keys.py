"""Makes Avro objects of keys that a registry knows, in the schema they were written with. Decodes nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import structlog

from streamsink.cells import binary, choose, join
from streamsink.config.sink import Encoding
from streamsink.decode.registry.client import SchemaRegistry, UnknownSchemaError
from streamsink.decode.registry.wire import HEAD_BYTES, distinct, read_ids
from streamsink.encode.siblings import encode_entries

NULL_BRANCH, KEY_BRANCH = b"\x00", b"\x02"
"""Which branch of `["null", key]` an entry is of."""

_log = structlog.get_logger("streamsink.sink")


class AvroKeys:
    """A connector's keys.

    Args:
        registry: Has their schemas.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._told: set[str] = set()

    def encode(self, keys: pa.BinaryArray, encoding: Encoding, identity: str) -> bytes | None:
        """Make one object of keys.

        Args:
            keys: Keys in Confluent's framing, each with its schema's id; null where a record has no key.
            encoding: The codec and its level.
            identity: Where the records come from; it seeds the object's sync marker.

        Returns:
            The object's bytes; None where its keys have no one schema that stands by itself.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        schema = self._schema(keys)
        if schema is None:
            return None
        payloads = pa.array([b"" if key is None else key[HEAD_BYTES:] for key in keys.to_pylist()], pa.binary())
        if not keys.null_count:
            return encode_entries(binary(payloads), schema, encoding, identity)
        branches = choose(keys.is_valid(), join([KEY_BRANCH, payloads], len(keys)), NULL_BRANCH)
        return encode_entries(branches, ["null", schema], encoding, identity)

    def _schema(self, keys: pa.BinaryArray) -> Any:
        ids = distinct(read_ids(keys.drop_null()))
        if len(ids) != 1 or ids[0] < 0:
            return self._bytes(f"keys of one object have {len(ids)} schemas" if len(ids) > 1 else "keys have no schema")
        try:
            found = self._registry.schema(ids[0])
        except UnknownSchemaError as error:
            return self._bytes(str(error))
        if found.kind != "AVRO" or found.references:
            return self._bytes(f"the keys' schema {ids[0]} is no Avro schema that stands by itself")
        schema = orjson.loads(found.text)
        if isinstance(schema, list) and keys.null_count:
            return self._bytes("the keys' schema is a union, and there are null keys")
        return schema

    def _bytes(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            _log.warning("keys are stored as their bytes", reason=why)
