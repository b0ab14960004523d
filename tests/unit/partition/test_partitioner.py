from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamsink.config.sink import ArchiveValue, Converter, ExtractorKind, PartitionerKind, Partitioning, SinkConfig
from streamsink.errors import ConfigError, PartitionError
from streamsink.partition.partitioner import make_partitioner
from streamsink.record import JSON_TEXT_METADATA, VARIANT_OF, DecodedSlice, TopicPartition

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOURLY = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"
DAILY = "'year'=YYYY/'month'=MM/'day'=dd"


def decoded(columns: dict[str, object], *, times: list[int | None] | None = None, beside: bool = False) -> DecodedSlice:
    arrays = {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}
    count = len(next(iter(arrays.values()))) if arrays else len(times or [])
    batch = pa.RecordBatch.from_pydict(arrays)
    raw = pa.RecordBatch.from_pydict({"value": pa.array([b"?"] * count, pa.binary())})
    return DecodedSlice(
        topic_partition=TopicPartition("logs", 3),
        start=100,
        next_offset=100 + count,
        rows=raw if beside or not arrays else batch,
        offsets=pa.array(range(100, 100 + count), pa.int64()),
        timestamps=pa.array(times or [0] * count, pa.int64()),
        partition_columns=batch if beside else None,
    )


def texts(column: list[str | None]) -> tuple[pa.Array, pa.Field]:
    return pa.array(column, pa.string()), pa.field("f", pa.string(), metadata=JSON_TEXT_METADATA)


def json_texts(column: list[str | None]) -> DecodedSlice:
    array, field = texts(column)
    plain = decoded({"f": array})
    marked = pa.RecordBatch.from_arrays([array], schema=pa.schema([field]))
    return DecodedSlice(plain.topic_partition, 100, 100 + len(column), marked, plain.offsets, plain.timestamps)


def encode(rows: DecodedSlice, *, now_ms: int = 0, **rules: object) -> list[str]:
    config = SinkConfig("s", "memory://", {}, value_converter=Converter.JSON, partitioning=Partitioning(**rules))
    encoded = make_partitioner(config).encode(rows, now_ms=now_ms)
    return [encoded] * len(rows.offsets) if isinstance(encoded, str) else encoded.to_pylist()


def by_field(rows: DecodedSlice, *fields: str, **rules: object) -> list[str]:
    return encode(rows, kind=PartitionerKind.FIELD, fields=fields or ("f",), **rules)


def by_time(
    times: list[int | None], *, path_format: str = HOURLY, duration_ms: int = HOUR_MS, **rules: object
) -> list[str]:
    rows = decoded({}, times=times)
    return encode(rows, kind=PartitionerKind.TIME, path_format=path_format, duration_ms=duration_ms, **rules)


def by_time_field(rows: DecodedSlice, **rules: object) -> list[str]:
    chosen = {"path_format": "YYYYMMdd'T'HHmmss.SSS", "duration_ms": 1, "timestamp_field": "f", **rules}
    return encode(rows, kind=PartitionerKind.TIME, extractor=ExtractorKind.RECORD_FIELD, **chosen)


def ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def test_default_is_the_topic_partition():
    assert encode(decoded({"f": [1, 2]})) == ["partition=3"] * 2


def test_one_string_stands_for_all_rows_where_they_agree():
    rules = Partitioning(PartitionerKind.FIELD, fields=("f",))
    config = SinkConfig("s", "m://", {}, value_converter=Converter.JSON, partitioning=rules)
    partitioner = make_partitioner(config)
    assert partitioner.encode(decoded({"f": ["a", "a"]}), now_ms=0) == "f=a"
    mixed = partitioner.encode(decoded({"f": ["a", "b"]}), now_ms=0)
    assert mixed.type == pa.dictionary(pa.int32(), pa.string())
    assert mixed.to_pylist() == ["f=a", "f=b"]
    assert partitioner.deterministic


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (["a", None, ""], ["a", "null", ""]),
        ([1, -2, None], ["1", "-2", "null"]),
        (pa.array([2**63 - 1], pa.int64()), ["9223372036854775807"]),
        ([True, False, None], ["true", "false", "null"]),
        ([1.0, 1.5, -0.0, 1e300, None], ["1", "1.5", "0", "1e+300", "null"]),
        (pa.array([0, None], pa.timestamp("ms", tz="UTC")), ["1970-01-01T00:00:00.000Z", "null"]),
        (pa.array([1], pa.date32()), ["1970-01-02"]),
        (pa.nulls(2), ["null", "null"]),
    ],
)
def test_a_fields_value_reads_as_confluent_writes_it(column: object, values: list[str]):
    assert by_field(decoded({"f": column})) == [f"f={value}" for value in values]


