"""Protobuf values to columns: nested messages, oneof, maps, well-known types, and what is broken."""

import base64
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import descriptor_pool, message_factory

from streamsink.decode.protobuf.reader import ProtobufReader, message_paths
from streamsink.decode.protobuf.schema import MAIN, compiled
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.schema_reader import UnreadableSchemaError
from streamsink.decode.registry.wire import read_frames

TEXT = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "shop/part.proto";
message Order {
  int64 id = 1;
  string name = 2;
  Line line = 3;
  repeated Line lines = 4;
  map<string, int32> counts = 5;
  oneof paid { string card = 6; int32 cash = 7; }
  google.protobuf.Timestamp at = 8;
  google.protobuf.StringValue note = 9;
  State state = 10;
  bytes blob = 11;
  optional int32 maybe = 12;
  Part part = 13;
  message Line { string sku = 1; uint32 n = 2; }
  enum State { NEW = 0; PAID = 1; }
}
message Other { string only = 1; }
"""
PART = 'syntax = "proto3"; package shop; message Part { double weight = 1; }'


def schema():
    return RegisteredSchema(7, "PROTOBUF", TEXT, {"shop/part.proto": PART})


def message_class(name):
    pool = descriptor_pool.DescriptorPool()
    for file in compiled(schema()):
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def frames_of(*payloads, ids=None):
    heads = [b"\0" + (7 if ids is None else ids[at]).to_bytes(4, "big") for at in range(len(payloads))]
    return read_frames(pa.array([head + payload for head, payload in zip(heads, payloads, strict=True)], pa.binary()))


def test_nested_oneof_maps_and_well_known_types_become_columns():
    order_class = message_class("shop.Order")
    full = order_class(id=1, name="n", counts={"a": 1}, card="c", state=1, blob=b"\xff", maybe=0)
    full.line.sku, full.line.n = "s", 4_000_000_000
    full.lines.add(sku="x")
    full.at.FromDatetime(datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC))
    full.note.value = ""
    full.part.weight = 1.5
    frames = frames_of(b"\0" + full.SerializeToString(), b"\0" + order_class().SerializeToString())
    paths, moved = message_paths(frames)
    assert list(paths) == [(0,)]
    found = ProtobufReader(schema()).read(moved)
    assert not found.bad
    first, empty = found.array.to_pylist()
    assert first["line"] == {"sku": "s", "n": 4_000_000_000}
    assert first["lines"] == [{"sku": "x", "n": 0}]
    assert dict(first["counts"]) == {"a": 1}
    assert (first["card"], first["state"], first["blob"], first["maybe"]) == ("c", "PAID", b"\xff", 0)
    assert first["at"].replace(tzinfo=UTC) == datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)
    assert first["note"] == ""
    assert first["part"] == {"weight": 1.5}
    assert (empty["id"], empty["maybe"], empty["note"], empty["line"], empty["lines"]) == (0, None, None, None, [])
    assert (empty["card"], empty["cash"]) == (None, None)


def test_a_descriptor_in_base64_reads_as_its_text_does():
    files = {file.name: base64.b64encode(file.SerializeToString()).decode() for file in compiled(schema())}
    packed = RegisteredSchema(7, "PROTOBUF", files[MAIN], {"shop/part.proto": files["shop/part.proto"]})
    assert ProtobufReader(packed).arrow == ProtobufReader(schema()).arrow


def test_messages_that_are_not_the_first_are_told_apart_and_broken_ones_named():
    other = message_class("shop.Other")(only="x").SerializeToString()
    line = message_class("shop.Order.Line")(sku="y").SerializeToString()
    frames = frames_of(b"\x02\x02" + other, b"\x04\x00\x00" + line, b"\0" + b"\x0a\x05", b"", b"\x04\x02")
    paths, moved = message_paths(frames)
    assert {path: rows.tolist() for path, rows in paths.items()} == {(0,): [2], (1,): [0], (0, 0): [1]}
    assert ProtobufReader(schema(), (1,)).read(moved.some(paths[1,])).array.to_pylist() == [{"only": "x"}]
    assert ProtobufReader(schema(), (0, 0)).read(moved.some(paths[0, 0])).array.to_pylist() == [{"sku": "y", "n": 0}]
    both = moved.some(np.array([2, 2]))
    assert "no shop.Order" in ProtobufReader(schema()).read(both).bad[0]
    with pytest.raises(UnreadableSchemaError, match="no message at 5"):
        ProtobufReader(schema(), (5,))


def test_a_text_that_is_no_schema_is_said(capfd):
    with pytest.raises(UnreadableSchemaError):
        ProtobufReader(RegisteredSchema(1, "PROTOBUF", "message {", {}))
