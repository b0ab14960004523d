"""Objects' names as Confluent documents them: one record each, from the configuration to the name."""

from __future__ import annotations

from datetime import datetime

import pytest

from streamsink.errors import DecodeError
from tests.unit.dropin.play import STORAGE, Record, play, value

FORMAT = "io.confluent.connect.s3.format."
ROUTER = {
    "transforms": "route",
    "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
    "transforms.route.regex": "(.*)",
    "transforms.route.replacement": "prod-$1",
}
PARQUET = {"format.class": f"{FORMAT}parquet.ParquetFormat"}
AVRO = {"format.class": f"{FORMAT}avro.AvroFormat"}
BYTES = {"format.class": f"{FORMAT}bytearray.ByteArrayFormat"}
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOURLY = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"


def name_of(changes, record=None, **settings):
    (name,) = play({"flush.size": "1", **changes}, record or Record(value(a=1)), **settings).objects
    return name


@pytest.mark.parametrize(
    ("changes", "settings", "name"),
    [
        pytest.param({}, {}, "topics/t/partition=0/t+0+0000000000.json", id="the default layout"),
        pytest.param({}, {"first": 12345}, "topics/t/partition=0/t+0+0000012345.json", id="ten digits of the offset"),
        pytest.param(
            {}, {"first": 10**11}, "topics/t/partition=0/t+0+100000000000.json", id="an offset of more digits"
        ),
        pytest.param({}, {"partition": 17}, "topics/t/partition=17/t+17+0000000000.json", id="Kafka's partition twice"),
        pytest.param(
            {}, {"topic": "a.b_c-d"}, "topics/a.b_c-d/partition=0/a.b_c-d+0+0000000000.json", id="a topic's dots"
        ),
        pytest.param(
            {"filename.offset.zero.pad.width": "0"}, {"first": 5}, "topics/t/partition=0/t+0+5.json", id="no padding"
        ),
        pytest.param(
            {"filename.offset.zero.pad.width": "20"}, {}, f"topics/t/partition=0/t+0+{'0' * 20}.json", id="wide padding"
        ),
        pytest.param(
            {"filename.offset.zero.pad.width": "3"},
            {"first": 12345},
            "topics/t/partition=0/t+0+12345.json",
            id="narrow padding",
        ),
        pytest.param({"topics.dir": ""}, {}, "t/partition=0/t+0+0000000000.json", id="no folder of topics"),
        pytest.param({"topics.dir": "a/b"}, {}, "a/b/t/partition=0/t+0+0000000000.json", id="a deep folder of topics"),
        pytest.param({"file.delim": "-"}, {}, "topics/t/partition=0/t-0-0000000000.json", id="file.delim"),
        pytest.param(
            {"file.delim": "_"},
            {"topic": "a_b"},
            "topics/a_b/partition=0/a_b_0_0000000000.json",
            id="file.delim in the topic",
        ),
        pytest.param({"directory.delim": "_"}, {}, "topics_t_partition=0_t+0+0000000000.json", id="directory.delim"),
        pytest.param(
            {"directory.delim": "#", "file.delim": "_"},
            {},
            "topics#t#partition=0#t_0_0000000000.json",
            id="both delimiters",
        ),
        pytest.param(
            {"s3.compression.type": "gzip"}, {}, "topics/t/partition=0/t+0+0000000000.json.gz", id="JSON gzip"
        ),
        pytest.param(
            {"s3.compression.type": "gzip", "s3.compression.level": "9"},
            {},
            "topics/t/partition=0/t+0+0000000000.json.gz",
            id="a level changes no name",
        ),
        pytest.param(BYTES, {}, "topics/t/partition=0/t+0+0000000000.bin", id="ByteArray"),
        pytest.param(
            {**BYTES, "s3.compression.type": "gzip"},
            {},
            "topics/t/partition=0/t+0+0000000000.bin.gz",
            id="ByteArray gzip",
        ),
        pytest.param(
            {**BYTES, "format.bytearray.extension": ".log"},
            {},
            "topics/t/partition=0/t+0+0000000000.log",
            id="ByteArray's extension",
        ),
        pytest.param(AVRO, {}, "topics/t/partition=0/t+0+0000000000.avro", id="Avro"),
        pytest.param(
            {**AVRO, "avro.codec": "deflate"},
            {},
            "topics/t/partition=0/t+0+0000000000.avro",
            id="Avro's codec is within",
        ),
        pytest.param(PARQUET, {}, "topics/t/partition=0/t+0+0000000000.snappy.parquet", id="Parquet is snappy"),
        pytest.param(
            {**PARQUET, "parquet.codec": "none"}, {}, "topics/t/partition=0/t+0+0000000000.parquet", id="Parquet none"
        ),
        pytest.param(
            {**PARQUET, "parquet.codec": "gzip"},
            {},
            "topics/t/partition=0/t+0+0000000000.gz.parquet",
            id="Parquet gzip",
        ),
        pytest.param(ROUTER, {}, "topics/prod-t/partition=0/t+0+0000000000.json", id="a renamed topic is the folder"),
        pytest.param(
            {"s3.schema.partition.affix.type": "PREFIX"},
            {},
            "topics/t/schema_name=null/partition=0/t+0+0000000000.json",
            id="the schema's name before",
        ),
        pytest.param(
            {"s3.schema.partition.affix.type": "SUFFIX"},
            {},
            "topics/t/partition=0/schema_name=null/t+0+0000000000.json",
            id="the schema's name behind",
        ),
        pytest.param(
            {
                "s3.schema.partition.affix.type": "SUFFIX",
                "partitioner.class": f"{STORAGE}FieldPartitioner",
                "partition.field.name": "a",
            },
            {},
            "topics/t/a=1/schema_name=null/t+0+0000000000.json",
            id="the schema's name behind a field",
        ),
    ],
)
def test_a_name_is_made_of_topic_partition_and_first_offset(changes, settings, name):
    assert name_of(changes, **settings) == name


