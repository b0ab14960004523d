"""Replay is the inverse of the sink: each converter, format and archive.value on a real broker and registry."""

import base64
import io
import itertools
import json
import math
import shutil
import struct

import fastavro
import pytest

from streamsink.cli.main import run
from tests.servers.archives import archive_topic
from tests.servers.topics import read_topic

FORMATS = ["parquet", "avro", "jsonl"]
COUNT = 400
"""Records of each case: its values again and again, so that a file has every neighbour a value can have."""


def pruned(value):
    """A JSON value without fields that are null: columns can't tell them from absent ones."""
    if isinstance(value, dict):
        return {name: pruned(one) for name, one in value.items() if one is not None}
    return [pruned(one) for one in value] if isinstance(value, list) else value


def same(value):
    return value


def as_json(value):
    return None if value is None else pruned(json.loads(value))


def payload(value):
    """Of a value with Connect's schema: columns keep no schema."""
    return as_json(value)["payload"] if value is not None and b"payload" in value else as_json(value)


def framed_json(value):
    return None if value is None else (value[:5], pruned(json.loads(value[5:])))


JSON_VALUES = [
    None,
    b"{}",
    b'{"a":null}',
    b'{"a":1}',
    b'{"a": -9223372036854775808, "b": "", "c": [], "d": {}}',
    '{"b":"Zoë \\u0000 \\" \\\\ 🦀","c":["x",null,"y"],"d":{"e":null,"f":1.5}}'.encode(),
    b'{"d":{"f":0.1,"g":{"h":[{"i":1},{},{"i":null}]}}}',
    b'{"x":1e300,"y":5e-324,"z":true}',
    b'{"c":[null]}',
    b'{"c":null,"d":{"g":{"h":null}}}',
]

ODD_JSON_VALUES = [
    b'{"_kafka":{"offset":7},"id":1}',
    b'{"a":18446744073709551616}',
    b'{"a":"text"}',
    b'{"a":[1,"x",{"b":2}]}',
    b'{"a":{"b":null}}',
    b'{"a":1.5}',
    b'{"a":true,"value":"a field called value","_rest":5,"tombstone":false}',
    b'{"a__string":"taken"}',
]

CONNECT_SCHEMA = {
    "type": "struct",
    "fields": [
        {"field": "n", "type": "int64", "optional": True},
        {"field": "s", "type": "string", "optional": True},
        {"field": "raw", "type": "bytes", "optional": True},
        {"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "optional": True},
        {"field": "day", "type": "int32", "name": "org.apache.kafka.connect.data.Date", "optional": True},
        {"field": "t", "type": "int32", "name": "org.apache.kafka.connect.data.Time", "optional": True},
        {
            "field": "price",
            "type": "bytes",
            "name": "org.apache.kafka.connect.data.Decimal",
            "parameters": {"scale": "2"},
            "optional": True,
        },
        {"field": "l", "type": "array", "items": {"type": "string", "optional": True}, "optional": True},
    ],
}


def connect(**fields):
    return json.dumps({"schema": CONNECT_SCHEMA, "payload": fields}).encode()


CONNECT_VALUES = [
    None,
    connect(n=1, s="x", raw=base64.b64encode(b"\x00\xff").decode(), at=-1, day=-400, t=86_399_999),
    connect(price=base64.b64encode((-150).to_bytes(2, "big", signed=True)).decode(), l=["a", None, ""]),
    connect(n=2**63 - 1, at=1_700_000_000_123, price=base64.b64encode(b"\x7f").decode(), l=[]),
    connect(n=None, s=None),
]

AVRO_SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "s", "type": ["null", "string"]},
        {"name": "x", "type": "double"},
        {"name": "raw", "type": "bytes"},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "u", "type": ["null", "long", "string"]},
        {"name": "m", "type": {"type": "map", "values": "int"}},
        {"name": "l", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "_kafka", "type": "string"},
    ],
}


def avro_values(schema_id):
    def one(number):
        price = (number * 7 - 9).to_bytes(2, "big", signed=True) if abs(number * 7 - 9) > 127 else None
        datum = {
            "id": number - 2**62,
            "s": None if number % 2 else "ü" * (number % 5),
            "x": (math.nan, math.inf, -0.0, 1e-300)[number % 4],
            "raw": bytes(range(number % 7)),
            "e": "AB"[number % 2],
            "at": -number * 1_000_003,
            "price": price or (number * 7 - 9).to_bytes(1, "big", signed=True),
            "u": (None, number, str(number))[number % 3],
            "m": {str(number): number} if number % 3 else {},
            "l": [None, number] * (number % 3),
            "_kafka": "taken",
        }
        plain = json.loads(json.dumps(AVRO_SCHEMA))
        for field in plain["fields"]:
            if isinstance(field["type"], dict):
                field["type"].pop("logicalType", None)
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, fastavro.parse_schema(plain), datum)
        return b"\0" + struct.pack(">I", schema_id) + stream.getvalue()

    return [None, *(one(number) for number in range(24))]


