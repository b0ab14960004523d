from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from streamsink.config.sink import (
    ArchiveValue,
    Converter,
    ErrorHandling,
    ExtractorKind,
    NullValues,
    PartitionerKind,
    Partitioning,
    SinkConfig,
)
from streamsink.decode.decoder import make_decoder
from streamsink.errors import ConfigError, DecodeError
from streamsink.record import ENVELOPE_FIELDS
from streamsink.replay.rows import restore

RAW = SinkConfig(name="s", archive_url="memory://", consumer={})
TOLERANT = replace(RAW, errors=ErrorHandling(tolerate_all=True))
JSON = replace(TOLERANT, value_converter=Converter.JSON, archive_value=ArchiveValue.COLUMNS)
BY_LEVEL = Partitioning(PartitionerKind.FIELD, fields=("level", "user.id"))


def values_of(decoded) -> list[dict[str, object]]:
    return [{name: member for name, member in row.items() if name != "_kafka"} for row in decoded.rows.to_pylist()]


def test_raw_keeps_bytes_and_everything_kafka_knows(make_slice):
    decoded = make_decoder(RAW).decode(make_slice([b"\xff\x00", None, b""], keys=[None, b"", b"k"]))
    assert decoded.rows.schema.names == ["_kafka", "value"]
    assert list(decoded.rows.schema.field("_kafka").type) == list(ENVELOPE_FIELDS)
    assert decoded.rows.column("value").to_pylist() == [b"\xff\x00", None, b""]
    kafka = decoded.rows.column("_kafka").to_pylist()
    assert [row["key"] for row in kafka] == [None, b"", b"k"]
    assert [row["offset"] for row in kafka] == decoded.offsets.to_pylist() == [100, 101, 102]
    assert kafka[0]["partition"] == 3
    assert kafka[0]["headers"] == [{"key": "h", "value": None}, {"key": "h", "value": b""}]
    assert decoded.timestamps.to_pylist() == [None, 1_001, 1_002]
    assert (decoded.start, decoded.next_offset) == (100, 108)


def test_raw_json_is_kept_as_it_is_even_if_it_is_none(make_slice):
    decoded = make_decoder(replace(RAW, value_converter=Converter.JSON)).decode(make_slice([b"{oops"]))
    assert values_of(decoded) == [{"value": b"{oops"}]


def test_columns_come_after_the_envelope(make_slice):
    decoded = make_decoder(JSON).decode(make_slice([b'{"b":1,"a":"x"}', None]))
    assert decoded.rows.schema.names == ["_kafka", "b", "a"]
    assert values_of(decoded) == [{"b": 1, "a": "x"}, {"b": None, "a": None}]


def test_both_keeps_the_original_bytes_within_the_envelope(make_slice):
    decoded = make_decoder(replace(JSON, archive_value=ArchiveValue.BOTH)).decode(make_slice([b'{ "a": 1.50 }', None]))
    assert [row["value"] for row in decoded.rows.column("_kafka").to_pylist()] == [b'{ "a": 1.50 }', None]
    assert values_of(decoded) == [{"a": 1.5}, {"a": None}]


@pytest.mark.parametrize("value", list(ArchiveValue))
def test_without_envelope_there_is_no_kafka_column(make_slice, value: ArchiveValue):
    decoded = make_decoder(replace(JSON, archive_value=value, archive_envelope=False)).decode(make_slice([b'{"a":1}']))
    assert decoded.rows.schema.names == ["value" if value is ArchiveValue.RAW else "a"]


def test_rows_without_any_column_are_still_counted(make_slice):
    decoder = make_decoder(replace(JSON, archive_envelope=False))
    assert decoder.decode(make_slice([b"{}", b"{bad", b"{}"])).rows.num_rows == 2


