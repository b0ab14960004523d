"""Slices whose values become lines, from the configuration to the object and back."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.errors import DecodeError
from streamsink.partition.partitioner import make_partitioner
from streamsink.record import RAW_SCHEMA, RawSlice, TopicPartition
from streamsink.sink.transforming import with_transforms

TOPIC = TopicPartition("orders", 0)


def config_of(**changes):
    raw = {
        "name": "orders",
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "topics": "orders",
        "s3.bucket.name": "archive",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        "flush.size": "3",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return parse_sink(raw, {"bootstrap.servers": "broker:9092"})[0]


def slice_of(*values):
    rows = [
        {"offset": offset, "timestamp": 0, "timestamp_type": 0, "key": b"k", "value": value, "headers": []}
        for offset, value in enumerate(values)
    ]
    return RawSlice(TOPIC, 0, len(values), pa.RecordBatch.from_pylist(rows, RAW_SCHEMA))


def object_of(config, decoded):
    writer = make_format(config.encoding, config.rotation).open(decoded.rows.schema, identity="x")
    writer.append(decoded.rows)
    return writer.finish({})


def lines_of(config, *values):
    return bytes(object_of(config, with_transforms(config).decode(slice_of(*values))).data).decode()


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ([b'{"a":1}', b'{"b":2}', b"{}"], '{"a":1}\n{"b":2}\n{}\n'),
        ([b'{"a":1}', b'{"a":"x"}', b'{"a":[1]}'], '{"a":1}\n{"a":"x"}\n{"a":[1]}\n'),
        ([b"[1,null]", b'"s"', b"5"], '[1,null]\n"s"\n5\n'),
        ([b'{"a":1.50,"b":null}', b' { "a" : 1e2 } '], '{"a":1.5,"b":null}\n{"a":100.0}\n'),
        ([b'\xef\xbb\xbf{"a":1}', b'{"a":1e400}'], '{"a":1}\n{"a":"Infinity"}\n'),
    ],
    ids=["neighbours", "types that differ", "no objects", "numbers as Java's", "marks and overflow"],
)
def test_each_value_is_written_by_itself(values, lines):
    assert lines_of(config_of(), *values) == lines


def test_values_with_schemas_are_written_without_them():
    fields = [{"field": "d", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "version": 1}]
    fields[0]["parameters"] = {"scale": "2"}
    value = json.dumps({"schema": {"type": "struct", "fields": fields}, "payload": {"d": "MDk="}}).encode()
    on = {"value__converter__schemas__enable": "true"}
    assert lines_of(config_of(**on), value) == '{"d":"MDk="}\n'
    assert lines_of(config_of(**on, json__decimal__format="NUMERIC"), value) == '{"d":123.45}\n'


def test_strings_and_bytes_are_json_strings():
    string = config_of(value__converter="org.apache.kafka.connect.storage.StringConverter")
    plain = config_of(value__converter="org.apache.kafka.connect.converters.ByteArrayConverter")
    assert lines_of(string, b'say "hi"\n', b"\xff") == '"say \\"hi\\"\\n"\n"\ufffd"\n'
    assert lines_of(plain, b"\x00\x01") == '"AAE="\n'


@pytest.mark.parametrize("value", [None, b"null", b""])
def test_what_connect_reads_as_null_is_a_tombstone(value):
    with pytest.raises(DecodeError, match=r"behavior\.on\.null\.values"):
        lines_of(config_of(), value)
    ignoring = config_of(behavior__on__null__values="ignore")
    assert lines_of(ignoring, b"1", value, b"2") == "1\n2\n"


def test_a_bad_value_is_left_out_where_errors_are_tolerated():
    with pytest.raises(DecodeError, match="VALUE_CONVERTER: orders-0@1"):
        lines_of(config_of(), b"1", b"{", b"2")
    config = config_of(errors__tolerance="all")
    decoded = with_transforms(config).decode(slice_of(b"1", b"{", b"2"))
    assert [(record.offset, record.value) for record in decoded.bad] == [(1, b"{")]
    assert decoded.offsets.to_pylist() == [0, 2]
    assert bytes(object_of(config, decoded).data) == b"1\n2\n"


def test_folders_are_made_of_the_payloads_fields():
    config = config_of(
        partitioner__class="io.confluent.connect.storage.partitioner.FieldPartitioner",
        partition__field__name="country",
        value__converter__schemas__enable="true",
    )
    schema = {"type": "struct", "fields": [{"field": "country", "type": "string"}]}
    values = [json.dumps({"schema": schema, "payload": {"country": name}}).encode() for name in ("de", "fr")]
    decoded = with_transforms(config).decode(slice_of(*values))
    paths = make_partitioner(config).encode(decoded, now_ms=0)
    assert paths.to_pylist() == ["country=de", "country=fr"]


def test_keys_that_are_stored_come_back_with_their_lines():
    config = config_of(store__kafka__keys="true", behavior__on__null__values="write")
    encoded = object_of(config, with_transforms(config).decode(slice_of(b'{"a":1.0}', None)))
    assert bytes(encoded.data) == b'{"a":1.0}\n'
    rows = pa.Table.from_batches(open_object("t.json", encoded.data, encoded.sidecar).batches()).to_pylist()
    assert [(row["_kafka"]["key"], row["value"]) for row in rows] == [(b"k", b'{"a":1.0}'), (b"k", None)]