def test_a_value_has_one_path_whatever_its_column_has_widened_to():
    assert (
        by_field(decoded({"f": [5, 6]})) == by_field(decoded({"f": [5.0, 6.0]})) == by_field(json_texts(["5", "6.0"]))
    )
    assert by_field(decoded({"f": ["a", None]})) == by_field(json_texts(['"a"', None]))
    assert by_field(decoded({"f": [True]})) == by_field(json_texts(["true"]))
    assert by_field(decoded({"f": [0.1, 1e300]})) == by_field(json_texts(["0.1", "1e300"]))


def test_a_missing_field_counts_as_null():
    assert by_field(decoded({"g": [1, 2]})) == ["f=null"] * 2


def test_nested_fields_are_named_with_dots_and_keep_their_name():
    column = pa.array([{"in": {"a": 16}}, {"in": None}, None])
    assert by_field(decoded({"outer": column}), "outer.in.a") == ["outer.in.a=16", "outer.in.a=null", "outer.in.a=null"]
    assert by_field(decoded({"outer": [1]}), "outer.in") == ["outer.in=null"]


def test_a_field_whose_own_name_has_dots_goes_before_a_nested_one():
    rows = decoded({"a.b": ["own", None], "a": pa.array([{"b": "x"}, {"b": "nested"}])})
    assert by_field(rows, "a.b") == ["a.b=own", "a.b=nested"]


def test_fields_inside_json_texts_are_found():
    assert by_field(json_texts(['{"a":{"b":"x"}}', "5", None, '{"a":7}']), "f.a.b") == [
        "f.a.b=x", "f.a.b=null", "f.a.b=null", "f.a.b=null",
    ]  # fmt: skip


def test_several_fields_make_several_directories():
    rows = decoded({"f": ["a", "b", "a"], "g": [1, 1, 2], "h": [0, 0, 0]})
    assert by_field(rows, "f", "h", "g") == ["f=a/h=0/g=1", "f=b/h=0/g=1", "f=a/h=0/g=2"]


def test_partition_columns_go_before_raw_rows():
    assert by_field(decoded({"f": ["a", "b"]}, beside=True)) == ["f=a", "f=b"]
    assert by_field(decoded({"g": ["a", "b"]}, beside=True), "value") == ["value=null"] * 2


@pytest.mark.parametrize("column", [pa.array([None, [1]]), pa.array([None, {"a": 1}]), pa.array([None, b"x"])])
def test_a_field_that_is_no_scalar_is_told_by_row(column: pa.Array):
    with pytest.raises(PartitionError, match="the field 'f' holds a") as caught:
        by_field(decoded({"f": column}))
    assert caught.value.rows.keys() == {1}
    assert "partition.field.name" in caught.value.hint


def test_a_json_text_that_is_no_scalar_is_told_as_its_column_would_be():
    with pytest.raises(PartitionError, match="the field 'f' holds a list") as caught:
        by_field(json_texts(["1", None, "[1]"]))
    assert caught.value.rows.keys() == {2}


def test_hostile_values_stay_inside_their_directory():
    values = ["..", "../../etc", "a/b", "a\\b", "\0", "100%", "a\nb", "x" * 500, "ü" * 150, "%2F", "x" * 499 + "y"]
    paths = by_field(decoded({"f": values}))
    assert paths[:7] == ["f=..", "f=..%2F..%2Fetc", "f=a%2Fb", "f=a%5Cb", "f=%00", "f=100%25", "f=a%0Ab"]
    assert paths[9] == "f=%252F"
    assert len(set(paths)) == len(values)
    assert all(len(path.encode()) <= 200 and "/" not in path for path in paths)


def test_the_archives_own_delimiter_is_encoded_within_values():
    rows = decoded({"f": ["a_b", "c/d"], "g": ["x", "y"]})
    assert by_field(rows, "f", "g", directory_delim="_") == ["f=a%5Fb_g=x", "f=c%2Fd_g=y"]