def test_fields_named_like_the_envelope_get_an_underscore_and_one_warning(make_slice):
    decoder = make_decoder(JSON)
    with capture_logs() as logs:
        for _ in range(2):
            decoded = decoder.decode(make_slice([b'{"_kafka":1,"_kafka_":2}']))
    assert values_of(decoded) == [{"_kafka_": 1, "_kafka__": 2}]
    assert [entry["topic"] for entry in logs] == ["logs"]


def test_strings_become_text_and_bad_utf8_is_a_bad_record(make_slice):
    config = replace(TOLERANT, value_converter=Converter.STRING, archive_value=ArchiveValue.COLUMNS)
    decoder = make_decoder(config)
    decoded = decoder.decode(make_slice(["ü".encode(), b"\xff", None, b""]))
    assert decoded.rows.column("value").type == pa.string()
    assert decoded.rows.column("value").to_pylist() == ["ü", None, ""]
    assert [bad.offset for bad in decoded.bad] == [101]
    assert decoder.decode(make_slice([b"x"])).rows.column("value").to_pylist() == ["x"]


def test_a_bad_record_comes_back_whole_and_drops_no_good_one(make_slice):
    decoded = make_decoder(JSON).decode(make_slice([b'{"a":1}', b'{"a":', b'{"a":3}']))
    assert [row["a"] for row in values_of(decoded)] == [1, 3]
    assert decoded.offsets.to_pylist() == [100, 102]
    assert decoded.timestamps.to_pylist() == [None, 1_002]
    (bad,) = decoded.bad
    assert (bad.offset, bad.timestamp_ms, bad.key, bad.value) == (101, 1_001, b"k", b'{"a":')
    assert bad.headers == (("h", None), ("h", b""))
    assert bad.stage == "VALUE_CONVERTER"
    assert "not valid JSON" in bad.error


def test_without_tolerance_the_first_bad_record_is_named_with_a_hint(make_slice):
    decoder = make_decoder(replace(JSON, errors=ErrorHandling()))
    with pytest.raises(DecodeError, match="VALUE_CONVERTER: logs-3@101: not valid JSON") as caught:
        decoder.decode(make_slice([b'{"a":1}', b"{", b"["]))
    assert "errors.tolerance" in caught.value.hint


def test_json_keys_are_checked_and_kept_as_bytes(make_slice):
    config = replace(TOLERANT, key_converter=Converter.JSON)
    decoded = make_decoder(config).decode(make_slice([b"v"] * 4, keys=[b'{"id": 1}', b"{", None, b""]))
    assert [row["key"] for row in decoded.rows.column("_kafka").to_pylist()] == [b'{"id": 1}', None]
    assert [(bad.offset, bad.stage) for bad in decoded.bad] == [(101, "KEY_CONVERTER"), (103, "KEY_CONVERTER")]


def test_ignored_tombstones_are_dropped_silently(make_slice):
    decoded = make_decoder(replace(RAW, null_values=NullValues.IGNORE)).decode(make_slice([b"a", None, b""]))
    assert decoded.offsets.to_pylist() == [100, 102]
    assert not decoded.bad


def test_refused_tombstones_are_bad_records(make_slice):
    decoded = make_decoder(replace(TOLERANT, null_values=NullValues.FAIL)).decode(make_slice([b"a", None]))
    assert [bad.offset for bad in decoded.bad] == [101]
    with pytest.raises(DecodeError, match=r"logs-3@101.*behavior\.on\.null\.values"):
        make_decoder(replace(RAW, null_values=NullValues.FAIL)).decode(make_slice([b"a", None]))


def test_raw_json_brings_the_fields_that_paths_need_and_no_others(make_slice):
    config = replace(JSON, archive_value=ArchiveValue.RAW, partitioning=BY_LEVEL)
    values = [b'{"level":"info","user":{"id":7,"name":"x"},"z":[1]}', None, b'{"z":2}', b"{oops", b'{"user":5}']
    decoded = make_decoder(config).decode(make_slice(values))
    assert values_of(decoded) == [{"value": value} for value in (values[0], None, values[2], values[4])]
    assert decoded.partition_columns.to_pylist() == [
        {"level": "info", "user.id": None, "user": {"id": 7}},
        {"level": None, "user.id": None, "user": None},
        {"level": None, "user.id": None, "user": None},
        {"level": None, "user.id": None, "user": None},
    ]
    assert [bad.offset for bad in decoded.bad] == [103]


