"""Random schemas and values, through decoder and files of every format and back: each value is what it was."""

import functools
import io
import json
import math
import struct
import uuid

import fastavro
import pyarrow as pa
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsink.config.reading.connector import parse_sink
from streamsink.decode.protobuf.reader import ProtobufReader
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition
from streamsink.replay.registry_value import ValueEncoder
from streamsink.replay.rows import restore
from streamsink.sink.admission import AdmittingDecoder
from streamsink.sink.schema_shelf import StoreShelf
from streamsink.sink.transforming import with_transforms
from streamsink.upload.memory import MemoryStore

URL = "http://registry:8081"
FORMATS = ("parquet", "avro", "jsonl")
RUNS = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
BASE = {
    "name": "c",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "memory://archive",
    "archive.value": "columns",
    "value.check.sample": "1",
    "value.converter.schema.registry.url": URL,
    "errors.tolerance": "all",
}
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)


def one_nan(floats):
    """Floats of which all NaNs are the same: text, JSON Lines' form, has one word for them."""
    return floats.map(lambda value: math.nan if math.isnan(value) else value)


FLOAT32 = one_nan(st.floats(width=32)) | st.sampled_from([math.inf, -math.inf, -0.0])
FLOAT64 = one_nan(st.floats()) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0])
TEXT = st.text(max_size=6)
BYTES = st.binary(max_size=20)

# Without plain null: pyarrow 26 makes broken lists of it, where a reader gives it Python's values.
LEAVES = [
    ("boolean", st.booleans()),
    ("int", INT32),
    ("long", INT64),
    ("float", FLOAT32),
    ("double", FLOAT64),
    ("bytes", BYTES),
    ("string", TEXT),
    ({"type": "int", "logicalType": "date"}, INT32),
    ({"type": "int", "logicalType": "time-millis"}, INT32),
    ({"type": "long", "logicalType": "time-micros"}, INT64),
    ({"type": "long", "logicalType": "timestamp-millis"}, INT64),
    ({"type": "long", "logicalType": "timestamp-micros"}, INT64),
    ({"type": "long", "logicalType": "timestamp-nanos"}, INT64),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, INT64),
    ({"type": "string", "logicalType": "uuid"}, TEXT),
    ({"type": "bytes", "logicalType": "decimal"}, BYTES),
    ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4}, st.integers(-(10**38) + 1, 10**38 - 1)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 5}, st.integers(-99_999, 99_999)),
]


class AvroSchemas:
    """Draws an Avro schema and a strategy of encoded values. Names are counted, so that each is its own."""

    def __init__(self, draw):
        self._draw = draw
        self._names = 0

    def name(self, kind):
        self._names += 1
        return f"{kind}{self._names}"

    def record(self, depth, name=None):
        names = ["a", "_kafka", "ü"][: self._draw(st.integers(1, 3))]
        members = [self.of(depth + 1) for _ in names]
        ascii_names = [name.replace("ü", "value") for name in names]
        fields = [{"name": one, "type": type_} for one, (type_, _) in zip(ascii_names, members, strict=True)]
        schema = {"type": "record", "name": name or self.name("R"), "fields": fields}
        return schema, st.tuples(*(values for _, values in members)).map(b"".join)

    def of(self, depth):  # noqa: PLR0911 - one case a type
        draw = self._draw
        kinds = ["leaf", "leaf", "enum", "fixed", "nullable", "union", "array", "map", "record", "tree"]
        kind = draw(st.sampled_from(kinds if depth < 3 else kinds[:4]))
        match kind:
            case "enum":
                symbols = ["A", "B", "C"][: draw(st.integers(1, 3))]
                values = st.integers(0, len(symbols) - 1).map(zigzag)
                return {"type": "enum", "name": self.name("E"), "symbols": symbols}, values
            case "fixed":
                size = draw(st.integers(0, 5))
                return {"type": "fixed", "name": self.name("F"), "size": size}, st.binary(min_size=size, max_size=size)
            case "nullable" | "union":
                return self.union(depth, 1 if kind == "nullable" else draw(st.integers(2, 3)))
            case "array":
                item, values = self.of(depth + 1)
                return {"type": "array", "items": item}, st.lists(values, max_size=3).map(blocks)
            case "map":
                item, values = self.of(depth + 1)
                entries = st.dictionaries(TEXT, values, max_size=3)
                return {"type": "map", "values": item}, entries.map(
                    lambda found: blocks([sized(key.encode()) + value for key, value in found.items()])
                )
            case "record":
                return self.record(depth)
            case "tree":
                return self.tree()
        type_, values = draw(st.sampled_from(LEAVES))
        return type_, values.map(functools.partial(leaf, type_))

    def union(self, depth, count):
        chosen = [self.of(depth + 1) for _ in range(count)]
        branches, kinds = [("null", st.just(b""))], {"null"}
        for type_, values in chosen:
            kind = type_ if isinstance(type_, str) else type_["type"] if isinstance(type_, dict) else "union"
            if kind != "union" and (kind not in kinds or kind in {"record", "enum", "fixed"}):
                branches.append((type_, values))
                kinds.add(kind)
        if len(branches) == 1:
            branches.append(("boolean", st.sampled_from([b"\0", b"\1"])))
        order = self._draw(st.permutations(branches))
        values = [inside.map(lambda cell, at=at: zigzag(at) + cell) for at, (_, inside) in enumerate(order)]
        return [type_ for type_, _ in order], st.one_of(values)

    def tree(self):
        """A record that holds itself."""
        name = self.name("T")
        kids = {"type": "array", "items": name}
        fields = [{"name": "v", "type": ["null", "bytes", "double", name]}, {"name": "kids", "type": kids}]
        ends = st.one_of(
            st.just(zigzag(0)),
            BYTES.map(lambda cell: zigzag(1) + sized(cell)),
            FLOAT64.map(lambda value: zigzag(2) + leaf("double", value)),
        )
        plain = ends.map(lambda cell: cell + b"\0")
        values = st.recursive(
            plain,
            lambda inner: st.tuples(
                ends | inner.map(lambda cell: zigzag(3) + cell), st.lists(inner, max_size=2).map(blocks)
            ).map(b"".join),
            max_leaves=4,
        )
        return {"type": "record", "name": name, "fields": fields}, values


