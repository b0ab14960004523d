"""Encoded Avro records go into Avro objects as they are, and read there as decoding would have them."""

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.sink import Compatibility, Converter, Encoding, FormatKind, RegistryRules, Rotation
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.decode.registry.values import RegistryValues
from streamsink.encode.avro.reader import AvroReader
from streamsink.encode.formats import make_format

PART = {"type": "record", "name": "Part", "fields": [{"name": "n", "type": "int"}]}
SCHEMA = {
    "type": "record",
    "name": "Whole",
    "namespace": "x",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "note", "type": ["string", "null"], "default": "x"},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "parts", "type": {"type": "array", "items": PART}},
        {"name": "part", "type": ["null", "Part"]},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 4}},
    ],
}


class OneSchema(SchemaRegistry):
    """Knows one schema."""

    def __init__(self, schema):
        super().__init__(RegistryRules({"url": "http://registry:8081"}))
        self._schemas[1] = RegisteredSchema(1, "AVRO", json.dumps(schema))


def value(schema, record):
    stream = io.BytesIO()
    stream.write(b"\0\0\0\0\1")
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)
    return stream.getvalue()


def whole(number):
    return {
        "id": number,
        "price": Decimal(number).scaleb(-2),
        "at": datetime(2024, 1, 1, 0, 0, number % 60, tzinfo=UTC),
        "day": date(2024, 2, 29),
        "state": "PAID",
        "note": None if number % 2 else "n",
        "tags": {"k": str(number)},
        "parts": [{"n": number}] * (number % 3),
        "part": None if number % 2 else {"n": 1},
        "code": b"abcd",
    }


def read(schema, values, *, copies):
    rules = RegistryRules({"url": "http://registry:8081"})
    reader = RegistryValues(Converter.AVRO, OneSchema(schema), rules, compatibility=Compatibility.NONE, copies=copies)
    found = reader.read("t", pa.array(values, pa.binary()))
    assert not found.bad
    return pa.RecordBatch.from_arrays(found.arrays, schema=pa.schema(found.fields))


def object_of(rows):
    encoding = Encoding(kind=FormatKind.AVRO, codec="null")
    ids = pa.array(range(rows.num_rows), pa.int64())
    field = pa.field("_kafka", pa.struct([pa.field("offset", pa.int64(), nullable=False)]), nullable=False)
    envelope = pa.StructArray.from_arrays([ids], fields=list(field.type))
    batch = pa.RecordBatch.from_arrays([envelope, *rows.columns], schema=pa.schema([field, *rows.schema]))
    writer = make_format(encoding, Rotation()).open(batch.schema, identity="t")
    writer.append(batch)
    return bytes(writer.finish({}).data)


def test_copied_records_read_as_decoded_ones_do():
    values = [value(SCHEMA, whole(number)) for number in range(200)]
    copied, decoded = (object_of(read(SCHEMA, values, copies=copies)) for copies in (True, False))
    found, wanted = (
        [row for batch in AvroReader(data).batches() for row in batch.to_pylist()] for data in (copied, decoded)
    )
    assert found == wanted
    assert AvroReader(copied).schema().names == AvroReader(decoded).schema().names
    others = list(fastavro.reader(io.BytesIO(copied)))
    assert [row["price"] for row in others] == [whole(number)["price"] for number in range(200)]
    assert values[7][5:] in copied, "the very bytes are in the object"


@pytest.mark.parametrize(
    "type_",
    [["null", "int", "string"], {"type": "record", "name": "Row", "fields": [{"name": "a", "type": "int"}]}],
    ids=["union of several", "a name of ours"],
)
def test_what_a_reader_would_take_otherwise_is_decoded(type_):
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": type_}]}
    record = {"a": {"a": 1} if isinstance(type_, dict) else "s"}
    assert read(schema, [value(schema, record)], copies=True).schema.names == ["a"]


@pytest.mark.parametrize("declared", [{}, {"precision": 2, "scale": 5}, {"precision": 64, "scale": 40}])
@pytest.mark.parametrize("copies", [True, False])
def test_a_decimal_that_avro_would_have_ignored_is_bytes_in_what_is_written(declared, copies):
    decimal = {"type": "bytes", "logicalType": "decimal", **declared}
    schema = {"type": "record", "name": "R", "fields": [{"name": "d", "type": decimal}]}
    rows = read(schema, [b"\0\0\0\0\1\x02\x05"], copies=copies)
    data = object_of(rows)
    assert [row["d"] for batch in AvroReader(data).batches() for row in batch.to_pylist()] == [b"\x05"]
    assert [row["d"] for row in fastavro.reader(io.BytesIO(data))] == [b"\x05"]
