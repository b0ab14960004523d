"""A member comes and goes ten times under load beside a worker that stays: nothing is lost, doubled, or left unread."""

import json
import subprocess
import sys
import threading
import time

import pytest

from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records
from tests.servers.load import Load
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

pytestmark = pytest.mark.alone

PARTITIONS = 6
VISITS = 10
UNREAD_S = 15.0
"""A rebalance takes a second or two here: a heartbeat each half second, a drain, and a commit at least each second."""
LOOK_S = 0.25


class Watch(threading.Thread):
    """Looks how long each partition stood still while there was something to read in it."""

    def __init__(self, kafka, group, topic):
        super().__init__(daemon=True)
        self.kafka, self.group, self.topic = kafka, group, topic
        self.done = threading.Event()
        self.longest_s = 0.0

    def run(self):
        moved: dict[int, tuple[int, float]] = {}
        while not self.done.wait(LOOK_S):
            committed = self.kafka.committed(self.group, self.topic)
            now_s = time.monotonic()
            for partition in range(PARTITIONS):
                at = committed.get(partition, (0, ""))[0]
                if moved.get(partition, (-1, 0.0))[0] != at:
                    moved[partition] = (at, now_s)
                self.longest_s = max(self.longest_s, now_s - moved[partition][1])


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_each_record_is_stored_once_and_no_partition_is_left_unread(protocol, kafka, tmp_path, unique):
    url, group = (tmp_path / "archive").as_uri(), f"connect-{unique}"
    kafka.create_topic(unique, PARTITIONS)
    session = {"consumer.override.session.timeout.ms": "6000", "consumer.override.heartbeat.interval.ms": "500"}
    connector = {
        "name": unique,
        "connector.class": "streamsink.ArchiveSink",
        "topics": unique,
        "archive.url": url,
        "value.converter": "json",
        "archive.value": "both",
        "flush.size": "2000",
        "rotate.age.ms": "500",
        "exactly.once": "required",
        "consumer.override.group.protocol": protocol,
        **(session if protocol == "classic" else {}),
    }
    worker = WorkerServer(tmp_path / "stays", kafka.bootstrap)
    worker.connector(unique, connector)
    load, watch = Load(kafka, unique, PARTITIONS), Watch(kafka, group, unique)
    load.start()
    try:
        worker.start()
        wait_until("all is read", lambda: len(kafka.committed(group, unique)) == PARTITIONS, worker=worker)
        watch.start()
        told = json.dumps({"connector": connector, "bootstrap": kafka.bootstrap, "visits": VISITS})
        visits = subprocess.run(
            [sys.executable, "-m", "tests.storm.coming_member", told],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert visits.returncode == 0, visits.stderr[-4000:]
        time.sleep(UNREAD_S if watch.longest_s > UNREAD_S / 2 else LOOK_S)
        watch.done.set()
        watch.join(60)
        load.done.set()
        load.join(60)

        def committed():
            return sum(at for at, _ in kafka.committed(group, unique).values())

        wait_until("all is committed", lambda: committed() == load.count, timeout_s=60, worker=worker)
        assert worker.terminate() == 0
    finally:
        for thread in (load, watch):
            thread.done.set()
        if worker.running:
            worker.kill()
    stored = archived_records(open_store(url, {}))
    assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, unique)
    held = [int(line) for line in visits.stdout.splitlines() if line.isdecimal()]
    assert len(held) == VISITS
    assert min(held) >= 1
    assert watch.longest_s < UNREAD_S
