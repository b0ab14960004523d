"""Values of a registry's Avro as JSON: other products' sinks write them by JsonConverter without schemas."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import fastavro
import pytest

from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from streamsink.encode.read import open_object
from streamsink.upload.sidecar import read_sidecar
from tests.unit.dropin.play import Play, Record

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}
TYPES = {
    "day": {"type": "int", "logicalType": "date"},
    "clock": {"type": "int", "logicalType": "time-millis"},
    "at": {"type": "long", "logicalType": "timestamp-millis"},
    "exactly": {"type": "long", "logicalType": "timestamp-micros"},
    "price": DECIMAL,
    "raw": "bytes",
    "state": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]},
    "number": "double",
    "note": ["null", "string"],
    "prices": {"type": "array", "items": ["null", DECIMAL]},
    "times": {"type": "map", "values": {"type": "long", "logicalType": "timestamp-millis"}},
    "inner": {"type": "record", "name": "Inner", "fields": [
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
    ]},
}  # fmt: skip
SCHEMA = {"type": "record", "name": "R", "fields": [{"name": name, "type": type_} for name, type_ in TYPES.items()]}
VALUE = {
    "day": date(1960, 1, 2),
    "clock": time(1, 2, 3, 4000),
    "at": datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
    "exactly": datetime(2024, 1, 1, 0, 0, 0, 1, UTC),
    "price": Decimal("-1.28"),
    "raw": b"\x00\xff",
    "state": "PAID",
    "number": float("nan"),
    "note": None,
    "prices": [Decimal("123456789012345678.25"), None, Decimal("0.00"), Decimal("1.28")],
    "times": {"k": datetime(2024, 1, 1, tzinfo=UTC)},
    "inner": {"day": date(1970, 1, 1)},
}
COMMON = {
    "day": -3652,
    "clock": 3723004,
    "at": -1,
    "exactly": 1704067200000001,
    "raw": "AP8=",
    "state": "PAID",
    "number": "NaN",
    "note": None,
    "times": {"k": 1704067200000},
    "inner": {"day": 0},
}
BASE64 = {**COMMON, "price": "gA==", "prices": ["AKtUqYzrHwqR", None, "AA==", "AIA="]}
NUMERIC = {
    **COMMON,
    "price": Decimal("-1.28"),
    "prices": [Decimal("123456789012345678.25"), None, Decimal("0.00"), Decimal("1.28")],
}
AVRO = {
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "http://registry:8081",
    "value.converter.schemas.enable": None,
}
CONFLUENT = {**AVRO, "flush.size": "1", "format.class": "io.confluent.connect.s3.format.json.JsonFormat"}
AIVEN = {
    **AVRO,
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "file.max.records": "1",
    "file.compression.type": "none",
    "format.output.envelope": "false",
    **dict.fromkeys(("s3.bucket.name", "storage.class", "format.class", "flush.size")),
    "aws.s3.bucket.name": "b",
}
LENSES = {
    **AVRO,
    "connector.class": "io.lenses.streamreactor.connect.aws.s3.sink.S3SinkConnector",
    "connect.s3.kcql": "INSERT INTO b:p SELECT * FROM t STOREAS JSON PROPERTIES('flush.count'=1)",
    **dict.fromkeys(("s3.bucket.name", "storage.class", "format.class", "flush.size")),
}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """One schema; `tests/integration` has a real registry."""
    found = RegisteredSchema(1, "AVRO", json.dumps(SCHEMA))
    monkeypatch.setattr(SchemaRegistry, "_fetch", lambda _self, _id: found)


def stored(changes):
    stream = io.BytesIO()
    stream.write(b"\0\0\0\0\1")
    fastavro.schemaless_writer(stream, fastavro.parse_schema(SCHEMA), VALUE)
    playing = Play(changes)
    playing.poll(Record(stream.getvalue()))
    [name] = playing.played.objects
    return playing.store, name


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param(CONFLUENT, BASE64, id="Confluent: decimals are base64 where nothing is said"),
        pytest.param({**CONFLUENT, "json.decimal.format": "NUMERIC"}, NUMERIC, id="Confluent: decimals are numbers"),
        pytest.param({**CONFLUENT, "s3.compression.type": "gzip"}, BASE64, id="Confluent: compressed"),
        pytest.param({**CONFLUENT, "store.kafka.keys": "true"}, BASE64, id="Confluent: with keys beside"),
        pytest.param({**AIVEN, "format.output.type": "jsonl"}, BASE64, id="Aiven: lines"),
        pytest.param({**AIVEN, "format.output.type": "json"}, [BASE64], id="Aiven: an array"),
        pytest.param(LENSES, NUMERIC, id="Lenses: decimals are numbers"),
    ],
)
def test_dates_times_and_decimals_are_connects(changes, wanted):
    store, name = stored(changes)
    data = store.get(name)
    text = gzip.decompress(data) if name.endswith(".gz") else data
    assert json.loads(text, parse_float=Decimal) == wanted


@pytest.mark.parametrize("decimals", ["BASE64", "NUMERIC"])
@pytest.mark.parametrize("keys", ["false", "true"])
def test_what_was_written_so_is_read_back(decimals, keys):
    store, name = stored({**CONFLUENT, "json.decimal.format": decimals, "store.kafka.keys": keys})
    data = store.get(name)
    [batch] = open_object(name, data, read_sidecar(store, name, hashlib.sha256(data).hexdigest())).batches()
    [row] = batch.to_pylist()
    number = row.pop("number")
    assert number != number  # noqa: PLR0124 - nothing else differs from itself
    times = dict(row.pop("times"))
    row.pop("_kafka", None)
    assert {**row, "times": times} == {key: one for key, one in VALUE.items() if key != "number"}


def test_our_own_way_stays_where_columns_are_asked_for():
    store, name = stored({**CONFLUENT, "archive.value": "columns"})
    assert json.loads(store.get(name))["at"] == "1969-12-31T23:59:59.999Z"