def test_hours_follow_the_zone_through_clock_changes():
    times = [ms(f"2024-{time}+00:00") for time in ("03-31T00:59:59", "03-31T01:00", "10-27T00:30", "10-27T01:30")]
    assert by_time(times, timezone="Europe/Paris", path_format="MM-dd HH") == [
        "03-31 01",
        "03-31 03",
        "10-27 02",
        "10-27 02",
    ]


def test_a_day_that_begins_in_a_skipped_hour_is_still_that_day():
    noon = ms("2018-11-04T15:00:00+00:00")
    assert by_time([noon], timezone="America/Sao_Paulo", path_format=DAILY, duration_ms=DAY_MS) == [
        "year=2018/month=11/day=04"
    ]


def test_times_before_1970_count_to_the_later_end_as_in_java():
    times = [-1, -HOUR_MS + 1, -HOUR_MS, -HOUR_MS - 1, 0]
    assert by_time(times, path_format="HH") == ["00", "00", "23", "23", "00"]


@settings(max_examples=200, deadline=None)
@given(
    times=st.lists(
        st.integers(ms("1900-01-01T00:00:00+00:00"), ms("2200-01-01T00:00:00+00:00")), min_size=1, max_size=20
    ),
    zone=st.sampled_from(
        ["UTC", "Europe/Amsterdam", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Africa/Monrovia"]
    ),
)
@example(times=[ms(f"1972-01-07T00:44:{second}+00:00") for second in (10, 29, 30, 31, 59)], zone="Africa/Monrovia")
@example(times=[ms(f"2010-11-07T02:{minute}:00+00:00") for minute in (29, 30, 31, 32, 45)], zone="America/St_Johns")
def test_local_time_is_zoneinfos_for_every_single_row(times: list[int], zone: str):
    expected = [
        (dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=time)).astimezone(ZoneInfo(zone))
        for time in times
    ]
    formatted = by_time(times, timezone=zone, path_format="YYYY-MM-dd HH:mm:ss", duration_ms=1)
    assert formatted == [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in expected]


def test_years_that_python_does_not_know_are_formatted_all_the_same():
    assert by_time([1_700_000_000_000_000, -(10**16)], path_format="YYYY/G") == ["55840/AD", "314919/BC"]


def test_records_without_timestamp_are_told_by_row_with_a_hint():
    with pytest.raises(PartitionError, match="the record has no timestamp") as caught:
        by_time([0, None, 5, None])
    assert caught.value.rows.keys() == {1, 3}
    assert "RecordField" in caught.value.hint


def test_the_wall_clock_gives_all_rows_one_path_and_is_not_deterministic():
    rules = Partitioning(PartitionerKind.TIME, path_format="HH", duration_ms=HOUR_MS, extractor=ExtractorKind.WALLCLOCK)
    config = SinkConfig("s", "m://", {}, value_converter=Converter.JSON, partitioning=rules)
    assert make_partitioner(config).encode(decoded({"f": [1, 2]}), now_ms=5 * HOUR_MS) == "05"
    assert not make_partitioner(config).deterministic


def test_fields_and_time_are_joined():
    rows = decoded({"f": ["a", "b", "a"]}, times=[0, 0, HOUR_MS])
    assert encode(rows, kind=PartitionerKind.FIELD_TIME, fields=("f",), path_format="'h'=HH", duration_ms=HOUR_MS) == [
        "f=a/h=00", "f=b/h=00", "f=a/h=01",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [PartitionerKind.HOURLY, PartitionerKind.DAILY])
def test_a_delimiter_at_the_end_of_the_format_is_left_out(kind: PartitionerKind):
    assert encode(decoded({}, times=[0]), kind=kind, path_format="'h'=HH/", duration_ms=HOUR_MS) == ["h=00"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1_500, None], pa.int64()).slice(0, 1),
        pa.array([1_500], pa.timestamp("ms", tz="UTC")),
        pa.array([1_500_999], pa.timestamp("us")),
        ["1500"],
        ["1970-01-01T00:00:01.500Z"],
        ["1970-01-01T01:00:01.5+01:00"],
        ["1970-01-01T00:00:01.500"],
        ["19700101T000001.5Z"],
        [1500.0],
    ],
)
def test_a_time_field_is_read_in_each_of_its_forms(column: object):
    assert by_time_field(decoded({"f": column})) == ["19700101T000001.500"]


