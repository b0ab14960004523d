"""Lenses' S3 sink: its KCQL, names and padding, formats and envelope, as its documentation has them."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest

from streamsink.archive.archive import Archive
from streamsink.archive.check import check_objects, read_object
from streamsink.config.reading.connector import validate_sink
from streamsink.config.vendors.kcql import Kcql, KcqlError, read_kcql
from tests.unit.dropin.play import Play, Record, value

LENSES = {
    "connector.class": "io.lenses.streamreactor.connect.aws.s3.sink.S3SinkConnector",
    "s3.bucket.name": None,
    "storage.class": None,
    "format.class": None,
    "flush.size": None,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
}
BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"
KEY = "connect.s3.kcql"
AT_MS = 1_796_000_123_456  # 2026-11-30T00:55:23.456Z
ONE = Record(value(a=1, c="DE"), key=b"k", time_ms=AT_MS, headers=(("h", b"x"),))


def played(clauses, *records, changes=None, into="bucket:pre", **settings):
    count = f"'flush.count'={len(records)}"
    text = clauses.replace("PROPERTIES(", f"PROPERTIES({count},") if "PROPERTIES(" in clauses else None
    statement = f"INSERT INTO {into} SELECT * FROM t {text or f'{clauses} PROPERTIES({count})'}"
    playing = Play({**LENSES, KEY: statement, **(changes or {})}, **settings)
    playing.poll(*records)
    return playing


def names(playing):
    return [info.name for info in playing.store.list("") if not info.name.startswith("_streamsink/")]


def only(playing):
    [name] = names(playing)
    return playing.store.get(name)


@pytest.mark.parametrize(
    ("clauses", "more", "wanted"),
    [
        pytest.param("", {}, f"pre/t/0/{7:012d}.json", id="topic, partition and a padded offset"),
        pytest.param("", {"into": "bucket"}, f"t/0/{7:012d}.json", id="no prefix"),
        pytest.param("", {"into": "`bucket:a/b`"}, f"a/b/t/0/{7:012d}.json", id="a deep prefix in quotes"),
        pytest.param("STOREAS `AVRO`", {}, f"pre/t/0/{7:012d}.avro", id="Avro"),
        pytest.param("STOREAS PARQUET", {}, f"pre/t/0/{7:012d}.parquet", id="Parquet without quotes"),
        pytest.param("STOREAS `TEXT`", {"changes": {"value.converter": STRING}}, f"pre/t/0/{7:012d}.text", id="texts"),
        pytest.param("STOREAS `BYTES`", {"changes": {"value.converter": BYTES}}, f"pre/t/0/{7:012d}.bytes", id="bytes"),
        pytest.param("PROPERTIES('padding.length.offset'=5)", {}, "pre/t/0/00007.json", id="a padding of the offset"),
        pytest.param(
            "PROPERTIES('padding.length.partition'='4')",
            {},
            f"pre/t/0000/{7:012d}.json",
            id="a padding of the partition",
        ),
        pytest.param("PROPERTIES('padding.type'='NoOp')", {}, "pre/t/0/7.json", id="no padding"),
        pytest.param("PROPERTIES('key.suffix'='_x')", {}, f"pre/t/0/{7:012d}_x.json", id="a suffix"),
        pytest.param("PARTITIONBY c", {}, f"pre/c=DE/t(0_{7:012d}).json", id="by a field of the value"),
        pytest.param("PARTITIONBY _value.c", {}, f"pre/c=DE/t(0_{7:012d}).json", id="by a field with its side"),
        pytest.param("PARTITIONBY _key", {}, f"pre/key=k/t(0_{7:012d}).json", id="by the key"),
        pytest.param(
            "PARTITIONBY _topic, c, _partition", {}, f"pre/topic=t/c=DE/partition=0/t(0_{7:012d}).json", id="by three"
        ),
        pytest.param(
            "PARTITIONBY _date.yyyy, _date.MM",
            {},
            f"pre/date=2026/date=11/t(0_{7:012d}).json",
            id="by parts of the date",
        ),
        pytest.param(
            "PARTITIONBY _date.HH, c, _key",
            {},
            f"pre/date=00/c=DE/key=k/t(0_{7:012d}).json",
            id="by hour, field and key in that order",
        ),
        pytest.param(
            "PARTITIONBY _topic, c PROPERTIES('partition.include.keys'=false)",
            {},
            f"pre/t/DE/t(0_{7:012d}).json",
            id="values without their names",
        ),
        pytest.param(
            "",
            {"changes": {"connect.s3.compression.codec": "GZIP"}},
            f"pre/t/0/{7:012d}.json.gz",
            id="JSON, compressed",
        ),
    ],
)
def test_names_are_lenses_but_for_the_first_offset(clauses, more, wanted):
    assert names(played(clauses, ONE, first=7, **more)) == [wanted]


ENVELOPE = (
    b'{"key":"k","value":{"a":1,"c":"DE"},"headers":{"h":"x"},'
    b'"metadata":{"timestamp":1796000123456,"topic":"t","partition":0,"offset":0}}\n'
)


@pytest.mark.parametrize(
    ("clauses", "changes", "wanted"),
    [
        pytest.param("", {}, b'{"a":1,"c":"DE"}\n{"a":2}\n', id="a line of JSON for each value"),
        pytest.param(
            "STOREAS TEXT", {"value.converter": STRING}, b'{"a": 1, "c": "DE"}\n{"a": 2}\n', id="a line for each text"
        ),
        pytest.param(
            "STOREAS BYTES", {"value.converter": BYTES}, b'{"a": 1, "c": "DE"}{"a": 2}', id="bytes one after the other"
        ),
    ],
)
def test_values_are_plain(clauses, changes, wanted):
    assert only(played(clauses, ONE, Record(value(a=2)), changes=changes)) == wanted


def test_an_envelope_has_key_value_headers_and_metadata():
    assert only(played("PROPERTIES('store.envelope'=true)", ONE)) == ENVELOPE


def test_fields_of_the_envelope_can_be_left_out():
    clauses = (
        "PROPERTIES('store.envelope'=true,'store.envelope.fields.headers'=false,'store.envelope.fields.key'=false)"
    )
    assert only(played(clauses, ONE)).startswith(b'{"value":{"a":1,"c":"DE"},"metadata":')


def test_parquet_has_the_envelope_as_columns():
    data = only(played("STOREAS PARQUET PROPERTIES('store.envelope'=true)", ONE))
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [
        {
            "key": "k",
            "value": {"a": 1, "c": "DE"},
            "headers": [("h", b"x")],
            "metadata": {"timestamp": AT_MS, "topic": "t", "partition": 0, "offset": 0},
        }
    ]


@pytest.mark.parametrize(
    "clauses",
    [
        "",
        "PROPERTIES('store.envelope'=true)",
        "STOREAS PARQUET PROPERTIES('store.envelope'=true)",
        "STOREAS AVRO",
        "PARTITIONBY c STOREAS PARQUET",
    ],
)
def test_verification_reads_what_was_written(clauses):
    playing = played(clauses, ONE, Record(value(a=2, c="DE"), key=b"l"))
    archive = Archive(playing.store, playing.store.url, "pre/")
    [one] = check_objects(archive, [read_object(archive, entry) for entry in archive.objects()])
    assert (one.problems, one.records, one.runs.first_offset, one.runs.last_offset) == ((), 2, 0, 1)


def test_flushes_are_by_count_size_and_seconds():
    text = "INSERT INTO b SELECT * FROM t PROPERTIES('flush.count'=7,'flush.size'=1000000,'flush.interval'=30)"
    rotation = told(text).config.rotation
    assert (rotation.flush_size, rotation.size_bytes, rotation.age_ms) == (7, 1_000_000, 30_000)
    rotation = told("INSERT INTO b SELECT * FROM t").config.rotation
    assert (rotation.flush_size, rotation.size_bytes, rotation.age_ms) == (50_000, 500_000_000, 3_600_000)
    old = told("INSERT INTO b SELECT * FROM t WITH_FLUSH_COUNT = 9").config.rotation
    assert old.flush_size == 9


def told(statement, **changes):
    raw = {**LENSES, "name": "a", "topics": "t", "value.converter": "json", KEY: statement, **changes}
    raw = {key: text for key, text in raw.items() if text is not None}
    return validate_sink(raw, {"bootstrap.servers": "broker:9092"})


def test_the_store_follows_from_the_statement_and_lenses_keys():
    config = told(
        "INSERT INTO bucket:pre SELECT * FROM `*`",
        **{
            "connect.s3.aws.auth.mode": "Credentials",
            "connect.s3.aws.access.key": "id",
            "connect.s3.aws.secret.key": "secret",
            "connect.s3.custom.endpoint": "http://s3:9000",
        },
    ).config
    assert config.archive_url == "s3://bucket"
    assert config.archive_options["access_key_id"] == "id"
    assert config.archive_options["endpoint"] == "http://s3:9000"
    assert config.naming.topics_dir == "pre"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        pytest.param("INSERT INTO b SELECT * FROM t LIMIT 5", "the clause LIMIT is not known", id="an unknown clause"),
        pytest.param("INSERT INTO b SELECT a FROM t", "selects a: only * is known", id="a field selected"),
        pytest.param("UPSERT INTO b SELECT * FROM t", "has 'UPSERT' where INSERT", id="another verb"),
        pytest.param("INSERT INTO b SELECT * FROM", "ends where a topic should stand", id="an end too soon"),
        pytest.param("INSERT INTO b SELECT * FROM t; INSERT INTO c SELECT * FROM u", "several statements", id="two"),
        pytest.param("INSERT INTO b SELECT * FROM t STOREAS `CSV`", "STOREAS CSV is not known", id="csv"),
        pytest.param("INSERT INTO b SELECT * FROM t PARTITIONBY _header.h", "_header.h is not known", id="a header"),
        pytest.param(
            "INSERT INTO b SELECT * FROM t PARTITIONBY _date.yyyy/MM", "is not known", id="a date with slashes"
        ),
        pytest.param(
            "INSERT INTO b SELECT * FROM t PROPERTIES('store.file.namer'='x')",
            "store.file.namer are not known",
            id="namer",
        ),
        pytest.param(
            "INSERT INTO b SELECT * FROM t PROPERTIES('flush.count'=many)", "flush.count is 'many'", id="no number"
        ),
        pytest.param("INSERT INTO b SELECT * FROM other", "is about other, and topics has others", id="another topic"),
        pytest.param(
            "INSERT INTO b SELECT * FROM t PROPERTIES('padding.type'='RightPad')", "must be LeftPad or NoOp", id="right"
        ),
        pytest.param(
            "INSERT INTO b SELECT * FROM t STOREAS TEXT PROPERTIES('store.envelope'=true)",
            "as TEXT",
            id="text enveloped",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name(statement, why):
    problems = told(statement).problems
    assert [problem.key for problem in problems] == [KEY]
    assert why in problems[0].message


def test_a_codec_that_the_format_lacks_is_refused():
    problems = told("INSERT INTO b SELECT * FROM t", **{"connect.s3.compression.codec": "LZ4"}).problems
    assert [problem.key for problem in problems] == ["connect.s3.compression.codec"]


def test_a_statement_is_read_whatever_its_case_and_spaces():
    statement = read_kcql(
        "insert  into `my-bucket:a/b` select * from `my.topic` partitionby _key, `x.y` storeas `avro`"
        " properties ( 'flush.count' = 5 , 'key.suffix'='it''s' );"
    )
    assert statement == Kcql(
        "my-bucket", "a/b", "my.topic", ("_key", "x.y"), "AVRO", {"flush.count": "5", "key.suffix": "it's"}
    )


@pytest.mark.parametrize("text", ["", "INSERT", "INSERT INTO b SELECT * FROM t PROPERTIES('a'", "INSERT INTO b ?"])
def test_a_broken_statement_is_said_to_be(text):
    with pytest.raises(KcqlError):
        read_kcql(text)
