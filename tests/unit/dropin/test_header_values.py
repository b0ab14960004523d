"""Header values as Aiven's, Lenses' and Confluent's sinks write them, by the configuration's header converter."""

from __future__ import annotations

import json

import pytest

from tests.unit.dropin.play import Play, Record, value

CONVERTERS = {
    "none": {},
    "simple": {"header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter"},
    "string": {"header.converter": "org.apache.kafka.connect.storage.StringConverter"},
    "bytes": {"header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"},
}
NOT_CONFLUENTS = dict.fromkeys(("s3.bucket.name", "storage.class", "format.class", "flush.size"))
AIVEN = {
    **NOT_CONFLUENTS,
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "aws.s3.bucket.name": "b",
    "format.output.type": "jsonl",
    "format.output.fields": "headers",
    "file.compression.type": "none",
    "file.max.records": "1",
}
LENSES = {
    **NOT_CONFLUENTS,
    "connector.class": "io.lenses.streamreactor.connect.aws.s3.sink.S3SinkConnector",
    "connect.s3.kcql": "INSERT INTO b:p SELECT * FROM t PROPERTIES('flush.count'=1,'store.envelope'=true)",
}


def stored(changes, *headers):
    playing = Play(changes)
    playing.poll(Record(value(a=1), headers=headers))
    [name] = playing.played.objects
    return json.loads(playing.store.get(name)), playing.warnings


CASES = [
    pytest.param("none", b"12", 12, id="a number, where nothing is said"),
    pytest.param("simple", b"12", 12, id="a number, by the simple converter"),
    pytest.param("string", b"12", "12", id="a number, as text"),
    pytest.param("bytes", b"12", "MTI=", id="a number, as bytes"),
    pytest.param("none", b"true", True, id="a boolean"),
    pytest.param("none", b"null", None, id="null in letters"),
    pytest.param("string", b"null", "null", id="null in letters, as text"),
    pytest.param("none", b"1.5", 1.5, id="a fraction"),
    pytest.param("none", b"2026-01-31", 20484, id="a date is days"),
    pytest.param("none", b"1970-01-02T00:00:00.001Z", 86_400_001, id="a timestamp is milliseconds"),
    pytest.param("none", b"order-7", "order-7", id="text"),
    pytest.param("none", b"", "", id="empty text"),
    pytest.param("bytes", b"", "", id="no bytes"),
    pytest.param("none", b"\xff", "\ufffd", id="no UTF-8"),
    pytest.param("bytes", b"\xff", "/w==", id="no UTF-8, as bytes"),
    pytest.param("none", None, None, id="null"),
    pytest.param("bytes", None, None, id="null, as bytes"),
    pytest.param("none", b"10,20", "10,20", id="OURS: a text that begins with a number is not cut"),
    pytest.param("none", b"[1,2]", "[1,2]", id="OURS: a list stays text"),
]


@pytest.mark.parametrize(("converter", "given", "wanted"), CASES)
def test_aivens_lines_have_header_values_as_the_converter_reads_them(converter, given, wanted):
    line, _ = stored({**AIVEN, **CONVERTERS[converter]}, ("h", given), ("other", b"x"))
    other = "eA==" if converter == "bytes" else "x"
    assert line == {"headers": [{"key": "h", "value": wanted}, {"key": "other", "value": other}]}


@pytest.mark.parametrize(("converter", "given", "wanted"), CASES)
def test_lenses_envelope_has_header_values_as_the_converter_reads_them(converter, given, wanted):
    line, _ = stored({**LENSES, **CONVERTERS[converter]}, ("h", given))
    assert line["headers"] == {"h": wanted}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param(AIVEN, "ANjXJrcXeoAAAA==", id="Aiven: base64 of its digits"),
        pytest.param(LENSES, 4_000_000_000_000_000_000_000, id="Lenses: a number"),
    ],
)
def test_a_number_beyond_64_bits_is_a_decimal(changes, wanted):
    line, _ = stored(changes, ("h", b"4000000000000000000000"))
    found = line["headers"][0]["value"] if changes is AIVEN else line["headers"]["h"]
    assert found == wanted


def test_an_unknown_converter_is_said_to_give_texts():
    line, warnings = stored({**AIVEN, "header.converter": "com.example.Headers"}, ("h", b"12"))
    assert line["headers"] == [{"key": "h", "value": "12"}]
    assert any(one.startswith("header.converter: com.example.Headers is not known") for one in warnings)


@pytest.mark.parametrize(
    ("converter", "given", "wanted"),
    [
        pytest.param("none", b"007", "7", id="a number in its shortest form"),
        pytest.param("none", b"1.50", "1.5", id="a fraction in its shortest form"),
        pytest.param("string", b"007", "007", id="a number as text"),
        pytest.param("bytes", b"007", "MDA3", id="bytes as base64"),
        pytest.param("none", b" true ", "true", id="a boolean"),
        pytest.param("none", b"null", None, id="null in letters"),
        pytest.param("none", b"2026-01-31", "2026-01-31", id="a date"),
        pytest.param("none", b"order-7", "order-7", id="text"),
        pytest.param("none", None, None, id="null"),
        pytest.param("none", b"10,20", "10,20", id="OURS: a text that begins with a number is not cut"),
    ],
)
def test_confluents_headers_are_texts_of_what_the_converter_reads(converter, given, wanted):
    changes = {"store.kafka.headers": "true", "headers.format.class": "io.confluent.connect.s3.format.json.JsonFormat"}
    playing = Play({**changes, **CONVERTERS[converter], "flush.size": "1"})
    playing.poll(Record(value(a=1), headers=(("h", given),)))
    line = playing.store.get("topics/t/partition=0/t+0+0000000000.headers.json")
    assert json.loads(line) == {"headers": [{"key": "h", "value": wanted}]}


def test_each_record_keeps_its_headers():
    playing = Play({**AIVEN, "file.max.records": "3"})
    playing.poll(
        Record(value(a=1), headers=(("a", b"1"), ("b", None))),
        Record(value(a=2)),
        Record(value(a=3), headers=(("a", b"2"), ("c", b"1"))),
    )
    [name] = playing.played.objects
    lines = [json.loads(line)["headers"] for line in playing.store.get(name).splitlines()]
    assert [[(one["key"], one["value"]) for one in line] for line in lines] == [
        [("a", 1), ("b", None)],
        [],
        [("a", 2), ("c", 1)],
    ]