def folder_of(changes, record):
    return name_of(changes, record).removeprefix("topics/t/").rpartition("/")[0]


def by_fields(fields, **more):
    return {"partitioner.class": f"{STORAGE}FieldPartitioner", "partition.field.name": fields, **more}


@pytest.mark.parametrize(
    ("fields", "members", "folder"),
    [
        pytest.param("f", {"f": "x"}, "f=x", id="a string"),
        pytest.param("f", {"f": 5}, "f=5", id="a whole number"),
        pytest.param("f", {"f": -5}, "f=-5", id="a negative number"),
        pytest.param("f", {"f": 2**62}, f"f={2**62}", id="a long"),
        pytest.param("f", {"f": True}, "f=true", id="true"),
        pytest.param("f", {"f": False}, "f=false", id="false"),
        pytest.param("f", {"f": None}, "f=null", id="null"),
        pytest.param("f", {"f": ""}, "f=", id="an empty string"),
        pytest.param("f", {"f": "a b"}, "f=a b", id="a space"),
        pytest.param("f", {"f": "a=b"}, "f=a=b", id="an equals sign"),
        pytest.param("f", {"f": "a+b"}, "f=a+b", id="the files' delimiter"),
        pytest.param("f", {"f": "Zürich"}, "f=Zürich", id="letters beyond ASCII"),
        pytest.param("a,b", {"a": 1, "b": "x"}, "a=1/b=x", id="two fields in their order"),
        pytest.param("b,a", {"a": 1, "b": "x"}, "b=x/a=1", id="two fields in the other order"),
        pytest.param("a,b,c", {"a": 1, "b": None, "c": "z"}, "a=1/b=null/c=z", id="three fields, one null"),
        pytest.param("o.i", {"o": {"i": 16}}, "o.i=16", id="a nested field keeps its path"),
        pytest.param("o.p.q", {"o": {"p": {"q": "deep"}}}, "o.p.q=deep", id="two levels"),
        pytest.param("o.i,f", {"o": {"i": 1}, "f": 2}, "o.i=1/f=2", id="nested and plain"),
        pytest.param("o.i", {"o": {"i": None}}, "o.i=null", id="a nested null"),
        pytest.param("f", {"g": 1}, "f=null", id="OURS a missing field is null, not the end of the task"),
        pytest.param("f", {"f": "a/b"}, "f=a%2Fb", id="OURS a slash makes no folders"),
        pytest.param("f", {"f": ".."}, "f=..", id="dots leave no folder"),
    ],
)
def test_a_folder_is_made_of_fields(fields, members, folder):
    assert folder_of(by_fields(fields), Record(value(**members))) == folder