def test_the_timestamp_field_is_brought_along_too(make_slice):
    timed = Partitioning(PartitionerKind.DAILY, extractor=ExtractorKind.RECORD_FIELD, timestamp_field="at")
    config = replace(JSON, archive_value=ArchiveValue.RAW, partitioning=timed)
    decoded = make_decoder(config).decode(make_slice([b'{"at":5,"z":1}'] * 600))
    assert decoded.partition_columns.column("at").to_pylist() == [5] * 600


def test_a_field_that_paths_need_has_a_column_whatever_the_limit(make_slice):
    config = replace(JSON, value_columns_max=1, partitioning=BY_LEVEL)
    decoded = make_decoder(config).decode(make_slice([b'{"a":1,"b":2,"level":"x"}']))
    assert values_of(decoded) == [{"a": 1, "level": "x", "_rest": '{"b":2}'}]


def test_topics_have_columns_of_their_own(make_slice):
    decoder = make_decoder(JSON)
    decoder.decode(make_slice([b'{"a":1}']))
    raw = make_slice([b'{"b":1}'])
    other = replace(raw, topic_partition=replace(raw.topic_partition, topic="other"))
    assert decoder.decode(other).rows.schema.names == ["_kafka", "b"]


def test_an_empty_slice_decodes_to_no_rows(make_slice):
    for value in ArchiveValue:
        assert make_decoder(replace(JSON, archive_value=value)).decode(make_slice([])).rows.num_rows == 0


def test_an_unusable_declared_schema_is_a_configuration_error():
    for text in (
        "{",
        "[]",
        '{"type":"int32"}',
        '{"type":"struct"}',
        '{"type":"struct","fields":[{"field":"a","type":"u8"}]}',
    ):
        with pytest.raises(ConfigError, match=r"value\.schema"):
            make_decoder(replace(JSON, value_schema=text))


def test_a_declared_schema_gives_the_columns_before_any_record(make_slice):
    schema = json.dumps({"type": "struct", "fields": [{"field": "a", "type": "int16", "optional": True}]})
    decoded = make_decoder(replace(JSON, value_schema=schema)).decode(make_slice([None]))
    assert decoded.rows.schema.field("a").type == pa.int16()


def test_an_empty_object_and_an_object_of_nulls_are_no_tombstones(make_slice):
    values = [b'{"a":1}', b"{}", b'{"a":null}', None]
    decoded = make_decoder(JSON).decode(make_slice(values))
    restored = restore(decoded.rows, 0).column("value").to_pylist()
    assert [None if value is None else json.loads(value) for value in restored] == [
        {"a": 1},
        {},
        {},
        None,
    ]


@pytest.mark.parametrize("archive_value", [ArchiveValue.COLUMNS, ArchiveValue.BOTH])
def test_strings_are_text_that_comes_back_and_what_is_no_utf8_is_bad(make_slice, archive_value):
    config = replace(TOLERANT, value_converter=Converter.STRING, archive_value=archive_value)
    decoded = make_decoder(config).decode(make_slice([b"plain", None, b"\xff", "\u00e9".encode(), b""]))
    assert decoded.rows.schema.field("value").type == pa.string()
    assert [row["value"] for row in values_of(decoded)] == ["plain", None, "\u00e9", ""]
    assert [(bad.offset, bad.stage) for bad in decoded.bad] == [(102, "VALUE_CONVERTER")]
    assert restore(decoded.rows, 0).column("value").to_pylist() == [b"plain", None, "\u00e9".encode(), b""]