def test_a_finer_time_counts_to_the_millisecond_it_is_in():
    for unit in ("us", "ns"):
        assert by_time_field(decoded({"f": pa.array([-1], pa.timestamp(unit))})) == ["19691231T235959.999"]
    assert by_time_field(decoded({"f": ["1969-12-31T23:59:59.999999Z"]})) == ["19691231T235959.999"]
    assert by_time_field(decoded({"f": pa.array([-1], pa.timestamp("s"))})) == ["19691231T235959.000"]


def test_a_date_is_its_first_moment():
    assert by_time_field(decoded({"f": pa.array([-1], pa.date32())})) == ["19691231T000000.000"]
    assert by_time_field(decoded({"f": ["1969-12-31"]})) == ["19691231T000000.000"]


def test_forms_may_be_mixed_within_a_column():
    expected = ["19700101T000000.005", "19700101T000000.000", "19700101T000000.007"]
    assert by_time_field(decoded({"f": ["5", "1970-01-01", "1970-01-01T00:00:00.007Z"]})) == expected
    assert by_time_field(json_texts(["5", '"1970-01-01"', '"7"'])) == expected


def test_a_nested_time_field_is_found():
    rows = decoded({"meta": pa.array([{"at": 5}])})
    assert by_time_field(rows, timestamp_field="meta.at") == ["19700101T000000.005"]


@settings(max_examples=200, deadline=None)
@given(
    moment=st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2400, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(["", "Z", "+00:00", "-09:30", "+14:00"]),
    gap=st.sampled_from(["T", " "]),
    digits=st.sampled_from([0, 1, 3, 6]),
)
def test_arrow_and_python_read_the_same_time(moment: dt.datetime, zone: str, gap: str, digits: int):
    text = f"{moment:%Y-%m-%d}{gap}{moment:%H:%M:%S}" + (f".{moment:%f}"[: digits + 1] if digits else "") + zone
    at_once = by_time_field(decoded({"f": [text]}))
    one_by_one = by_time_field(decoded({"f": [text, "1970W011"]}))
    assert at_once[0] == one_by_one[0]


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ([0, None], "null or missing"),
        (["0", "soon"], "'soon'"),
        ([0.0, 1.5], "1.5"),
        ([None, True], "True"),
        (["0", "9" * 19], "9999"),
        (pa.array([None, {"a": 1}]), "struct"),
    ],
)
def test_what_tells_no_time_is_told_by_field_and_row(column: object, fault: str):
    with pytest.raises(PartitionError) as caught:
        by_time_field(decoded({"f": column}))
    assert fault in caught.value.rows[1]
    assert caught.value.rows[1].startswith("timestamp.field 'f' is ")


def test_a_missing_time_field_is_told_for_each_row():
    with pytest.raises(PartitionError, match=r"timestamp\.field 'f' is null or missing") as caught:
        by_time_field(decoded({"g": [1, 2]}))
    assert caught.value.rows.keys() == {0, 1}


VARIANTS = pa.schema(
    [
        pa.field("f", pa.int64()),
        pa.field("f__string", pa.string(), metadata={VARIANT_OF: "f"}),
        pa.field("f__json", pa.string(), metadata={VARIANT_OF: "f", **JSON_TEXT_METADATA}),
        pa.field("_rest", pa.string(), metadata=JSON_TEXT_METADATA),
    ]
)


def test_a_value_is_found_wherever_it_lies():
    rows = pa.RecordBatch.from_pylist(
        [{"f": 5}, {"f__string": "x"}, {"f__json": '"y"'}, {"_rest": '{"f":true}'}, {"_rest": '{"g":1}'}], VARIANTS
    )
    encoded = by_field(replace(decoded({"f": [1] * 5}), rows=rows))
    assert encoded == ["f=5", "f=x", "f=y", "f=true", "f=null"]


