"""What decoders and transforms make, every format takes; a record that it can't hold is a bad one, and no other is."""

import io
import json
from types import SimpleNamespace

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.config.sink import Encoding, Rotation
from streamsink.decode.protobuf.reader import ProtobufReader
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.encode.formats import make_format
from streamsink.encode.nested import nullable_below_null
from streamsink.encode.parquet import ParquetFormat
from streamsink.encode.read import open_object
from streamsink.errors import DecodeError
from streamsink.record import ENVELOPE, HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, DecodedSlice, RawSlice, TopicPartition
from streamsink.sink.admission import AdmittingDecoder
from streamsink.sink.transforming import with_transforms

URL = "http://registry:8081"
BASE = {
    "name": "c",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "changes",
    "archive.url": "memory://archive",
    "errors.tolerance": "all",
}
VALUE = {
    "type": "record",
    "name": "Value",
    "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": ["null", "string"]}],
}
AVRO = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", VALUE], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "source", "type": {"type": "record", "name": "S", "fields": [{"name": "lsn", "type": "long"}]}},
        {"name": "op", "type": "string"},
    ],
}
PROTO = """syntax = "proto3";
message Envelope { Value before = 1; Value after = 2; Source source = 3; string op = 4; }
message Value { int32 id = 1; optional string name = 2; }
message Source { int64 lsn = 1; }
"""
CONNECT_VALUE = [
    {"field": "id", "type": "int32", "optional": False},
    {"field": "name", "type": "string", "optional": True},
]
CONNECT = {
    "type": "struct",
    "optional": False,
    "fields": [
        {"field": "before", "type": "struct", "optional": True, "fields": CONNECT_VALUE},
        {"field": "after", "type": "struct", "optional": True, "fields": CONNECT_VALUE},
        {
            "field": "source",
            "type": "struct",
            "optional": False,
            "fields": [{"field": "lsn", "type": "int64", "optional": False}],
        },
        {"field": "op", "type": "string", "optional": False},
    ],
}
ROW = {"id": 1, "name": "x"}
CHANGES = [
    {"before": None, "after": ROW, "source": {"lsn": 7}, "op": "c"},
    {"before": ROW, "after": {"id": 1, "name": None}, "source": {"lsn": 8}, "op": "u"},
    {"before": {"id": 1, "name": None}, "after": None, "source": {"lsn": 9}, "op": "d"},
]
UNWRAPPED = {"transforms": "u", "transforms.u.type": "org.apache.kafka.connect.transforms.ExtractField$Value"}


def avro_values():
    for change in CHANGES:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(AVRO))), change)
        yield b"\0\0\0\0\1" + stream.getvalue()


def protobuf_values():
    reader = ProtobufReader(RegisteredSchema(1, "PROTOBUF", PROTO))
    rows = pa.RecordBatch.from_struct_array(pa.array(CHANGES, reader.arrow))
    return [b"\0\0\0\0\1\0" + payload for payload in reader.write(rows).cells.to_pylist()]


CONVERTERS = {
    "avro": ({"value.converter": "avro", "value.converter.schema.registry.url": URL}, avro_values),
    "protobuf": ({"value.converter": "protobuf", "value.converter.schema.registry.url": URL}, protobuf_values),
    "json": ({"value.converter": "json"}, lambda: [json.dumps(change).encode() for change in CHANGES]),
    "json with schema": (
        {"value.converter": "json", "value.converter.schemas.enable": "true"},
        lambda: [json.dumps({"schema": CONNECT, "payload": change}).encode() for change in CHANGES],
    ),
}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    def fetch(self, schema_id):
        return found[schema_id]

    found = {1: None}
    monkeypatch.setattr(SchemaRegistry, "_fetch", fetch)
    return found


def raw_slice(values):
    count = len(values)
    columns = [
        pa.array(range(100, 100 + count), pa.int64()),
        pa.array([1_000] * count, TIMESTAMP_TYPE),
        pa.array([1] * count, pa.int8()),
        pa.array([b"k"] * count, pa.binary()),
        pa.array(values, pa.binary()),
        pa.array([[]] * count, HEADERS_TYPE),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)
    return RawSlice(TopicPartition("changes", 3), 100, 100 + count, rows)


def archived(raw, values):
    """What a file of all the values holds, read back, and what was left out."""
    config, _ = parse_sink(raw, {"bootstrap.servers": "broker:9092"})
    format_ = make_format(config.encoding, config.rotation)
    decoder = AdmittingDecoder(with_transforms(config), format_, tolerant=True, transformed=bool(config.transforms))
    given, rows, bad = raw_slice(values), [], []
    for part in decoder.parts(given):
        decoded = decoder.decode(part)
        bad += decoded.bad
        if decoded.rows.num_rows:
            writer = format_.open(decoded.rows.schema, identity="test")
            writer.append(decoded.rows)
            sealed = writer.finish({})
            reader = open_object(f"a{format_.extension}", bytes(sealed.data), sealed.sidecar)
            rows += [row for batch in reader.batches() for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row[ENVELOPE]["offset"]), bad


