"""A topic of every awkward kind of record, archived by a real worker, comes back exactly."""

import time

import pyarrow.dataset as ds
import pytest

from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records, offsets_stored
from tests.servers.topics import fill_awkwardly, read_topic
from tests.servers.worker import wait_until


def at_end(kafka, group, topic):
    ends = {partition: end for partition, end in kafka.end_offsets(topic).items() if end}
    return {partition: at for partition, (at, _) in kafka.committed(group, topic).items() if at} == ends


@pytest.mark.parametrize(
    ("format_class", "count", "native"),
    [
        ("parquet", 200_000, "false"),
        ("parquet", 200_000, "true"),
        ("avro", 20_000, "true"),
        ("avro", 20_000, "false"),
        ("jsonl", 20_000, "false"),
        ("raw", 20_000, "false"),
    ],
)
def test_awkward_records_come_back_exactly_and_the_group_stands_at_the_end(
    kafka, worker, unique, tmp_path, format_class, count, native
):
    kafka.create_topic(unique, 4)
    fill_awkwardly(kafka, unique, count, partitions=4)
    archive = tmp_path / "archive"
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": archive.as_uri(),
            "format.class": format_class,
            "flush.size": "7000",
            "rotate.age.ms": "1000",
            "exactly.once": "required",
            "consumer.native": native,
        },
    )
    worker.start()
    group = f"connect-{unique}"
    wait_until("the group stands at the end", lambda: at_end(kafka, group, unique), timeout_s=120, worker=worker)
    assert worker.terminate() == 0
    truth = read_topic(kafka, unique)
    stored = archived_records(open_store(archive.as_uri(), {}))
    for partition, wanted in truth.items():
        assert sorted(stored[partition], key=lambda record: record[0]) == wanted
    assert sum(map(len, stored.values())) == sum(map(len, truth.values())) == count


def test_a_quiet_topics_records_are_stored_within_rotate_age(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    archive = tmp_path / "archive"
    worker.connector(unique, {"topics": unique, "archive.url": archive.as_uri(), "rotate.age.ms": "3000"})
    worker.start()
    wait_until("the task runs", lambda: worker.task(unique).get("state") == "RUNNING", worker=worker)
    store = open_store(archive.as_uri(), {})
    time.sleep(3)
    producer = kafka.producer()
    producer.produce(unique, b"one lonely record")
    producer.flush(10)
    began = time.monotonic()
    wait_until("it is stored", lambda: offsets_stored(store) == {0: [0]}, timeout_s=20, worker=worker)
    assert 1.5 < time.monotonic() - began < 8


def test_time_partitions_close_on_their_own_and_json_becomes_columns(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique, 2)
    producer = kafka.producer()
    hour_ms = 3_600_000
    for number in range(3000):
        producer.produce(
            unique,
            b'{"level":"%s","n":%d,"nested":{"x":%d.5}}' % ([b"INFO", b"ERROR"][number % 2], number, number),
            timestamp=1_700_000_000_000 + (number % 5) * hour_ms,
            partition=number % 2,
        )
    producer.flush(30)
    archive = tmp_path / "archive"
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": archive.as_uri(),
            "value.converter": "json",
            "partitioner.class": "hourly",
            "timestamp.extractor": "Record",
            "timezone": "UTC",
            "rotate.age.ms": "1500",
        },
    )
    worker.start()
    wait_until("all is stored", lambda: at_end(kafka, f"connect-{unique}", unique), worker=worker)
    files = sorted(path.relative_to(archive / "topics" / unique) for path in archive.rglob("*.parquet"))
    assert {str(file.parent) for file in files} == {f"year=2023/month=11/day=14/hour={hour}" for hour in (22, 23)} | {
        f"year=2023/month=11/day=15/hour=0{hour}" for hour in range(3)
    }
    table = ds.dataset(archive / "topics" / unique, format="parquet").to_table()
    assert table.num_rows == 3000
    rows = {row["n"]: row for row in table.to_pylist()}
    assert rows[7]["level"] == "ERROR"
    assert rows[7]["nested"] == {"x": 7.5}
