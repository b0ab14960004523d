from __future__ import annotations

import pytest

from streamsink.config.keys.definition import ConfigKey, KeyType, parse
from streamsink.config.keys.quantities import quantity_of
from streamsink.config.keys.worker import WORKER
from streamsink.config.vendors.profiles import CLASSES
from streamsink.config.vendors.sources import SOURCES

COUNTS = {
    *("aws.s3.backoff.max.retries", "azblob.retry.retries", "compression.level", "file.max.records", "flush.size"),
    *("errors.deadletterqueue.topic.replication.factor", "filename.offset.zero.pad.width", "gcs.part.retries"),
    *(
        "max.files.scan.limit",
        "partitioner.max.open.files",
        "poll.records.max",
        "replay.rate",
        "s3.part.retries",
        "database.rate",
        "connect.s3.padding.length",
    ),
    *("rest.advertised.port", "rest.requests.per.second.max", "s3.compression.level", "schemas.cache.config"),
    *("tasks.max", "upload.threads", "value.check.sample", "value.columns.max"),
    *(f"{each}.storage.partitions" for each in ("offset", "slots", "status")),
    *(f"{each}.storage.replication.factor" for each in ("config", "offset", "slots", "status")),
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rotate.age.ms", "10m", 600_000),
        ("rotate.age.ms", "30s", 30_000),
        ("rotate.age.ms", "1.5h", 5_400_000),
        ("rotate.age.ms", "1d", 86_400_000),
        ("rotate.age.ms", "250 ms", 250),
        ("rotate.age.ms", "600000", 600_000),
        ("rotate.age.ms", "-1", -1),
        ("errors.retry.timeout", "5min", 300_000),
        ("rotate.size.bytes", "128MiB", 128 * 1024**2),
        ("rotate.size.bytes", "1GB", 10**9),
        ("memory.bytes.max", "1 gib", 1024**3),
        ("s3.part.size", "5MiB", 5 * 1024**2),
    ],
)
def test_a_time_or_a_size_may_have_a_unit(name, text, value):
    assert parse(ConfigKey(name, KeyType.LONG, None, ""), text) == (value, "")


@pytest.mark.parametrize(
    ("name", "text", "example"),
    [
        ("rotate.age.ms", "10M", "10m"),
        ("rotate.age.ms", "10 fortnights", "10m"),
        ("rotate.age.ms", "0.0001s", "10m"),
        ("rotate.size.bytes", "128M", "128MiB"),
        ("rotate.size.bytes", "10m", "128MiB"),
    ],
)
def test_another_unit_is_refused_with_one_that_is_known(name, text, example):
    value, wrong = parse(ConfigKey(name, KeyType.LONG, None, ""), text)
    assert value is None
    assert repr(text) in wrong
    assert example in wrong


def test_a_count_has_no_unit():
    value, wrong = parse(ConfigKey("flush.size", KeyType.INT, None, ""), "10m")
    assert (value, wrong) == (None, "'10m' is not a whole number")


def test_the_range_of_the_keys_type_counts_with_a_unit_too():
    assert "out of range" in parse(ConfigKey("poll.interval.ms", KeyType.INT, None, ""), "100d")[1]


def test_every_whole_number_is_a_time_a_size_or_a_count():
    """A new key is told here which it is: its name decides whether units are taken."""
    definitions = [*(each.definition for each in (*CLASSES, *SOURCES)), WORKER]
    whole = {key.name for keys in definitions for key in keys if key.type in {KeyType.INT, KeyType.LONG}}
    assert {name for name in whole if quantity_of(name) is None} == COUNTS
    assert whole | COUNTS >= COUNTS
