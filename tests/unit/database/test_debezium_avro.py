"""Avro records of a registry, by schemas beside the archive, read as Connect's JSON would be."""

import io
import uuid

import fastavro
import orjson
import pytest

from streamsink.database.debezium import Change, read_change
from streamsink.database.debezium_avro import AvroRecords
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.errors import TerminalError
from streamsink.upload.open import open_store

ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "day", "type": ["null", {"type": "int", "connect.name": "io.debezium.time.Date"}], "default": None},
        {
            "name": "price",
            "type": {
                "type": "bytes",
                "scale": 2,
                "precision": 9,
                "logicalType": "decimal",
                "connect.name": "org.apache.kafka.connect.data.Decimal",
                "connect.parameters": {"scale": "2"},
            },
        },
        {"name": "at", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
        {"name": "raw", "type": ["null", "bytes"]},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "db.shop.orders",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
    ],
}


@pytest.fixture
def records():
    store = open_store(f"memory://{uuid.uuid4().hex}", {})
    schema = RegisteredSchema(7, "AVRO", orjson.dumps(ENVELOPE).decode())
    store.create("_streamsink/schemas/registry/7.json", schema.to_json(), {})
    store.create("_streamsink/schemas/registry/8.json", RegisteredSchema(8, "JSON", "{}").to_json(), {})
    return AvroRecords(store)


def value(before, after, operation, number=7):
    out = io.BytesIO()
    out.write(b"\0" + number.to_bytes(4, "big"))
    stripped = orjson.loads(orjson.dumps(ENVELOPE).replace(b'"logicalType":"decimal",', b""))
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(stripped), {"before": before, "after": after, "op": operation}
    )
    return out.getvalue()


ONE = {"id": 1, "day": 1, "price": b"\x04\xd2", "at": 1_500_000, "raw": b"\xff"}
PLAIN = {"id": 1, "day": "1970-01-02", "price": "12.34", "at": "1970-01-01 00:00:01.500000", "raw": "/w=="}


def test_values_are_meant_as_their_connect_names_say(records):
    assert read_change(b'{"id":1}', records.as_json(value(None, ONE, "c"))) == Change({"id": 1}, PLAIN)


def test_a_delete_names_its_row_by_before_where_the_key_can_not_be_read(records):
    unknown = b"\0\0\0\0\x63key"
    assert records.key_as_json(unknown) is None
    assert read_change(records.key_as_json(unknown), records.as_json(value(ONE, None, "d"))) == Change(PLAIN, None)


def test_what_is_in_no_wire_format_stays_as_it_is(records):
    assert records.as_json(b'{"op":"c"}') == b'{"op":"c"}'
    assert records.as_json(None) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0\0\0\0\x63rest", "schema 99 is not beside the archive"),
        (b"\0\0\0\0\x08{}", "schema 8 is JSON"),
        (b"\0\0\0\0\x07\x02\x02", "no Avro record of schema 7"),
    ],
)
def test_what_can_not_be_read_is_said(records, data, said):
    with pytest.raises(TerminalError, match=said):
        records.as_json(data)
