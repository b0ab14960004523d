"""A sample of values is written back from their columns: what doesn't come back is a bad record, or is told."""

import io
import json

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from streamsink.config.reading.connector import parse_sink
from streamsink.decode.decoder import make_decoder
from streamsink.decode.protobuf.reader import ProtobufReader
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.decode.registry.schema_reader import AvroReader
from streamsink.decode.registry.wire import read_frames
from streamsink.decode.registry.write_back import WriteBack

PROTO = 'syntax = "proto3"; message M { int32 a = 1; repeated int32 r = 2; }'
UNKNOWN = b"\x08\x01\x50\x07"
"""A message with a field that its schema doesn't have: no column has it."""
SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "l", "type": {"type": "array", "items": "int"}}]}
BASE = {
    "name": "c",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "memory://archive",
    "value.converter": "protobuf",
    "value.converter.schema.registry.url": "http://registry:8081",
    "errors.tolerance": "all",
}


@pytest.fixture
def decoder_of(monkeypatch):
    monkeypatch.setattr(SchemaRegistry, "_fetch", lambda self, number: RegisteredSchema(number, "PROTOBUF", PROTO))
    return lambda **more: make_decoder(
        parse_sink(BASE | {key.replace("__", "."): value for key, value in more.items()}, {"bootstrap.servers": "b:1"})[
            0
        ]
    )


def message(payload):
    return b"\0\0\0\0\7\0" + payload


def test_a_value_that_does_not_come_back_is_a_bad_record_where_only_columns_are_kept(decoder_of, make_slice):
    decoder = decoder_of(archive__value="columns", value__check__sample="1")
    decoded = decoder.decode(make_slice([message(b"\x08\x01"), message(UNKNOWN), message(b"")]))
    assert decoded.rows.column("a").to_pylist() == [1, 0]
    assert [(bad.offset, bad.error) for bad in decoded.bad] == [
        (101, "schema id 7: written again, its columns say something else")
    ]


def test_a_value_that_does_not_come_back_is_told_where_its_bytes_are_kept(decoder_of, make_slice):
    decoder = decoder_of(value__check__sample="1")
    with capture_logs() as logs:
        decoded = decoder.decode(make_slice([message(b"\x08\x01"), message(UNKNOWN), message(UNKNOWN)]))
    assert decoded.rows.num_rows == 3
    assert not decoded.bad
    (told,) = [entry for entry in logs if "come back" in entry["event"]]
    assert (told["topic"], told["partition"], told["offset"], told["differing"]) == ("logs", 3, 101, 2)
    assert "schema id 7" in told["reason"]


def test_the_first_record_of_a_schema_is_in_the_sample_and_one_that_differs_has_all_looked_at(decoder_of, make_slice):
    decoder = decoder_of(archive__value="columns")
    assert [bad.offset for bad in decoder.decode(make_slice([message(UNKNOWN), message(UNKNOWN)])).bad] == [100, 101]
    later = decoder.decode(make_slice([message(b""), message(UNKNOWN)], start=200))
    assert [bad.offset for bad in later.bad] == [201]


def test_a_sample_of_none_looks_at_nothing(decoder_of, make_slice):
    assert not decoder_of(archive__value="columns", value__check__sample="0").decode(make_slice([message(UNKNOWN)])).bad


def test_one_record_in_so_many_is_looked_at_whatever_the_slices(monkeypatch):
    reader = ProtobufReader(RegisteredSchema(7, "PROTOBUF", PROTO))
    checked = []
    monkeypatch.setattr(
        "streamsink.decode.registry.write_back._differing", lambda rows, *_: checked.append(rows.tolist()) or {}
    )
    check = WriteBack(10)
    for count in (1, 8, 3, 25, 1):
        frames = read_frames(pa.array([b"\0\0\0\0\7"] * count, pa.binary()))
        check.differing(7, reader, reader.read(frames), frames)
    assert checked == [[0], [], [1], [8, 18], []]


def test_bytes_in_another_form_that_say_the_same_have_come_back():
    avro = AvroReader(RegisteredSchema(1, "AVRO", json.dumps(SCHEMA)))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(SCHEMA), {"l": [1, 2]})
    two_blocks = b"\x02\x02\x02\x04\x00"
    assert avro.same(stream.getvalue(), two_blocks)
    assert not avro.same(stream.getvalue(), b"\x02\x02\x00")
    assert not avro.same(stream.getvalue(), stream.getvalue() + b"\0")
    frames = read_frames(pa.array([b"\0\0\0\0\1" + two_blocks], pa.binary()))
    assert WriteBack(1).differing(1, avro, avro.read(frames), frames) == {}
    protobuf = ProtobufReader(RegisteredSchema(7, "PROTOBUF", PROTO))
    unpacked = b"\x10\x01\x10\x02\x08\x01"
    frames = read_frames(pa.array([b"\0\0\0\0\7" + unpacked], pa.binary()))
    assert WriteBack(1).differing(7, protobuf, protobuf.read(frames), frames) == {}
    assert np.array(frames.ids).tolist() == [7]


@pytest.mark.parametrize("payload", [b"\x04\xff\x80", b"\x02\x80"], ids=["as Python writes it", "as Java does"])
def test_a_decimal_says_the_same_in_however_many_bytes(payload):
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
    schema = {"type": "record", "name": "R", "fields": [{"name": "price", "type": decimal}]}
    reader = AvroReader(RegisteredSchema(7, "AVRO", json.dumps(schema)))
    frames = read_frames(pa.array([b"\0\0\0\0\7" + payload, b"\0\0\0\0\7\x02\x7f"], pa.binary()))
    columns = reader.read(frames)
    assert [str(row["price"]) for row in columns.array.to_pylist()] == ["-1.28", "1.27"]
    assert WriteBack(1).differing(7, reader, columns, frames) == {}
    assert not reader.same(payload, b"\x02\x7f")
