"""JSON Lines back into rows, typed where the sidecar is there. Reads bytes, knows no store."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import types

from streamsink.config.sink import JsonForm
from streamsink.encode.avro.schema import is_bytes, is_text
from streamsink.encode.footer import own_entries, schema_of
from streamsink.encode.json.times import count_of, decimal_of, float_of
from streamsink.encode.json.writer import FORM
from streamsink.encode.nested import with_leaves
from streamsink.encode.stream import lines_of, open_plain
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, ENVELOPE_TOMBSTONE, JSON_TEXT_METADATA

BATCH_ROWS = 4096
_VALUE = pa.field("value", pa.binary())

_Restore = Callable[[Any], Any]
_Loads = Callable[[bytes], Any]


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
        self._form = JsonForm(self._entries.get(FORM, JsonForm.ISO))
        # A decimal that is a number keeps its digits.
        numeric = self._form is JsonForm.CONNECT_NUMERIC
        self._loads: _Loads = partial(json.loads, parse_float=Decimal) if numeric else orjson.loads

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar."""
        return own_entries({key: value.encode() for key, value in self._entries.items()})

    def schema(self) -> pa.Schema | None:
        """The rows' schema, where the sidecar has it."""
        return schema_of(self._entries)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, some thousands at a time."""
        schema = self.schema()
        for lines in lines_of(open_plain(self._data, self._name), BATCH_ROWS):
            rows = [self._loads(line) for line in lines]
            yield _typed(rows, schema or _guessed(rows), self._form)


def _guessed(rows: list[Any]) -> pa.Schema:
    names = dict.fromkeys(name for row in rows for name in row if name != ENVELOPE)
    schema = pa.schema([_guess(name, rows) for name in names])
    envelope = rows[0].get(ENVELOPE)
    if envelope is None:
        return schema
    fields = [*ENVELOPE_FIELDS, *(field for field in (_VALUE, ENVELOPE_TOMBSTONE) if field.name in envelope)]
    return schema.insert(0, pa.field(ENVELOPE, pa.struct(fields), nullable=False))


def _guess(name: str, rows: list[Any]) -> pa.Field:
    """The column of values without a schema; where they have no one type they are made JSON text."""
    try:
        return pa.field(name, pa.array([row.get(name) for row in rows]).type)
    except pa.ArrowException:
        for row in rows:
            if row.get(name) is not None:
                row[name] = orjson.dumps(row[name]).decode()
        return pa.field(name, pa.string(), metadata=JSON_TEXT_METADATA)


def _typed(rows: list[Any], schema: pa.Schema, form: JsonForm) -> pa.RecordBatch:
    columns = []
    for field in schema:
        epoch = field.name == ENVELOPE
        values = [row.get(field.name) for row in rows]
        columns.append(_column(field.type, values, epoch=epoch, form=form))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(type_: pa.DataType, values: list[Any], *, epoch: bool, form: JsonForm) -> pa.Array:
    if form is not JsonForm.ISO:
        return pa.array(_restored(values, _restorer(type_, form)), with_leaves(type_, _counts)).cast(type_)
    carrier = with_leaves(type_, _epoch_carrier if epoch else _carrier)
    restore = _restorer(type_, None)
    try:
        return pa.array(_restored(values, restore), carrier).cast(type_)
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        # A time that has no text is a number, and below a null object Arrow has an empty text, which is no time: then
        # all of the column's are read one by one.
        restore = _restorer(type_, JsonForm.ISO)
        return pa.array(_restored(values, restore), with_leaves(type_, _counts)).cast(type_)


def _restored(values: list[Any], restore: _Restore | None) -> list[Any]:
    return values if restore is None else [None if value is None else restore(value) for value in values]


def _restorer(type_: pa.DataType, counted: JsonForm | None) -> _Restore | None:  # noqa: PLR0911 - one case a kind
    """What makes a JSON value what Arrow takes for this type, or counts; None where it is that already.

    `counted` is the form that counts and decimals are made of, None where Arrow reads them as they are.
    """
    if is_bytes(type_):
        return base64.b64decode
    if types.is_floating(type_):
        return float_of
    if counted is not None and types.is_decimal(type_):
        return Decimal if counted is JsonForm.ISO else partial(decimal_of, type_)
    if types.is_time(type_) or (counted is not None and (types.is_timestamp(type_) or types.is_date(type_))):
        return partial(count_of, type_)
    if types.is_map(type_):
        return _map_restorer(type_, counted)
    if types.is_struct(type_):
        return _struct_restorer(type_, counted)
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        inner = _restorer(type_.value_type, counted)
        return None if inner is None else lambda items: [None if item is None else inner(item) for item in items]
    return None


def _map_restorer(type_: pa.MapType, counted: JsonForm | None) -> _Restore | None:
    inner = _restorer(type_.item_type, counted) or (lambda value: value)
    if is_text(type_.key_type):
        return lambda members: [(key, None if value is None else inner(value)) for key, value in members.items()]
    key = _restorer(type_.key_type, counted) or (lambda value: value)
    return lambda entries: [
        (key(entry["key"]), None if entry["value"] is None else inner(entry["value"])) for entry in entries
    ]


def _struct_restorer(type_: pa.StructType, counted: JsonForm | None) -> _Restore | None:
    fields = [type_.field(index) for index in range(type_.num_fields)]
    found = [(field.name, inner) for field in fields if (inner := _restorer(field.type, counted)) is not None]
    if not found:
        return None

    def restore(members: dict[str, Any]) -> dict[str, Any]:
        # A new object: what was read may be restored once more, in another way.
        return members | {name: inner(members[name]) for name, inner in found if members.get(name) is not None}

    return restore


def _carrier(type_: pa.DataType) -> pa.DataType:
    """The type in which a leaf's values arrive."""
    if types.is_dictionary(type_):
        return _carrier(type_.value_type)
    if types.is_timestamp(type_) or types.is_date(type_) or types.is_decimal(type_):
        return pa.string()
    return _counts(type_)


def _counts(type_: pa.DataType) -> pa.DataType:
    """The type in which a leaf's counts arrive."""
    if types.is_dictionary(type_):
        return _counts(type_.value_type)
    if types.is_temporal(type_):
        return pa.int32() if type_.bit_width == 32 else pa.int64()
    return type_


def _epoch_carrier(type_: pa.DataType) -> pa.DataType:
    return pa.int64() if types.is_timestamp(type_) else _carrier(type_)
