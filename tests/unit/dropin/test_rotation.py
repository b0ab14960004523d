"""When files close, what is in them and what the group has then, by Confluent's documented rules and their order."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from streamsink.errors import DecodeError
from tests.unit.dropin.play import STORAGE, Play, Record, play, value

HOUR_MS = 3_600_000
BY_FIELD = {"partitioner.class": f"{STORAGE}FieldPartitioner", "partition.field.name": "c"}
HOURLY = {
    "partitioner.class": f"{STORAGE}TimeBasedPartitioner",
    "path.format": "'h'=HH",
    "partition.duration.ms": str(HOUR_MS),
    "locale": "en-US",
    "timezone": "UTC",
    "timestamp.extractor": "Record",
}
ON_CHANGE = {"rotate.file.on.partition.change": "true"}
INTERVAL = {"rotate.interval.ms": "1000"}


def files(played):
    """`folder@first offset` of each object, and its offsets."""
    found = {}
    for name, offsets in played.objects.items():
        *_, folder, file = name.split("/")
        found[f"{folder}@{int(file.split('+')[2].split('.')[0])}"] = offsets
    return found


def of_fields(letters):
    return [Record(value(c=letter)) for letter in letters]


def of_times(*times_ms):
    return [Record(time_ms=time_ms) for time_ms in times_ms]


def hours(*of_day):
    return of_times(*[round(hour * HOUR_MS) for hour in of_day])


@pytest.mark.parametrize("together", [True, False], ids=["in one poll", "one by one"])
@pytest.mark.parametrize(
    ("changes", "records", "wanted", "committed"),
    [
        pytest.param({"flush.size": "3"}, of_times(0, 0), {}, 0, id="too few records: nothing is stored or committed"),
        pytest.param({"flush.size": "3"}, of_times(0, 0, 0), {"partition=0@0": [0, 1, 2]}, 3, id="flush.size reached"),
        pytest.param(
            {"flush.size": "3"},
            of_times(*[0] * 7),
            {"partition=0@0": [0, 1, 2], "partition=0@3": [3, 4, 5]},
            6,
            id="the seventh waits",
        ),
        pytest.param(
            {"flush.size": "1"}, of_times(0, 0), {"partition=0@0": [0], "partition=0@1": [1]}, 2, id="a file a record"
        ),
        pytest.param(
            {**BY_FIELD, "flush.size": "3"},
            of_fields("aba"),
            {"c=a@0": [0, 2], "c=b@1": [1]},
            3,
            id="flush.size counts all folders together, and all files close",
        ),
        pytest.param(
            {**BY_FIELD, "flush.size": "3"},
            of_fields("aabbb"),
            {"c=a@0": [0, 1], "c=b@2": [2]},
            3,
            id="what comes after begins new files",
        ),
        pytest.param(
            {**BY_FIELD, "flush.size": "2"},
            of_fields("abba"),
            {"c=a@0": [0], "c=b@1": [1], "c=b@2": [2], "c=a@3": [3]},
            4,
            id="names have the first offset of their folder's file",
        ),
        pytest.param(
            {**HOURLY, "flush.size": "4"},
            hours(0, 1, 0.5, 2),
            {"h=00@0": [0, 2], "h=01@1": [1], "h=02@3": [3]},
            4,
            id="without rotate.interval.ms all hours stay open for flush.size",
        ),
        pytest.param({**HOURLY, **INTERVAL}, of_times(0, 500, 999), {}, 0, id="within the interval"),
        pytest.param(
            {**HOURLY, **INTERVAL},
            of_times(0, 500, 999, 1000, 1999),
            {"h=00@0": [0, 1, 2]},
            3,
            id="the record that ends the interval goes to the next file",
        ),
        pytest.param(
            {**HOURLY, **INTERVAL},
            of_times(0, 1000, 2000, 3000),
            {"h=00@0": [0], "h=00@1": [1], "h=00@2": [2]},
            3,
            id="an interval begins with its first record",
        ),
        pytest.param(
            {**HOURLY, **INTERVAL},
            of_times(0, 999, 1998, 1999),
            {"h=00@0": [0, 1]},
            2,
            id="the next interval begins where the last one was cut",
        ),
        pytest.param(
            {**HOURLY, **INTERVAL},
            of_times(5000, 0, 5999, 6000),
            {"h=00@0": [0, 1, 2]},
            3,
            id="a late record ends no interval",
        ),
        pytest.param({**HOURLY, **INTERVAL}, of_times(5000, 0, 0, 0), {}, 0, id="late records alone close nothing"),
        pytest.param(
            {**HOURLY, **INTERVAL},
            of_times(-2000, -1500, -1000),
            {"h=00@0": [0, 1]},
            2,
            id="an interval before the epoch",
        ),
        pytest.param(
            {**HOURLY, **INTERVAL, "flush.size": "2"},
            of_times(0, 1, 2000, 2001),
            {"h=00@0": [0, 1], "h=00@2": [2, 3]},
            4,
            id="flush.size before the interval",
        ),
        pytest.param(
            {**HOURLY, **INTERVAL, "flush.size": "3"},
            of_times(0, 2000, 2001, 2002),
            {"h=00@0": [0], "h=00@1": [1, 2, 3]},
            4,
            id="the interval is looked at before flush.size, and counting begins anew",
        ),
        pytest.param(
            {**HOURLY, "rotate.interval.ms": str(HOUR_MS)},
            hours(0, 0.5, 1),
            {"h=00@0": [0, 1]},
            2,
            id="an hour's interval closes the hour",
        ),
        pytest.param(
            {**HOURLY, "rotate.interval.ms": str(2 * HOUR_MS)},
            hours(0, 1, 0.5, 2),
            {"h=00@0": [0, 2], "h=01@1": [1]},
            3,
            id="an interval closes all folders, the commit goes up to the record",
        ),
        pytest.param(
            {**HOURLY, "rotate.interval.ms": str(HOUR_MS)},
            hours(1, 0.5, 1.2),
            {},
            0,
            id="OURS late data makes no small files by default",
        ),
        pytest.param(
            {**HOURLY, **ON_CHANGE, "rotate.interval.ms": str(HOUR_MS)},
            hours(1, 0.5, 1.2),
            {"h=01@0": [0], "h=00@1": [1]},
            2,
            id="with rotate.file.on.partition.change late data closes files",
        ),
        pytest.param(
            {**HOURLY, **ON_CHANGE, "rotate.interval.ms": str(8 * HOUR_MS)},
            hours(0, 0.5, 1, 1.5, 2),
            {"h=00@0": [0, 1], "h=01@2": [2, 3]},
            4,
            id="a change of folder closes before the interval ends",
        ),
        pytest.param(
            {**HOURLY, **ON_CHANGE, "rotate.interval.ms": str(8 * HOUR_MS), "flush.size": "2"},
            hours(0, 0.5, 1),
            {"h=00@0": [0, 1]},
            2,
            id="a change of folder where flush.size has just closed",
        ),
        pytest.param({**HOURLY, **ON_CHANGE}, hours(0, 1, 0), {}, 0, id="a change of folder needs rotate.interval.ms"),
        pytest.param(
            {**BY_FIELD, "partitioner.max.open.files": "2"},
            of_fields("ababc"),
            {"c=a@0": [0, 2], "c=b@1": [1, 3]},
            4,
            id="a third folder closes both files that are open",
        ),
        pytest.param(
            {**BY_FIELD, "partitioner.max.open.files": "2"}, of_fields("abab"), {}, 0, id="as many folders as allowed"
        ),
        pytest.param(
            {**BY_FIELD, "partitioner.max.open.files": "1"},
            of_fields("aab"),
            {"c=a@0": [0, 1]},
            2,
            id="one folder at a time",
        ),
        pytest.param(
            {**BY_FIELD, "partitioner.max.open.files": "2", "flush.size": "3"},
            of_fields("abcab"),
            {"c=a@0": [0], "c=b@1": [1], "c=c@2": [2], "c=a@3": [3]},
            4,
            id="open files and flush.size count anew together",
        ),
        pytest.param(
            {"behavior.on.null.values": "ignore", "flush.size": "3"},
            [Record(), Record(None), Record(), Record()],
            {"partition=0@0": [0, 2, 3]},
            4,
            id="ignored tombstones count for nothing",
        ),
        pytest.param(
            {"behavior.on.null.values": "ignore", "flush.size": "1"},
            [Record(None), Record()],
            {"partition=0@1": [1]},
            2,
            id="a name is of the first record that is kept",
        ),
        pytest.param(
            {"behavior.on.null.values": "ignore", "flush.size": "2"},
            [Record(b"null"), Record(b"1"), Record(b""), Record(b"2")],
            {"partition=0@1": [1, 3]},
            4,
            id="null in JSON and empty values are tombstones",
        ),
        pytest.param(
            {"behavior.on.null.values": "write", "store.kafka.keys": "true", "flush.size": "2"},
            [Record(key=b"k"), Record(None, key=b"k")],
            {"partition=0@0": [0], "tombstone@1": [1]},
            2,
            id="written tombstones are in their own folder and count",
        ),
        pytest.param(
            {"errors.tolerance": "all", "flush.size": "2"},
            [Record(), Record(b"{"), Record()],
            {"partition=0@0": [0, 2]},
            3,
            id="bad records count for nothing",
        ),
    ],
)
def test_files_and_commits(changes, records, wanted, committed, together):
    played = play(changes, *records, together=together)
    assert files(played) == wanted
    assert (played.committed or 0) == committed


def test_a_commit_goes_on_from_the_groups_offset():
    played = play({"flush.size": "2"}, *of_times(0, 0, 0), first=100)
    assert (files(played), played.committed) == ({"partition=0@100": [100, 101]}, 102)


def test_a_null_fails_the_task_by_default():
    with pytest.raises(DecodeError, match="the value is null"):
        play({"flush.size": "1"}, Record(None))


def test_versions_of_a_schema_share_a_file_of_lines():
    def enveloped(**fields):
        described = [{"field": name, "type": "int32", "optional": True} for name in fields]
        return json.dumps({"schema": {"type": "struct", "fields": described}, "payload": fields}).encode()

    changes = {"value.converter.schemas.enable": "true", "flush.size": "3"}
    played = play(changes, *[Record(enveloped(**one)) for one in ({"a": 1}, {"a": 1, "b": 2}, {"a": 3})])
    assert played.lines == {"topics/t/partition=0/t+0+0000000000.json": ['{"a":1}', '{"a":1,"b":2}', '{"a":3}']}


def at(text):
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("period", "zone", "arrives", "closes"),
    [
        pytest.param("10m", "UTC", "2026-11-28T10:00:00Z", "2026-11-28T10:10:00Z", id="ten minutes"),
        pytest.param("10m", "UTC", "2026-11-28T10:03:00Z", "2026-11-28T10:10:00Z", id="begun in the middle"),
        pytest.param("1h", "Asia/Kolkata", "2026-11-28T10:00:00Z", "2026-11-28T10:30:00Z", id="a zone of half an hour"),
        pytest.param(
            "7h", "UTC", "2026-11-28T22:00:00Z", "2026-11-29T00:00:00Z", id="the last period ends at midnight"
        ),
        pytest.param("7h", "UTC", "2026-11-28T01:00:00Z", "2026-11-28T07:00:00Z", id="the first period of a day"),
        pytest.param("1d", "Europe/Berlin", "2026-11-28T22:30:00Z", "2026-11-28T23:00:00Z", id="a day in Berlin"),
        pytest.param("1d", "+02:00", "2026-11-28T21:30:00Z", "2026-11-28T22:00:00Z", id="a day at +02:00"),
        pytest.param("2d", "UTC", "2026-11-28T10:00:00Z", "2026-11-29T00:00:00Z", id="never longer than a day"),
        pytest.param("6h", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T05:00:00Z", id="a day of 23 hours"),
        pytest.param(
            "1d", "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-29T22:00:00Z", id="a day of 23 hours ends"
        ),
        pytest.param(
            "1d", "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-25T22:00:00Z", id="24 of a day's 25 hours"
        ),
    ],
)
def test_a_schedule_counts_from_midnight_in_its_zone(period, zone, arrives, closes):
    units = {"m": 60_000, "h": HOUR_MS, "d": 24 * HOUR_MS}
    period_ms = int(period[:-1]) * units[period[-1]]
    changes = {"rotate.schedule.interval.ms": str(period_ms), "timezone": zone}
    playing = Play(changes, now_s=at(arrives))
    playing.poll(Record())
    playing.wait_until(at(closes) - 0.1)
    assert playing.played.objects == {}
    playing.wait_until(at(closes))
    assert (files(playing.played), playing.played.committed) == ({"partition=0@0": [0]}, 1)


def test_a_schedule_without_records_begins_anew():
    playing = Play({"rotate.schedule.interval.ms": "600000", "timezone": "UTC"}, now_s=at("2026-11-28T10:00:00Z"))
    playing.wait_until(at("2026-11-28T10:20:00Z"))
    playing.poll(Record(at_s=at("2026-11-28T10:25:00Z")))
    assert playing.played.objects == {}
    playing.wait_until(at("2026-11-28T10:30:00Z"))
    assert files(playing.played) == {"partition=0@0": [0]}


def test_a_record_that_comes_as_the_period_ends_is_of_the_next_file():
    playing = Play({"rotate.schedule.interval.ms": "600000", "timezone": "UTC"}, now_s=at("2026-11-28T10:00:00Z"))
    playing.poll(Record())
    playing.poll(Record(at_s=at("2026-11-28T10:10:00Z")))
    assert (files(playing.played), playing.played.committed) == ({"partition=0@0": [0]}, 1)