def zigzag(number):
    left, found = (number << 1) ^ (number >> 63), bytearray()
    while left >= 0x80:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


def sized(cell):
    return zigzag(len(cell)) + cell


def blocks(cells):
    return (zigzag(len(cells)) + b"".join(cells) if cells else b"") + b"\0"


def leaf(type_, value):
    kind = type_ if isinstance(type_, str) else type_["type"]
    if isinstance(type_, dict) and "precision" in type_:
        return sized(value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))
    if kind in {"int", "long"}:
        return zigzag(value)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, kind, value)
    return stream.getvalue()


@st.composite
def avro_topics(draw):
    """Schemas of one topic, and values with the number of the schema each has."""
    made = [AvroSchemas(draw).record(0, "Root") for _ in range(draw(st.integers(1, 2)))]
    values = st.one_of([cells.map(lambda cell, at=at: (at, cell)) for at, (_, cells) in enumerate(made)])
    return [schema for schema, _ in made], draw(st.lists(values, min_size=1, max_size=8))


@pytest.fixture(scope="module")
def registry():
    """Schemas by id, without a server."""
    found = {}
    patch = pytest.MonkeyPatch()
    patch.setattr(SchemaRegistry, "_fetch", lambda _self, number: found[number])
    yield found
    patch.undo()


def raw_slice(values):
    count = len(values)
    columns = [
        pa.array(range(100, 100 + count), pa.int64()),
        pa.array([1_000] * count, TIMESTAMP_TYPE),
        pa.array([0] * count, pa.int8()),
        pa.array([b"k"] * count, pa.binary()),
        pa.array(values, pa.binary()),
        pa.array([[]] * count, HEADERS_TYPE),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)
    return RawSlice(TopicPartition("logs", 3), 100, 100 + count, rows)


@functools.cache
def config_of(converter, format_):
    return parse_sink(BASE | {"value.converter": converter, "format.class": format_}, {"bootstrap.servers": "b:1"})[0]


def round_trip(converter, format_, values):
    """Values by offset as replay makes them of a file of each lane; and what was left out."""
    store = MemoryStore(uuid.uuid4().hex)
    config = config_of(converter, format_)
    kind = make_format(config.encoding, config.rotation)
    decoder = AdmittingDecoder(with_transforms(config, StoreShelf(store)), kind, tolerant=True)
    encode = ValueEncoder(store, "logs")
    found, bad = {}, []
    raw = raw_slice(values)
    for part in decoder.parts(raw):
        half = part.rows.num_rows // 2
        writer = None
        for rows in (part.rows.slice(0, half), part.rows.slice(half)):
            if not rows.num_rows:
                continue
            decoded = decoder.decode(RawSlice(part.topic_partition, part.start, part.next_offset, rows))
            bad += decoded.bad
            writer = kind.open(decoded.rows.schema, identity="t")
            writer.append(decoded.rows)
            sealed = writer.finish({})
            for batch in open_object(f"a{kind.extension}", bytes(sealed.data), sealed.sidecar).batches():
                records = restore(batch, 0, encode)
                found |= dict(
                    zip(records.column("offset").to_pylist(), records.column("value").to_pylist(), strict=True)
                )
    return [found.get(100 + row) for row in range(len(values))], bad