def test_a_value_inside_a_struct_or_its_variant_is_found():
    inner = pa.struct([pa.field("id", pa.int64()), pa.field("id__string", pa.string(), metadata={VARIANT_OF: "id"})])
    schema = pa.schema(
        [pa.field("u", inner), pa.field("u__json", pa.string(), metadata={VARIANT_OF: "u", **JSON_TEXT_METADATA})]
    )
    rows = pa.RecordBatch.from_pylist(
        [{"u": {"id": 1}}, {"u": {"id__string": "a"}}, {"u__json": '{"id":{"x":1}}'}, {"u__json": '{"id":7}'}], schema
    )
    with pytest.raises(PartitionError) as caught:
        by_field(replace(decoded({"f": [1] * 4}), rows=rows), "u.id")
    assert caught.value.rows.keys() == {2}
    kept = rows.take(pa.array([0, 1, 3]))
    assert by_field(replace(decoded({"f": [1] * 3}), rows=kept), "u.id") == ["u.id=1", "u.id=a", "u.id=7"]


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ({"kind": PartitionerKind.FIELD}, "partition.field.name"),
        ({"kind": PartitionerKind.TIME, "path_format": "HH", "duration_ms": 0}, "partition.duration.ms"),
        ({"kind": PartitionerKind.TIME, "path_format": "HH", "duration_ms": 1, "timezone": "Mars/Base"}, "timezone"),
        ({"kind": PartitionerKind.TIME, "path_format": "'open", "duration_ms": 1}, "path.format"),
        ({"kind": PartitionerKind.TIME, "path_format": "bb", "duration_ms": 1}, "path.format"),
        ({"kind": PartitionerKind.TIME, "path_format": "'..'/HH", "duration_ms": 1}, "path.format"),
        ({"kind": PartitionerKind.TIME, "path_format": "", "duration_ms": 1}, "path.format"),
        ({"kind": PartitionerKind.TIME, "path_format": "MMM", "duration_ms": 1, "locale": "de-DE"}, "locale"),
    ],
)
def test_an_unusable_rule_is_a_configuration_error_naming_its_key(rules: dict[str, object], key: str):
    with pytest.raises(ConfigError) as caught:
        encode(decoded({"f": [1]}), **rules)
    assert [problem.key for problem in caught.value.problems] == [key]


@pytest.mark.parametrize(
    ("converter", "archive_value", "field", "problems"),
    [
        (Converter.BYTES, ArchiveValue.RAW, "f", ["partition.field.name"]),
        (Converter.BYTES, ArchiveValue.RAW, "value", ["partition.field.name"]),
        (Converter.BYTES, ArchiveValue.RAW, "_kafka.partition", []),
        (Converter.STRING, ArchiveValue.COLUMNS, "f.g", ["partition.field.name"]),
        (Converter.STRING, ArchiveValue.COLUMNS, "value", []),
        (Converter.STRING, ArchiveValue.RAW, "value", ["partition.field.name"]),
        (Converter.JSON, ArchiveValue.RAW, "f", []),
    ],
)
def test_a_field_that_no_value_can_have_is_refused_before_the_first_row(
    converter: Converter, archive_value: ArchiveValue, field: str, problems: list[str]
):
    rules = Partitioning(kind=PartitionerKind.FIELD, fields=(field,))
    config = SinkConfig("s", "m://", {}, value_converter=converter, archive_value=archive_value, partitioning=rules)
    try:
        make_partitioner(config)
        found: list[str] = []
    except ConfigError as error:
        found = [problem.key for problem in error.problems]
    assert found == problems


def test_a_time_field_needs_values_that_have_fields():
    rules = Partitioning(
        kind=PartitionerKind.TIME, path_format="HH", duration_ms=1, extractor=ExtractorKind.RECORD_FIELD
    )
    with pytest.raises(ConfigError, match=r"timestamp\.field: 'timestamp' is a field, and bytes values have none"):
        make_partitioner(SinkConfig("s", "m://", {}, partitioning=rules))


def test_an_empty_slice_has_no_paths_to_give():
    assert by_field(decoded({"f": pa.array([], pa.string())})) == []


def test_a_million_rows_cost_one_formatting_a_bucket(monkeypatch: pytest.MonkeyPatch):
    calls = counting(monkeypatch)
    times = (1_700_000_000_000 + np.arange(100_000) * 360).tolist()
    assert len(set(by_time(times, timezone="Europe/Paris"))) == calls[0] - 1 == 11


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from streamsink.partition.pattern import Pattern  # noqa: PLC0415

    calls = [0]
    original: Callable[..., str] = Pattern.format

    def counted(self: Pattern, moment: object) -> str:
        calls[0] += 1
        return original(self, moment)

    monkeypatch.setattr(Pattern, "format", counted)
    return calls
