"""Columns of a registry's converter become the very values they were made of."""

import io
import json
import math
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.sink import Converter, RegistryRules
from streamsink.decode.envelope import beside_envelope
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.decode.registry.values import RegistryValues
from streamsink.errors import TerminalError
from streamsink.replay.registry_value import ValueEncoder
from streamsink.sink.schema_shelf import StoreShelf
from streamsink.upload.memory import MemoryStore

RULES = RegistryRules({"url": "http://registry:8081"})


class Known(SchemaRegistry):
    """Has one schema, and keeps it on the shelf as the registry's own would."""

    def __init__(self, store, kind, text):
        super().__init__(RULES, StoreShelf(store))
        self._found = RegisteredSchema(258, kind, text)

    def _fetch(self, schema_id):
        assert schema_id == 258
        return self._found


def fresh():
    return MemoryStore(uuid.uuid4().hex)


def columns(store, converter, kind, text, values):
    reader = RegistryValues(converter, Known(store, kind, text), RULES)
    parts = [reader.read("t", pa.array(values, pa.binary()).take(rows)) for rows in reader.split("t", pa.array(values))]
    for part in parts:
        assert not part.bad
        rows = len(part.arrays[0]) if part.arrays else values.count(None)
        schema = pa.schema(part.fields, metadata=part.metadata)
        if part.arrays:
            yield pa.RecordBatch.from_arrays(part.arrays, schema=schema)
        else:
            yield pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([]))).replace_schema_metadata(
                part.metadata
            )


def framed(schema, records):
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    for record in records:
        stream = io.BytesIO()
        stream.write(b"\0\0\0\1\2")
        fastavro.schemaless_writer(stream, parsed, record)
        yield stream.getvalue()


def logical(kind, name, **more):
    return {"type": kind, "logicalType": name, **more}


TREE = {
    "type": "record",
    "name": "Tree",
    "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Tree"]}],
}
BRANCHES = ["null", "string", "bytes", "double", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]
ANY = {
    "type": "record",
    "name": "Any",
    "fields": [{"name": "x", "type": [*BRANCHES, {"type": "array", "items": "Any"}]}],
}
NOON = datetime(2024, 2, 29, 12, 30, 1, 123456, tzinfo=UTC)
CASES = [
    ("long", [0, -1, 2**62]),
    ("bytes", [b"", b"\xff"]),
    (["null", "string"], [None, "x"]),
    (["string", "null"], [None, "x"]),
    (["null", "long", "string", {"type": "array", "items": "int"}], [None, 7, "x", [1]]),
    (logical("bytes", "decimal", precision=20, scale=3), [Decimal("1.234"), Decimal("-9999999999.999")]),
    (logical("int", "date"), [date(2024, 2, 29)]),
    (logical("int", "time-millis"), [time(1, 2, 3)]),
    (logical("long", "timestamp-micros"), [NOON]),
    (logical("long", "local-timestamp-millis"), [NOON.replace(tzinfo=None, microsecond=0)]),
    ({"type": "map", "values": ["null", "double"]}, [{"b": 1.5, "a": None}, {}]),
    ({"type": "fixed", "name": "F", "size": 3}, [b"abc"]),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["B"]),
    (TREE, [{"v": 1, "next": {"v": 2, "next": None}}]),
    (ANY, [{"x": b"\xff\x00"}, {"x": "s"}, {"x": math.inf}, {"x": [{"x": None}]}, {"x": ("E", "B")}]),
    (logical("bytes", "decimal"), [b"", b"\x05\x06"]),
    ({"type": "fixed", "name": "D", "size": 3, "logicalType": "decimal", "precision": 6}, [Decimal(-5), Decimal(8388)]),
    (logical("bytes", "decimal", precision=38), [Decimal(value) for value in (0, 127, 128, -127, -129, 10**37)]),
    (["null", {"type": "enum", "name": "E", "symbols": ["A"]}, {"type": "map", "values": "int"}], ["A", {"k": 1}]),
    ([logical("bytes", "decimal", precision=4), "boolean"], [Decimal(7), True]),
    (["null", {"type": "record", "name": "N", "fields": []}], [{}, None]),
    ({"type": "array", "items": ["null", {"type": "array", "items": "float"}]}, [[None, [], [1.5]], []]),
]


