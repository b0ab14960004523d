"""`kill -9` of the whole worker at every named point, then a restart: each record is stored once."""

import pytest

from streamsink.observe.points import VARIABLE, Point
from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

RECORDS = 3000
PARTITIONS = 2


@pytest.fixture
def place(request, tmp_path, seaweedfs, unique):
    """An archive on the store under test: its URL, and the connector's options for it."""
    if request.param == "local":
        return (tmp_path / "archive").as_uri(), {}
    return seaweedfs.url(unique), seaweedfs.options


def produce(kafka, topic, first, count):
    producer = kafka.producer()
    for number in range(first, first + count):
        producer.produce(topic, b'{"n":%d,"kind":"%s"}' % (number, [b"a", b"b"][number % 3 == 0]), partition=number % 2)
    assert producer.flush(30) == 0


def committed(kafka, name, topic):
    return sum(offset for offset, _ in kafka.committed(f"connect-{name}", topic).values())


def define(worker, name, url, options, flush_size):
    worker.connector(
        name,
        {
            "topics": name,
            "archive.url": url,
            **{f"archive.option.{key}": value for key, value in options.items()},
            "value.converter": "json",
            "archive.value": "both",
            "partitioner.class": "field",
            "partition.field.name": "kind",
            "flush.size": str(flush_size),
            "rotate.age.ms": "1500",
            "exactly.once": "required",
            # A member that comes back under its own id waits for no session to end.
            "consumer.override.group.instance.id": name,
        },
    )


@pytest.mark.parametrize("place", ["local", "s3"], indirect=True)
@pytest.mark.parametrize("point", list(Point))
def test_each_record_is_stored_once_when_killed_at(point, place, kafka, tmp_path, unique):
    url, options = place
    kafka.create_topic(unique, PARTITIONS)
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    define(worker, unique, url, options, flush_size=170)
    produce(kafka, unique, 0, RECORDS // 2)
    if point is Point.ADOPTED:
        # Stored and not committed, then read again under other limits: the next start meets what is there.
        worker.start(**{VARIABLE: Point.UPLOAD_REPORTED})
        assert worker.wait_killed(timeout_s=60), worker.log()[-3000:]
        define(worker, unique, url, options, flush_size=250)
    worker.start(
        **{VARIABLE: f"{point}:{2 if point in {Point.BEFORE_PUT, Point.AFTER_PUT, Point.ROWS_APPENDED} else 1}"}
    )
    if point in {Point.STOPPING, Point.DRAINED}:
        wait_until("something is read", lambda: bool(worker.task(unique)), worker=worker)
        wait_until("the task runs", lambda: worker.task(unique).get("state") == "RUNNING", worker=worker)
        worker._process.terminate()
    assert worker.wait_killed(timeout_s=60), f"never came to {point}\n{worker.log()[-3000:]}"
    produce(kafka, unique, RECORDS // 2, RECORDS - RECORDS // 2)
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique, unique) == RECORDS, timeout_s=90, worker=worker)
    assert worker.terminate() == 0
    stored = archived_records(open_store(url, options))
    assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, unique)
