"""Each kind of Protobuf value is kept exactly, comes back as it was, or makes its record a bad one."""

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import json_format

from streamsink.decode.protobuf.plain import takes
from streamsink.decode.protobuf.reader import ProtobufReader
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.evolution import with_variants
from streamsink.decode.registry.wire import Frames

GROUPS = """syntax = "proto2";
message M {
  optional int32 a = 1;
  optional group Info = 2 { optional string text = 1; repeated group Deep = 3 { optional int32 n = 1; } }
  repeated group Part = 3 { optional int32 n = 1; }
  optional In in = 4;
  message In { optional group Part = 1 { optional bytes b = 1; } }
}"""
TREE = """syntax = "proto3";
import "google/protobuf/struct.proto";
message Node {
  int32 v = 1;
  Node next = 2;
  repeated Node kids = 3;
  google.protobuf.Struct s = 4;
  map<string, Node> m = 5;
  google.protobuf.Value any = 6;
  oneof x { Node one = 7; int32 other = 8; }
}"""
ENUMS = """syntax = "proto3";
enum E { A = 0; B = 1; }
message M { E e = 1; repeated E r = 2; optional E o = 3; map<string, E> m = 4; oneof x { E y = 5; int32 z = 6; } }"""
TIMES = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
message M {
  google.protobuf.Timestamp t = 1;
  google.protobuf.Duration d = 2;
  repeated google.protobuf.Timestamp many = 3;
  In in = 4;
  repeated In ins = 5;
  message In { google.protobuf.Duration d = 1; }
}"""
WRAPPED = """syntax = "proto3";
import "google/protobuf/wrappers.proto";
import "google/protobuf/empty.proto";
message M {
  google.protobuf.StringValue s = 1;
  repeated google.protobuf.BoolValue b = 2;
  map<string, google.protobuf.DoubleValue> d = 3;
  google.protobuf.Empty nothing = 4;
  google.protobuf.UInt64Value u = 5;
}"""
TREE_VALUE = {"deep": {"a": [1.5, "x", None, True]}, "empty": {}}
CASES = {
    "groups": (GROUPS, [{"a": 1, "info": {"text": "t", "deep": [{"n": 5}, {}]}, "part": [{"n": 6}, {}]}, {}]),
    "groups in a message": (GROUPS, [{"in": {"part": {"b": "/w=="}}}, {"in": {}}]),
    "what holds itself": (TREE, [{"v": 1, "next": {"v": 2, "kids": [{"next": {}}]}, "kids": [{}, {"v": 3}]}, {}]),
    "an empty one that holds itself": (TREE, [{"next": {}}, {"one": {}}, {"other": 0}]),
    "Struct and Value": (TREE, [{"s": TREE_VALUE, "any": "x"}, {"any": None}, {"s": {}}]),
    "enums": (ENUMS, [{"e": "B", "r": ["B", "A", 7], "o": "A", "m": {"k": "B", "l": 9}, "y": 5}, {"e": -1}]),
    "times": (TIMES, [{"t": "1969-12-31T23:59:59.5Z", "d": "-1.5s", "many": ["2024-02-29T00:00:00Z"]}, {"d": "0s"}]),
    "times nanoseconds don't reach": (
        TIMES,
        [
            {"t": "0001-01-01T00:00:00Z"},
            {"t": "9999-12-31T23:59:59.999999999Z"},
            {"d": "315576000000s"},
            {"in": {"d": "-315576000000.5s"}, "ins": [{}, {"d": "315576000000s"}, {"d": "1s"}]},
            {"t": "2024-01-01T00:00:00Z"},
        ],
    ),
    "wrappers": (WRAPPED, [{"s": "", "b": [True, False], "d": {"k": 0.0}, "nothing": {}, "u": str(2**64 - 1)}, {}]),
}


def frames_of(payloads):
    stops = np.cumsum([len(payload) for payload in payloads]).astype(np.int64)
    starts = stops - [len(payload) for payload in payloads]
    data = np.frombuffer(b"".join(payloads) + bytes(8), np.uint8)
    return Frames(np.zeros(len(payloads), np.int64), data, starts, stops)


def reader_of(text):
    return ProtobufReader(RegisteredSchema(1, "PROTOBUF", text))


def message_of(reader, value):
    """A payload with its maps' entries by key: a map has no order, and the library writes them in any."""
    return json_format.ParseDict(value, reader._class()).SerializeToString(deterministic=True)


@pytest.mark.parametrize("case", CASES)
def test_values_come_back_byte_for_byte(case):
    text, values = CASES[case]
    reader = reader_of(text)
    given = [message_of(reader, value) for value in values]
    found = reader.read(frames_of(given))
    assert not found.bad
    written = reader.write(pa.RecordBatch.from_struct_array(found.array))
    assert (written.cells.to_pylist(), written.bad) == (given, {})


def test_an_empty_message_in_a_map_comes_back_in_another_form_that_means_the_same():
    reader = reader_of(TREE)
    given = message_of(reader, {"m": {"k": {}}})
    found = reader.read(frames_of([given]))
    (written,) = reader.write(pa.RecordBatch.from_struct_array(found.array)).cells.to_pylist()
    assert reader.same(given, written)
    assert not reader.same(given, b"")


