"""Two workers under load: one joins, one is killed, comes back, one is stopped. Each record is stored once."""

import threading
import time

import pytest

from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

PARTITIONS = 6


class Load(threading.Thread):
    """Produces until told to stop."""

    def __init__(self, kafka, topic):
        super().__init__(daemon=True)
        self.kafka, self.topic, self.count, self.done = kafka, topic, 0, threading.Event()

    def run(self):
        producer = self.kafka.producer()
        while not self.done.is_set():
            for _ in range(200):
                value = b'{"n":%d,"kind":"%s"}' % (self.count, [b"a", b"b", b"c"][self.count % 3])
                producer.produce(self.topic, value, partition=self.count % PARTITIONS)
                self.count += 1
            producer.poll(0)
            time.sleep(0.05)
        assert producer.flush(30) == 0


@pytest.mark.parametrize("store", ["local", "s3"])
def test_each_record_is_stored_once_while_workers_come_and_go(store, kafka, tmp_path, unique, request):
    url, options = (tmp_path / "archive").as_uri(), {}
    if store == "s3":
        seaweedfs = request.getfixturevalue("seaweedfs")
        url, options = seaweedfs.url(unique), seaweedfs.options
    kafka.create_topic(unique, PARTITIONS)
    workers = [WorkerServer(tmp_path / name, kafka.bootstrap) for name in ("one", "two")]
    for worker in workers:
        worker.connector(
            unique,
            {
                "topics": unique,
                "archive.url": url,
                **{f"archive.option.{key}": value for key, value in options.items()},
                "value.converter": "json",
                "archive.value": "both",
                "partitioner.class": "field",
                "partition.field.name": "kind",
                "flush.size": "300",
                "rotate.age.ms": "700",
                "exactly.once": "required",
                "consumer.override.session.timeout.ms": "6000",
                "consumer.override.heartbeat.interval.ms": "500",
            },
        )
    one, two = workers
    load = Load(kafka, unique)
    load.start()
    try:
        one.start()
        time.sleep(6)
        two.start()
        time.sleep(6)
        one.kill()
        time.sleep(4)
        one.start()
        time.sleep(8)
        assert two.terminate() == 0
        load.done.set()
        load.join(60)

        def committed():
            return sum(at for at, _ in kafka.committed(f"connect-{unique}", unique).values())

        wait_until("all is committed", lambda: committed() == load.count, timeout_s=90, worker=one)
        assert one.terminate() == 0
    finally:
        load.done.set()
        for worker in workers:
            if worker.running:
                worker.kill()
    stored = archived_records(open_store(url, options))
    assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, unique)
    assert sum(map(len, stored.values())) == load.count