@pytest.mark.parametrize(("type_", "values"), CASES, ids=lambda case: str(case)[:40])
def test_avro_columns_become_the_bytes_they_were(type_, values):
    store = fresh()
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": type_}, {"name": "z", "type": "int"}]}
    given = list(framed(schema, [{"a": value, "z": 1} for value in values]))
    encode = ValueEncoder(store, "t")
    found = [
        encode.columns(rows).to_pylist() for rows in columns(store, Converter.AVRO, "AVRO", json.dumps(schema), given)
    ]
    assert found == [given]


def test_plain_values_and_tombstones_come_back():
    store = fresh()
    given = [*framed("string", ["a", "é"]), None]
    encode = ValueEncoder(store, "t")
    found = [encode.columns(rows).to_pylist() for rows in columns(store, Converter.AVRO, "AVRO", '"string"', given)]
    assert sorted(found, key=len) == [[None], given[:2]]


def test_protobuf_columns_become_the_bytes_they_were():
    store = fresh()
    text = 'syntax = "proto3"; message A { string s = 1; repeated int32 n = 2; optional int64 m = 3; }'
    given = [b"\0\0\0\1\2\0" + payload for payload in (b"\n\x01x\x12\x02\x01\x02", b"", b"\x18\x00")]
    encode = ValueEncoder(store, "t")
    found = [encode.columns(rows).to_pylist() for rows in columns(store, Converter.PROTOBUF, "PROTOBUF", text, given)]
    assert found == [given]


def test_json_comes_back_equal_in_meaning():
    store = fresh()
    given = [b'\0\0\0\1\2{"id": 1, "n": {"a": "x"}}', b'\0\0\0\1\2{"id": 2}']
    encode = ValueEncoder(store, "t")
    (rows,) = columns(store, Converter.JSON_SCHEMA, "JSON", "{}", given)
    found = encode.columns(rows).to_pylist()
    assert [value[:5] for value in found] == [b"\0\0\0\1\2"] * 2
    assert json.loads(found[0][5:]) == {"id": 1, "n": {"a": "x"}}


@pytest.mark.parametrize("names", [["_kafka", "b"], ["_kafka_", "_kafka"], ["a"]])
def test_fields_that_have_the_envelopes_name_come_back_as_they_were(names):
    schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": "int"} for name in names]}
    store = fresh()
    given = list(framed(schema, [{name: at for at, name in enumerate(names)}]))
    (rows,) = columns(store, Converter.AVRO, "AVRO", json.dumps(schema), given)
    fields = [member.with_name(beside_envelope(member.name)) for member in rows.schema]
    rows = pa.RecordBatch.from_arrays(rows.columns, schema=pa.schema(fields, metadata=rows.schema.metadata))
    assert ValueEncoder(store, "t").columns(rows).to_pylist() == given


def test_a_value_that_its_schema_has_no_place_for_is_not_written_as_another():
    schema = {"type": "record", "name": "R", "fields": [{"name": "e", "type": CASES[12][0]}]}
    store = fresh()
    (rows,) = columns(store, Converter.AVRO, "AVRO", json.dumps(schema), list(framed(schema, [{"e": "A"}])))
    other = pa.RecordBatch.from_arrays([pa.array(["C"])], schema=rows.schema)
    with pytest.raises(TerminalError, match="an enum has no such symbol"):
        ValueEncoder(store, "t").columns(other)
    none = pa.RecordBatch.from_arrays([pa.nulls(1, pa.string())], schema=rows.schema)
    with pytest.raises(TerminalError, match="is null where its schema has no null"):
        ValueEncoder(store, "t").columns(none)


def test_a_schema_that_is_gone_is_said_by_name():
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    (rows,) = columns(fresh(), Converter.AVRO, "AVRO", json.dumps(schema), list(framed(schema, [{"a": 1}])))
    with pytest.raises(TerminalError, match=r"_streamsink/schemas/[0-9a-f]{8}/258\.json is missing"):
        ValueEncoder(fresh(), "t").columns(rows)
