"""An archive comes back as a Faust stream: typed, in order, each offset once, whatever wrote it."""

import json

import faust
import numpy as np
import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.errors import ConfigError, DecodeError, TerminalError
from streamsink.faust import archive_records, archive_stream
from streamsink.record import RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition
from streamsink.sink.build import build_task
from streamsink.sink.core import events as on
from streamsink.upload.open import open_store


class Order(faust.Record):
    id: int
    note: str = "none"


def write(folder, rows, *, start=0, topic="orders", partition=0, unique=False, **options):
    """Archive values with the worker's own task: one object or more, as a crash may leave them."""
    raw = {
        "name": "test", "topics": topic, "archive.url": folder.as_uri(), "connector.class": "streamsink.ArchiveSink",
        **{key.replace("_", "."): str(value) for key, value in options.items()},
    }  # fmt: skip
    config, _ = parse_sink(raw, {"bootstrap.servers": "unused"})
    store = open_store(config.archive_url, config.archive_options)
    task = build_task(config, 0, store, lambda _listener: Committing(), results=unique)
    name = TopicPartition(topic, partition)
    offsets = np.arange(start, start + len(rows), dtype=np.int64)
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array(offsets),
            pa.array(offsets * 1000).cast(TIMESTAMP_TYPE),
            pa.array(np.ones(len(rows), np.int8)),
            pa.array([b"k%d" % offset for offset in offsets], pa.binary()),
            pa.array(rows, pa.binary()),
            pa.array([[("h", b"v")]] * len(rows), RAW_SCHEMA.field("headers").type),
        ],
        schema=RAW_SCHEMA,
    )
    task._tell(on.Assigned(name, None, ""))
    while task.machine.looking:
        task._take_outcomes(task._uploads.outcomes(wait_s=10))
    task._intake.take([RawSlice(name, start, start + len(rows), batch)])
    task.revoked([name])
    task.close()
    store.close()


class Committing:
    def commit(self, offsets, *, done):
        """Always taken."""
        done(offsets, {})

    def commit_and_wait(self, offsets, *, timeout_s):
        """Always taken."""
        return {}

    def pause(self, partitions):
        """Nothing flows."""

    def resume(self, partitions):
        """Nothing flows."""

    def close(self):
        """Nothing to leave."""


def text(**fields):
    return json.dumps(fields).encode()


@pytest.fixture
def app(make_app):
    return make_app("history", key_serializer="raw")


def read(loop, stream):
    async def all_of_it():
        return [value async for value in stream]

    return loop.run_until_complete(all_of_it())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"value_converter": "json", "archive_value": "columns"},
        {"value_converter": "json", "archive_value": "both", "format_class": "avro"},
        {"format_class": "jsonl"},
        {"format_class": "raw", "archive_value": "raw"},
    ],
    ids=["raw", "columns", "both in Avro", "JSON Lines", "raw format"],
)
def test_values_come_back_as_the_topics_model(app, loop, tmp_path, options):
    rows = [text(id=0), text(id=1, note="x"), text(id=2)]
    write(tmp_path, rows, **options)
    topic = app.topic("orders", value_type=Order)
    orders = read(loop, archive_stream(tmp_path.as_uri(), topic=topic))
    assert orders == [Order(0), Order(1, "x"), Order(2)]
    assert all(type(order) is Order for order in orders)


def test_an_archive_without_offsets_is_refused(app, loop, tmp_path):
    write(tmp_path, [text(id=0)], archive_envelope="false", value_converter="json", archive_value="columns")
    with pytest.raises(TerminalError, match="offsets are not known"):
        read(loop, archive_stream(tmp_path.as_uri(), topic=app.topic("orders", value_type=Order)))


def test_records_have_keys_times_headers_and_tombstones(app, loop, tmp_path):
    write(tmp_path, [text(id=0), None])
    topic = app.topic("orders", value_type=Order, key_type=str)
    first, second = read(loop, archive_records((tmp_path / "topics").as_uri(), topic=topic))
    assert (first.topic, first.partition, first.offset, first.timestamp_ms) == ("orders", 0, 0, 0)
    assert (first.key, first.value, first.headers) == ("k0", Order(0), (("h", b"v"),))
    assert (second.offset, second.value) == (1, None)
    assert read(loop, archive_stream(tmp_path.as_uri(), topic=topic)) == [Order(0)]


def test_an_offset_that_is_stored_twice_comes_once_and_lanes_interleave_by_offset(app, loop, tmp_path):
    rows = [text(id=number, side="lr"[number % 2]) for number in range(20)]
    by_side = {"value_converter": "json", "partitioner_class": "field", "partition_field_name": "side"}
    write(tmp_path, rows[:12], unique=True, **by_side)
    write(tmp_path, rows[5:], start=5, unique=True, flush_size=3, **by_side)
    found = read(loop, archive_records(tmp_path.as_uri(), topic=app.topic("orders", value_type=Order)))
    assert [record.offset for record in found] == list(range(20))
    assert [record.value.id for record in found] == list(range(20))


def test_partitions_are_interleaved_by_time_and_can_be_chosen(app, loop, tmp_path):
    write(tmp_path, [text(id=number) for number in range(3)])
    write(tmp_path, [text(id=10 + number) for number in range(3)], partition=1)
    topic = app.topic("orders", value_type=Order)
    found = read(loop, archive_stream(tmp_path.as_uri(), topic=topic))
    assert [order.id for order in found] == [0, 10, 1, 11, 2, 12]
    assert [order.id for order in read(loop, archive_stream(tmp_path.as_uri(), topic=topic, partitions=[1]))] == [
        10,
        11,
        12,
    ]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (2000, 4000, [2, 3]),
        ("1970-01-01T00:00:08", None, [8, 9]),
        (None, "1970-01-01T00:00:02+00:00", [0, 1]),
        (99_000, None, []),
    ],
)
def test_a_window_of_time_is_read(app, loop, tmp_path, since, until, expected):
    write(tmp_path, [text(id=number) for number in range(10)], flush_size=3)
    topic = app.topic("orders", value_type=Order)
    found = read(loop, archive_stream(tmp_path.as_uri(), topic=topic, since=since, until=until))
    assert [order.id for order in found] == expected


def test_what_is_no_time_is_told_at_once(app, tmp_path):
    with pytest.raises(ConfigError, match="since"):
        archive_stream(tmp_path.as_uri(), topic=app.topic("orders"), since="yesterday")


def test_a_value_that_the_models_cannot_take_is_named(app, loop, tmp_path):
    write(tmp_path, [text(id=0), b"[broken"])
    with pytest.raises(DecodeError, match="orders-0 at offset 1"):
        read(loop, archive_stream(tmp_path.as_uri(), topic=app.topic("orders", value_type=Order)))
