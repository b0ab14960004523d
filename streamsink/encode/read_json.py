"""JSON Lines back into rows, typed where the sidecar is there. Reads bytes, knows no store."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import types

from streamsink.encode.avro_schema import is_bytes, is_text
from streamsink.encode.footer import ARROW_SCHEMA, own_entries, schema_from_text
from streamsink.encode.nested import with_leaves
from streamsink.encode.stream import lines_of, open_plain
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS

BATCH_ROWS = 4096
_VALUE = pa.field("value", pa.binary())

_Restore = Callable[[Any], Any]


class JsonLinesReader:
    """One JSON Lines object.

    Args:
        name: Its name, whose end tells the compression.
        data: All of it, or a file of it.
        sidecar: Its sidecar; without it only `_kafka` has the types it was written with.
    """

    def __init__(self, name: str, data: bytes | memoryview | pa.NativeFile, sidecar: bytes | None) -> None:
        self._name = name
        self._data = data
        self._entries: dict[str, str] = {} if sidecar is None else orjson.loads(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar."""
        return own_entries({key: value.encode() for key, value in self._entries.items()})

    def schema(self) -> pa.Schema | None:
        """The rows' schema, where the sidecar has it."""
        return schema_from_text(self._entries[ARROW_SCHEMA]) if ARROW_SCHEMA in self._entries else None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, some thousands at a time."""
        schema = self.schema()
        for lines in lines_of(open_plain(self._data, self._name), BATCH_ROWS):
            rows = [orjson.loads(line) for line in lines]
            yield _typed(rows, schema or _guessed(rows))


def _guessed(rows: list[Any]) -> pa.Schema:
    plain = [{key: value for key, value in row.items() if key != ENVELOPE} for row in rows]
    schema = pa.RecordBatch.from_pylist(plain).schema
    envelope = rows[0].get(ENVELOPE)
    if envelope is None:
        return schema
    fields = [*ENVELOPE_FIELDS, *([_VALUE] if "value" in envelope else [])]
    return schema.insert(0, pa.field(ENVELOPE, pa.struct(fields), nullable=False))


def _typed(rows: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        epoch = field.name == ENVELOPE
        values = [row.get(field.name) for row in rows]
        restore = _restorer(field.type)
        if restore is not None:
            values = [None if value is None else restore(value) for value in values]
        carrier = with_leaves(field.type, _epoch_carrier if epoch else _carrier)
        columns.append(pa.array(values, carrier).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _restorer(type_: pa.DataType) -> _Restore | None:
    """What makes a JSON value what Arrow takes for this type; None where it is that already."""
    if is_bytes(type_):
        return base64.b64decode
    if types.is_time(type_):
        return dt.time.fromisoformat
    if types.is_map(type_):
        return _map_restorer(type_)
    if types.is_struct(type_):
        return _struct_restorer(type_)
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        inner = _restorer(type_.value_type)
        return None if inner is None else lambda items: [None if item is None else inner(item) for item in items]
    return None


def _map_restorer(type_: pa.MapType) -> _Restore | None:
    inner = _restorer(type_.item_type) or (lambda value: value)
    if is_text(type_.key_type):
        return lambda members: [(key, None if value is None else inner(value)) for key, value in members.items()]
    key = _restorer(type_.key_type) or (lambda value: value)
    return lambda entries: [
        (key(entry["key"]), None if entry["value"] is None else inner(entry["value"])) for entry in entries
    ]


def _struct_restorer(type_: pa.StructType) -> _Restore | None:
    fields = [type_.field(index) for index in range(type_.num_fields)]
    found = [(field.name, inner) for field in fields if (inner := _restorer(field.type)) is not None]
    if not found:
        return None

    def restore(members: dict[str, Any]) -> dict[str, Any]:
        for name, inner in found:
            if members.get(name) is not None:
                members[name] = inner(members[name])
        return members

    return restore


def _carrier(type_: pa.DataType) -> pa.DataType:
    """The type in which a leaf's values arrive."""
    if types.is_dictionary(type_):
        return _carrier(type_.value_type)
    if types.is_timestamp(type_) or types.is_date(type_) or types.is_decimal(type_):
        return pa.string()
    return pa.int64() if types.is_duration(type_) else type_


def _epoch_carrier(type_: pa.DataType) -> pa.DataType:
    return pa.int64() if types.is_timestamp(type_) else _carrier(type_)