@pytest.mark.parametrize("format_", FORMATS)
@RUNS
@given(topic=avro_topics())
def test_avro_values_come_back_byte_for_byte(registry, format_, topic):
    schemas, drawn = topic
    registry.clear()
    registry |= {at: RegisteredSchema(at, "AVRO", json.dumps(schema)) for at, schema in enumerate(schemas)}
    values = [b"\0" + at.to_bytes(4, "big") + cell for at, cell in drawn]
    found, bad = round_trip("avro", format_, values)
    assert not bad
    assert found == values


@pytest.mark.parametrize("format_", ["parquet", "avro"])
def test_a_nan_keeps_its_bits_where_the_form_is_no_text(registry, format_):
    schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "double"}]}
    registry.clear()
    registry[0] = RegisteredSchema(0, "AVRO", json.dumps(schema))
    values = [bytes(5) + struct.pack("<Q", bits) for bits in (0xFFF8_0000_0000_0001, 0x7FF8_0000_0000_0000)]
    assert round_trip("avro", format_, values) == (values, [])


PROTO = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
enum E { A = 0; B = 1; }
message M {
  sint64 whole = 1;
  optional double maybe = 2;
  string text = 3;
  bytes data = 4;
  E one = 5;
  repeated E many = 6;
  map<string, Inner> named = 7;
  google.protobuf.Timestamp at = 8;
  google.protobuf.Duration took = 9;
  google.protobuf.Struct free = 10;
  google.protobuf.StringValue wrapped = 11;
  Tree tree = 12;
  repeated Inner list = 13;
  oneof choice { string left = 14; Inner right = 15; uint64 number = 16; }
}
message Inner { optional float f = 1; google.protobuf.Timestamp at = 2; repeated fixed32 n = 3; }
message Tree { string name = 1; repeated Tree kids = 2; }
"""
NANOS = st.integers(0, 999_999_999)
TIMES = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos}, st.integers(-62_135_596_800, 253_402_300_799), NANOS
)
DURATIONS = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos if seconds > 0 else -nanos},
    st.integers(-315_576_000_000, 315_576_000_000),
    NANOS,
)
ENUM = st.sampled_from([0, 1, 7, -3])
FREE = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
INNER = st.fixed_dictionaries(
    {}, optional={"f": FLOAT32, "at": TIMES, "n": st.lists(st.integers(0, 2**32 - 1), max_size=2)}
)
TREE = st.recursive(
    st.fixed_dictionaries({"name": TEXT}),
    lambda kids: st.fixed_dictionaries({"name": TEXT, "kids": st.lists(kids, max_size=2)}),
    max_leaves=4,
)
CHOICE = (
    st.fixed_dictionaries({"left": TEXT})
    | st.fixed_dictionaries({"right": INNER})
    | st.fixed_dictionaries({"number": st.integers(0, 2**64 - 1)})
    | st.just({})
)
MESSAGES = st.builds(
    dict.__or__,
    st.fixed_dictionaries(
        {},
        optional={
            "whole": INT64,
            "maybe": FLOAT64,
            "text": TEXT,
            "data": BYTES,
            "one": ENUM,
            "many": st.lists(ENUM, max_size=3),
            "named": st.dictionaries(TEXT, INNER, max_size=2),
            "at": TIMES,
            "took": DURATIONS,
            "free": st.dictionaries(TEXT, FREE, max_size=2),
            "wrapped": st.fixed_dictionaries({"value": TEXT}),
            "tree": TREE,
            "list": st.lists(INNER, max_size=2),
        },
    ),
    CHOICE,
)


@functools.cache
def protobuf_reader():
    return ProtobufReader(RegisteredSchema(0, "PROTOBUF", PROTO))


def message_of(value):
    """A message as Protobuf's own library writes it."""
    made = protobuf_reader()._class()
    fill(made, value)
    return made.SerializeToString()


def fill(made, value):
    for name, member in value.items():
        if name == "free":
            json_format.ParseDict(member, made.free)
        elif name == "named":
            for key, inner in member.items():
                fill(made.named[key], inner)
        elif isinstance(member, dict):
            getattr(made, name).SetInParent()
            fill(getattr(made, name), member)
        elif isinstance(member, list) and member and isinstance(member[0], dict):
            for inner in member:
                fill(getattr(made, name).add(), inner)
        elif isinstance(member, list):
            getattr(made, name).extend(member)
        else:
            setattr(made, name, member)


@pytest.mark.parametrize("format_", FORMATS)
@RUNS
@given(drawn=st.lists(MESSAGES, min_size=1, max_size=6))
def test_protobuf_values_come_back_in_meaning(registry, format_, drawn):
    registry[0] = RegisteredSchema(0, "PROTOBUF", PROTO)
    payloads = [message_of(value) for value in drawn]
    found, bad = round_trip("protobuf", format_, [b"\0\0\0\0\0\0" + payload for payload in payloads])
    assert not bad
    assert all(value[:6] == bytes(6) for value in found)
    same = protobuf_reader().same
    assert [same(payload, value[6:]) for payload, value in zip(payloads, found, strict=True)] == [True] * len(drawn)