def test_folders_of_fields_have_the_directory_delimiter():
    name = name_of(by_fields("a,b", **{"directory.delim": "_"}), Record(value(a=1, b=2)))
    assert name == "topics_t_a=1_b=2_t+0+0000000000.json"


def by_time(path, zone, duration_ms, **more):
    return {
        "partitioner.class": f"{STORAGE}TimeBasedPartitioner",
        "path.format": path,
        "partition.duration.ms": str(duration_ms),
        "locale": "en-US",
        "timezone": zone,
        "timestamp.extractor": "Record",
        **more,
    }


def at(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


EVENING = "2026-11-28T21:37:42.123+00:00"


@pytest.mark.parametrize(
    ("path", "zone", "duration_ms", "moment", "folder"),
    [
        pytest.param(HOURLY, "UTC", HOUR_MS, EVENING, "year=2026/month=11/day=28/hour=21", id="an hour"),
        pytest.param(
            HOURLY + "/", "UTC", HOUR_MS, EVENING, "year=2026/month=11/day=28/hour=21", id="a delimiter at the end"
        ),
        pytest.param(
            HOURLY, "Europe/Berlin", HOUR_MS, EVENING, "year=2026/month=11/day=28/hour=22", id="winter in Berlin"
        ),
        pytest.param(
            HOURLY, "Asia/Kolkata", HOUR_MS, EVENING, "year=2026/month=11/day=29/hour=03", id="half an hour's zone"
        ),
        pytest.param(HOURLY, "+02:00", HOUR_MS, EVENING, "year=2026/month=11/day=28/hour=23", id="+02:00"),
        pytest.param(
            HOURLY, "+02:30", HOUR_MS, EVENING, "year=2026/month=11/day=29/hour=00", id="+02:30 over midnight"
        ),
        pytest.param(HOURLY, "-08:00", HOUR_MS, EVENING, "year=2026/month=11/day=28/hour=13", id="-08:00"),
        pytest.param(
            HOURLY,
            "Asia/Tokyo",
            HOUR_MS,
            "2026-12-31T15:00:00+00:00",
            "year=2027/month=01/day=01/hour=00",
            id="new year",
        ),
        pytest.param(
            HOURLY,
            "Europe/Berlin",
            HOUR_MS,
            "2026-03-29T00:59:59+00:00",
            "year=2026/month=03/day=29/hour=01",
            id="before the spring gap",
        ),
        pytest.param(
            HOURLY,
            "Europe/Berlin",
            HOUR_MS,
            "2026-03-29T01:00:00+00:00",
            "year=2026/month=03/day=29/hour=03",
            id="behind the spring gap",
        ),
        pytest.param(
            HOURLY,
            "Europe/Berlin",
            HOUR_MS,
            "2026-10-25T00:30:00+00:00",
            "year=2026/month=10/day=25/hour=02",
            id="the autumn hour, first",
        ),
        pytest.param(
            HOURLY,
            "Europe/Berlin",
            HOUR_MS,
            "2026-10-25T01:30:00+00:00",
            "year=2026/month=10/day=25/hour=02",
            id="the autumn hour, again",
        ),
        pytest.param(
            HOURLY,
            "Europe/Berlin",
            HOUR_MS,
            "2026-10-25T02:00:00+00:00",
            "year=2026/month=10/day=25/hour=03",
            id="behind the autumn hour",
        ),
        pytest.param(
            HOURLY,
            "America/New_York",
            HOUR_MS,
            "2026-03-08T07:30:00+00:00",
            "year=2026/month=03/day=08/hour=03",
            id="spring in New York",
        ),
        pytest.param(
            "dd/HH", "America/Sao_Paulo", DAY_MS, "2018-11-04T12:00:00+00:00", "04/01", id="a day without midnight"
        ),
        pytest.param(
            "dd-HH", "Europe/Berlin", DAY_MS, "2026-03-29T20:00:00+00:00", "29-00", id="a day of 23 hours begins at 0"
        ),
        pytest.param(
            "dd-HH", "Europe/Berlin", DAY_MS, "2026-10-25T22:59:00+00:00", "25-00", id="a day of 25 hours ends late"
        ),
        pytest.param("HH-mm", "UTC", 600_000, EVENING, "21-30", id="ten minutes"),
        pytest.param("HH-mm", "UTC", 900_000, EVENING, "21-30", id="a quarter"),
        pytest.param("HH-mm-ss", "UTC", 30_000, EVENING, "21-37-30", id="thirty seconds"),
        pytest.param("HH", "UTC", 2 * HOUR_MS, EVENING, "20", id="two hours"),
        pytest.param("dd", "UTC", 7 * DAY_MS, EVENING, "26", id="weeks begin on Thursdays, as the epoch did"),
        pytest.param("ss.SSS", "UTC", 1, EVENING, "42.123", id="milliseconds"),
        pytest.param(
            HOURLY, "UTC", HOUR_MS, "1970-01-01T00:00:00+00:00", "year=1970/month=01/day=01/hour=00", id="the epoch"
        ),
        pytest.param(
            HOURLY,
            "UTC",
            HOUR_MS,
            "1969-12-31T23:30:00+00:00",
            "year=1970/month=01/day=01/hour=00",
            id="before the epoch, towards zero",
        ),
        pytest.param(
            HOURLY,
            "UTC",
            HOUR_MS,
            "1969-12-31T22:30:00+00:00",
            "year=1969/month=12/day=31/hour=23",
            id="an hour and a half before",
        ),
        pytest.param(
            HOURLY,
            "UTC",
            HOUR_MS,
            "1969-12-31T23:00:00+00:00",
            "year=1969/month=12/day=31/hour=23",
            id="exactly an hour before",
        ),
        pytest.param("dd", "-05:00", DAY_MS, "1970-01-01T04:00:00+00:00", "01", id="before the local epoch"),
        pytest.param("'dt'=yyyy-MM-dd", "UTC", DAY_MS, EVENING, "dt=2026-11-28", id="years of the calendar"),
        pytest.param("yyyyMMdd", "UTC", DAY_MS, EVENING, "20261128", id="no delimiters"),
        pytest.param("YY/M/d", "UTC", DAY_MS, EVENING, "26/11/28", id="short forms"),
        pytest.param("M/d/H", "UTC", HOUR_MS, "2026-01-02T03:00:00+00:00", "1/2/3", id="no leading zeros"),
        pytest.param("EEEE", "UTC", DAY_MS, EVENING, "Saturday", id="a weekday's name"),
        pytest.param("EEE", "UTC", DAY_MS, EVENING, "Sat", id="a weekday's short name"),
        pytest.param("MMMM", "UTC", DAY_MS, EVENING, "November", id="a month's name"),
        pytest.param("MMM-dd", "UTC", DAY_MS, EVENING, "Nov-28", id="a month's short name"),
        pytest.param("DDD", "UTC", DAY_MS, EVENING, "332", id="the day of the year"),
        pytest.param("xxxx-'W'ww", "UTC", DAY_MS, EVENING, "2026-W48", id="the ISO week"),
        pytest.param(
            "YYYY/xxxx-'W'ww", "UTC", DAY_MS, "2027-01-01T12:00:00+00:00", "2027/2026-W53", id="YYYY is no week's year"
        ),
        pytest.param("e", "UTC", DAY_MS, EVENING, "6", id="the weekday's number"),
        pytest.param("hh-a", "UTC", HOUR_MS, EVENING, "09-PM", id="half a day"),
        pytest.param("kk", "UTC", HOUR_MS, "2026-11-28T00:10:00+00:00", "24", id="hours from 1 to 24"),
        pytest.param("KK", "UTC", HOUR_MS, "2026-11-28T12:10:00+00:00", "00", id="hours from 0 to 11"),
        pytest.param("HHZ", "Europe/Berlin", HOUR_MS, EVENING, "22+0100", id="an offset"),
        pytest.param("HHZZ", "Europe/Berlin", HOUR_MS, EVENING, "22+01:00", id="an offset with a colon"),
        pytest.param("CC/GG", "UTC", DAY_MS, EVENING, "20/AD", id="century and era"),
        pytest.param("''yyyy'o''clock'", "UTC", DAY_MS, EVENING, "'2026o'clock", id="quotes"),
    ],
)
def test_a_folder_is_made_of_time(path, zone, duration_ms, moment, folder):
    assert folder_of(by_time(path, zone, duration_ms), Record(time_ms=at(moment))) == folder


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("Hourly", "year=2026/month=11/day=28/hour=22"), ("Daily", "year=2026/month=11/day=28")],
)
def test_hourly_and_daily_have_paths_of_their_own(kind, folder):
    changes = {"partitioner.class": f"{STORAGE}{kind}Partitioner", "timestamp.extractor": "Record"}
    zone = {"locale": "de-DE", "timezone": "Europe/Berlin"}
    assert folder_of({**changes, **zone}, Record(time_ms=at(EVENING))) == folder