PROTO_SCHEMA = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
enum Color { RED = 0; BLUE = 1; }
message Row {
  int64 id = 1; string s = 2; Color color = 3; repeated int32 r = 4; Inner inner = 5; map<string, int64> m = 6;
  optional int32 o = 7; google.protobuf.Timestamp at = 8; bytes raw = 9; double x = 10;
  message Inner { string a = 1; }
}
"""


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sized(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def proto_values(schema_id):
    rows = [
        b"",
        b"\x08" + varint(-5) + sized(2, "Zoë".encode()) + b"\x18\x01",
        b"\x18" + varint(7),
        sized(4, b"\x01\x02" + varint(-1)) + sized(5, b""),
        sized(5, sized(1, b"x")) + sized(6, sized(1, b"k") + b"\x10\x05") + b"\x38\x00",
        sized(8, b"\x08" + varint(1_700_000_000) + b"\x10\x05") + sized(9, b"\x00\xff"),
        b"\x51" + struct.pack("<d", math.inf),
    ]
    return [None, *(b"\0" + struct.pack(">I", schema_id) + b"\0" + row for row in rows)]


JSON_SCHEMA = '{"$schema":"http://json-schema.org/draft-07/schema#","title":"Row","type":"object"}'


def json_schema_values(schema_id):
    return [None if one is None else b"\0" + struct.pack(">I", schema_id) + one for one in JSON_VALUES]


def the_values(case, registry, subject):  # noqa: PLR0911 - one case a converter
    match case:
        case "bytes":
            return [None, b"", b"\x00\xff", b"two\nlines", b"null"], {"archive_value": "raw"}, same
        case "string":
            return [None, b"", b"text", "Zoë\n\0".encode(), b'{"a":1}'], {}, same
        case "json":
            return JSON_VALUES, {}, as_json
        case "odd json":
            return ODD_JSON_VALUES, {"value_converter": "json"}, as_json
        case "json with schemas":
            more = {"value_converter": "json", "value_converter_schemas_enable": "true"}
            return CONNECT_VALUES, more, payload
        case "avro":
            return avro_values(registry.register(subject, json.dumps(AVRO_SCHEMA))), {}, same
        case "protobuf":
            return proto_values(registry.register(subject, PROTO_SCHEMA, "PROTOBUF")), {}, same
        case "jsonschema":
            return json_schema_values(registry.register(subject, JSON_SCHEMA, "JSON")), {}, framed_json
    raise AssertionError(case)


def produce(kafka, topic, values):
    producer = kafka.producer()
    for number, value in enumerate(itertools.islice(itertools.cycle(values), COUNT)):
        headers = [("h", None), ("h", b"%d" % number)] if number % 3 else None
        key = (None, b"", b"key-%d" % number)[number % 3]
        producer.produce(topic, value, key=key, headers=headers, timestamp=1_700_000_000_000 + number, partition=0)
    assert producer.flush(30) == 0


def records(kafka, topic):
    return [record[1:] for record in read_topic(kafka, topic)[0]]


def round_trip(kafka, topic, url, name, **config):
    archive_topic(kafka, topic, url, name=name, flush_size="70", rotate_age_ms="300", **config)
    target = f"{name}-new"
    words = ["replay", f"{url}/topics", "--topic", topic, "--to", target, "--create-topic"]
    assert run([*words, "--bootstrap-server", kafka.bootstrap]) == 0
    return records(kafka, target)


@pytest.mark.parametrize("format_class", FORMATS)
@pytest.mark.parametrize("case", ["string", "json", "odd json", "json with schemas", "avro", "protobuf", "jsonschema"])
def test_what_was_archived_as_columns_comes_back(kafka, registry, unique, tmp_path, case, format_class):
    values, more, meaning = the_values(case, registry, f"{unique}-value")
    config = {"format_class": format_class, "value_converter": case, **more}
    if case in {"avro", "protobuf", "jsonschema"}:
        config["value_converter_schema_registry_url"] = registry.url
    kafka.create_topic(unique, 1)
    produce(kafka, unique, values)
    before = records(kafka, unique)
    kept = round_trip(kafka, unique, f"{tmp_path.as_uri()}/both", f"{unique}-b", archive_value="both", **config)
    assert kept == before
    made = round_trip(kafka, unique, f"{tmp_path.as_uri()}/columns", f"{unique}-c", archive_value="columns", **config)
    assert [(*one[:3], one[4]) for one in made] == [(*one[:3], one[4]) for one in before]
    assert [meaning(one[3]) for one in made] == [meaning(one[3]) for one in before]


@pytest.mark.parametrize("format_class", [*FORMATS, "raw"])
@pytest.mark.parametrize("converter", ["bytes", "string", "json"])
def test_what_was_archived_as_bytes_comes_back(kafka, registry, unique, tmp_path, format_class, converter):
    values = the_values(converter, registry, unique)[0]
    kafka.create_topic(unique, 1)
    produce(kafka, unique, values)
    config = {"archive_value": "raw", "value_converter": converter, "format_class": format_class}
    assert round_trip(kafka, unique, tmp_path.as_uri(), f"{unique}-r", **config) == records(kafka, unique)


def test_a_value_that_columns_cannot_tell_is_not_called_damage(kafka, registry, unique, tmp_path, capfd):
    values, _, _ = the_values("avro", registry, f"{unique}-value")
    kafka.create_topic(unique, 1)
    produce(kafka, unique, values)
    config = {"value_converter": "avro", "value_converter_schema_registry_url": registry.url}
    archive_topic(kafka, unique, tmp_path.as_uri(), archive_value="columns", **config)
    shutil.rmtree(tmp_path / "_streamsink" / "schemas")
    words = ["replay", f"{tmp_path.as_uri()}/topics", "--to", f"{unique}-new", "--create-topic"]
    assert run([*words, "--bootstrap-server", kafka.bootstrap]) == 1
    err = capfd.readouterr().err
    assert "without the schema, columns can't become values again (the object is sound" in err
    assert "damaged" not in err