def test_rows_of_plain_json_are_not_cast():
    config, _ = parse_sink(BASE, {"bootstrap.servers": "broker:9092"})
    inner = with_transforms(config)
    decoded = inner.decode(raw_slice([b'{"a": 1}', b'{"a": null, "b": {"c": [1]}}']))
    kept = SimpleNamespace(decode=lambda _raw: decoded)
    admitting = AdmittingDecoder(kept, make_format(config.encoding, config.rotation), tolerant=True)
    assert admitting.decode(raw_slice([b"{}"])) is decoded, "a cast of the envelope costs a small slice a tenth"


WHOLE = [(format_, False) for format_ in ("parquet", "avro", "jsonl", "raw")]


@pytest.mark.parametrize(("format_", "unwrapped"), [*WHOLE, *((format_, True) for format_, _ in WHOLE[:3])])
@pytest.mark.parametrize("converter", CONVERTERS)
def test_debeziums_envelope_goes_into_every_format(registry, converter, format_, unwrapped):
    settings, make = CONVERTERS[converter]
    registry[1] = RegisteredSchema(1, converter.upper(), PROTO if converter == "protobuf" else json.dumps(AVRO))
    kept = "raw" if format_ == "raw" else "columns"
    raw = BASE | settings | {"format.class": format_, "archive.value": kept}
    if unwrapped:
        raw |= UNWRAPPED | {"transforms.u.field": "after"}
    values = list(make())
    rows, bad = archived(raw, values)
    assert not bad
    found = [{name: member for name, member in row.items() if name != ENVELOPE} for row in rows]
    if format_ == "raw":
        assert [row["value"] for row in found] == values
    elif unwrapped:
        assert found == [{"id": 1, "name": "x"}, {"id": 1, "name": None}, {"id": None, "name": None}]
    else:
        assert found == CHANGES


INNER = pa.struct([pa.field("x", pa.int8())])
REQUIRED = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("in", INNER)])


class Given:
    """Gives rows as they are."""

    def __init__(self, rows):
        self._rows = rows

    def parts(self, raw):
        return (raw,)

    def decode(self, raw):
        count = self._rows.num_rows
        offsets = raw.rows.column("offset").take(pa.array(range(1, count + 1)))
        return DecodedSlice(raw.topic_partition, raw.start, raw.next_offset, self._rows, offsets, offsets)


def test_a_record_that_can_not_be_encoded_is_bad_and_its_neighbours_are_not():
    columns = [pa.array([1, None, 3, None], pa.int64()), pa.nulls(4, REQUIRED.field("in").type)]
    rows = pa.RecordBatch.from_arrays(columns, schema=REQUIRED.with_metadata({"streamsink.value.schema": "r/258"}))
    decoder = AdmittingDecoder(Given(rows), ParquetFormat(Encoding(), Rotation()), tolerant=True)
    decoded = decoder.decode(raw_slice([b"a", b"b", b"c", b"d", b"e"]))
    assert decoded.rows.column("id").to_pylist() == [1, 3]
    assert decoded.offsets.to_pylist() == [101, 103]
    assert [(one.offset, one.value, one.stage) for one in decoded.bad] == [
        (102, b"c", "TASK_PUT"),
        (104, b"e", "TASK_PUT"),
    ]
    assert decoded.bad[0].error.startswith("schema id 258: it can't be encoded: ")


def test_a_record_that_can_not_be_encoded_is_named_where_none_is_tolerated():
    rows = pa.RecordBatch.from_arrays([pa.array([1, None]), pa.nulls(2, REQUIRED.field("in").type)], schema=REQUIRED)
    decoder = AdmittingDecoder(Given(rows), ParquetFormat(Encoding(), Rotation()), tolerant=False)
    with pytest.raises(DecodeError, match="TASK_PUT: changes-3@102: it can't be encoded"):
        decoder.decode(raw_slice([b"a", b"b", b"c"]))


def test_a_type_that_no_format_holds_makes_its_records_bad():
    interval = pa.array([None, (1, 2, 3)], pa.month_day_nano_interval())
    rows = pa.RecordBatch.from_arrays([interval], names=["i"])
    for kind in ("parquet", "avro", "jsonl"):
        config, _ = parse_sink(BASE | {"value.converter": "json", "format.class": kind}, {"bootstrap.servers": "b:1"})
        decoder = AdmittingDecoder(Given(rows), make_format(config.encoding, config.rotation), tolerant=True)
        decoded = decoder.decode(raw_slice([b"a", b"b", b"c"]))
        assert decoded.rows.num_rows == 0
        assert [one.offset for one in decoded.bad] == [101, 102]


def test_a_field_is_required_only_where_its_parents_are():
    need = pa.field("n", pa.int8(), nullable=False)
    inner = pa.struct([need, pa.field("deep", pa.struct([need]), nullable=False)])
    schema = pa.schema(
        [
            pa.field("maybe", inner),
            pa.field("always", inner, nullable=False),
            pa.field("list", pa.list_(pa.field("item", inner, nullable=False))),
            pa.field("map", pa.map_(pa.string(), pa.field("value", inner))),
        ]
    )
    found = nullable_below_null(schema)
    assert found.field("maybe").type.field("n").nullable
    assert found.field("maybe").type.field("deep").type.field("n").nullable
    assert found.field("always").type == inner
    assert found.field("list").type.value_type == inner
    assert found.field("map").type.item_type.field("deep").nullable
    assert not found.field("map").type.key_field.nullable