@pytest.mark.parametrize(
    ("field", "members"),
    [
        pytest.param("ts", {"ts": at("2026-11-28T21:00:00+00:00")}, id="milliseconds"),
        pytest.param("ts", {"ts": str(at(EVENING))}, id="digits"),
        pytest.param("ts", {"ts": EVENING}, id="ISO 8601"),
        pytest.param("ts", {"ts": "2026-11-28T21:37:42Z"}, id="Zulu"),
        pytest.param("ts", {"ts": "2026-11-28T23:37:42+02:00"}, id="another zone"),
        pytest.param("event.ts", {"event": {"ts": EVENING}}, id="nested"),
        pytest.param("event.at.ms", {"event": {"at": {"ms": at(EVENING)}}}, id="nested twice"),
    ],
)
def test_a_field_of_the_record_tells_its_time(field, members):
    changes = by_time(
        "yyyy-MM-dd-HH", "UTC", HOUR_MS, **{"timestamp.extractor": "RecordField", "timestamp.field": field}
    )
    assert folder_of(changes, Record(value(**members), time_ms=0)) == "2026-11-28-21"


@pytest.mark.parametrize(
    "members", [{}, {"ts": None}, {"ts": "yesterday"}, {"ts": 1.5}, {"ts": [1]}, {"ts": {"a": 1}}], ids=str
)
def test_a_field_that_tells_no_time_stops_the_task_unless_errors_are_tolerated(members):
    changes = by_time("yyyy", "UTC", HOUR_MS, **{"timestamp.extractor": "RecordField", "timestamp.field": "ts"})
    good, bad = Record(value(ts=1)), Record(value(**members))
    with pytest.raises(DecodeError, match="timestamp.field"):
        play({**changes, "flush.size": "2"}, good, bad, good)
    played = play({**changes, "flush.size": "2", "errors.tolerance": "all"}, good, bad, good)
    assert list(played.objects.values()) == [[0, 2]]
    assert [record.offset for record in played.bad] == [1]


def test_a_record_without_a_time_stops_the_task():
    with pytest.raises(DecodeError, match="no timestamp"):
        play(by_time("yyyy", "UTC", HOUR_MS), Record(time_ms=None))


def test_the_wall_clock_is_confluents_default_and_is_not_exactly_once():
    changes = by_time("yyyy-MM-dd", "UTC", DAY_MS, **{"timestamp.extractor": None, "flush.size": "1"})
    played = play(changes, Record(time_ms=0), now_s=at(EVENING) / 1000)
    assert list(played.objects) == ["topics/t/2026-11-28/t+0+0000000000.json"]