def test_groups_are_columns_like_messages():
    reader = reader_of(GROUPS)
    found = reader.read(frames_of([message_of(reader, CASES["groups"][1][0])])).array.to_pylist()
    assert found[0]["info"] == {"text": "t", "deep": [{"n": 5}, {"n": None}]}
    assert found[0]["part"] == [{"n": 6}, {"n": None}]


@pytest.mark.parametrize("payload", [b"\x13", b"\x14", b"\x13\x0a\x05", b"\x13\x1c", b"\x13\x0a\x01x\x14\x14"])
def test_a_group_that_does_not_end_as_it_begins_makes_its_record_bad_alone(payload):
    reader = reader_of(GROUPS)
    found = reader.read(frames_of([b"\x08\x01", payload, b"\x08\x02"]))
    assert list(found.bad) == [1]
    assert [row["a"] for row in found.array.to_pylist()] == [1, None, 2]


def test_what_holds_itself_is_json_text():
    reader = reader_of(TREE)
    values = [{"next": {"v": 2}, "kids": [{"v": 3}], "s": {"a": [1]}, "m": {"k": {"v": 4}}}]
    (row,) = reader.read(frames_of([message_of(reader, value) for value in values])).array.to_pylist()
    assert (row["next"], row["kids"], row["s"]) == ('{"v": 2}', ['{"v": 3}'], '{"a": [1.0]}')
    assert dict(row["m"]) == {"k": '{"v": 4}'}
    assert reader.arrow.field("next").metadata == {b"streamsink": b"json"}


def test_an_unknown_enum_number_stands_as_its_digits():
    (row,) = reader_of(ENUMS).read(frames_of([b"\x08\x05\x12\x02\x01\x07"])).array.to_pylist()
    assert (row["e"], row["r"]) == ("5", ["B", "7"])


def test_a_time_that_nanoseconds_do_not_reach_is_text_beside_its_column():
    reader = reader_of(TIMES)
    assert "t__string" not in [field.name for field in reader.arrow]
    given = [message_of(reader, value) for value in ({"t": "0001-01-01T00:00:00Z"}, {"t": "2024-01-01T00:00:00Z"})]
    found = reader.read(frames_of(given)).array
    assert found.field("t__string").to_pylist() == ["0001-01-01T00:00:00Z", None]
    assert found.field("t").cast(pa.int64()).to_pylist() == [None, 1_704_067_200_000_000_000]
    later = reader.read(frames_of(given[1:])).array
    assert later.field("t__string").to_pylist() == [None], "a column that is there stays"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"\x0a\x06\x10\xff\xff\xff\xff\x07", "M.t is no google.protobuf.Timestamp"),
        (b"\x0a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "M.t is no google.protobuf.Timestamp"),
        (b"\x12\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "M.d is no google.protobuf.Duration"),
        (b"\x1a\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01", "M.many has a time that nanoseconds"),
    ],
)
def test_a_time_that_has_no_exact_form_makes_its_record_bad(payload, why):
    found = reader_of(TIMES).read(frames_of([b"", payload, b"\x0a\x00"]))
    assert list(found.bad) == [1]
    assert found.bad[1].startswith(why)


def test_columns_of_another_version_get_the_text_beside_a_time():
    reader = reader_of(TIMES)
    bare = reader.arrow
    reader.read(frames_of([message_of(reader, {"in": {"d": "315576000000s"}})]))
    found = with_variants(bare, reader.arrow)
    assert [field.name for field in found.field("in").type] == ["d", "d__string"]
    assert with_variants(found, bare) == found


@pytest.mark.parametrize(
    ("wide", "narrow", "wanted"),
    [
        ("E f = 1;", "E f = 1;", True),
        ("E f = 1;", "Less f = 1;", True),
        ("Less f = 1;", "E f = 1;", False),
        ("E f = 1;", "string f = 1;", False),
        ("string f = 1;", "E f = 1;", False),
        ("string f = 1;", "M f = 1;", False),
        ("string f = 1; M g = 2;", "string f = 1;", True),
    ],
)
def test_a_version_takes_only_values_that_it_can_say(wide, narrow, wanted):
    def message(fields):
        body = f'syntax = "proto3"; message M {{ {fields} }} enum E {{ A = 0; B = 1; }}'
        return reader_of(body.replace("Less", "L.Less") + " message L { enum Less { A = 0; } }").message

    assert takes(message(wide), message(narrow)) is wanted


def test_a_name_that_an_enum_lacks_is_not_written_as_zero():
    reader = reader_of(ENUMS)
    rows = pa.RecordBatch.from_struct_array(reader.read(frames_of([b"", b"\x08\x01"])).array)
    columns = [pa.array(["C", "B"]) if name == "e" else rows.column(name) for name in rows.schema.names]
    written = reader.write(pa.RecordBatch.from_arrays(columns, names=rows.schema.names))
    assert written.bad == {0: "M.e has no such name"}
