"""Three workers, twelve connectors, 24 tasks under load: restarted, killed, frozen. Each record is stored once.

`STREAMSINK_STORM_ROUNDS` is how often every worker is restarted and killed; make test does it once.
"""

import os
import signal
import threading
import time

import pytest

from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records
from tests.servers.group import SESSION_S, WorkerGroup
from tests.servers.topics import read_topic
from tests.servers.worker import wait_until

pytestmark = pytest.mark.alone

CONNECTORS = 12
ROUNDS = int(os.environ.get("STREAMSINK_STORM_ROUNDS", "1"))
GAP_S_MAX = 15.0
GAP_FROZEN_S_MAX = 75.0
"""A frozen task keeps its partitions for its consumer's own session, 45 s by default."""


class Load(threading.Thread):
    """Produces to every topic until told to stop."""

    def __init__(self, kafka, topics):
        super().__init__(daemon=True)
        self.kafka, self.topics, self.count, self.done = kafka, topics, 0, threading.Event()

    def run(self):
        producer = self.kafka.producer()
        while not self.done.is_set():
            for topic in self.topics:
                for partition in range(2):
                    for _ in range(5):
                        producer.produce(topic, b'{"n":%d}' % self.count, partition=partition)
                        self.count += 1
            producer.poll(0)
            time.sleep(0.2)
        assert producer.flush(30) == 0


class Watch(threading.Thread):
    """Notes when each topic's committed offsets last moved, and the longest that they stood still."""

    def __init__(self, kafka, topics):
        super().__init__(daemon=True)
        self.kafka, self.topics, self.done = kafka, topics, threading.Event()
        self.gaps = dict.fromkeys(topics, 0.0)

    def run(self):
        seen = dict.fromkeys(self.topics, (-1, time.monotonic()))
        while not self.done.is_set():
            for topic in self.topics:
                total = sum(at for at, _ in self.kafka.committed(f"connect-{topic}", topic).values())
                before, at = seen[topic]
                now = time.monotonic()
                self.gaps[topic] = max(self.gaps[topic], now - at)
                if total != before:
                    seen[topic] = (total, now)
            self.done.wait(0.2)


def disturb(group, worker, how):
    """Have it go, and come back."""
    match how:
        case "killed":
            worker.kill()
            time.sleep(8)
            worker.start()
        case "restarted":
            assert worker.terminate() == 0
            worker.start()
        case "frozen":
            # It comes back as a zombie: its tasks run elsewhere by then, and it does not know.
            worker.signal(signal.SIGSTOP)
            time.sleep(SESSION_S + 6)
            worker.signal(signal.SIGCONT)
    group.wait_ready(worker)


@pytest.mark.parametrize("how", ["restarted", "killed", "frozen"])
def test_each_record_is_stored_once_while_every_worker_is(how, kafka, tmp_path, unique):
    names = [kafka.create_topic(f"{unique}-{number}", 2) for number in range(CONNECTORS)]
    group = WorkerGroup(tmp_path, kafka.bootstrap, unique)
    load, watch = Load(kafka, names), Watch(kafka, names)
    try:
        group.start()
        load.start()
        for number, name in enumerate(names):
            config = {
                "connector.class": "streamsink.ArchiveSink",
                "topics": name,
                "archive.url": (tmp_path / name).as_uri(),
                "tasks.max": "2",
                "rotate.age.ms": "1000",
                "exactly.once": "required",
            }
            status, told = group.ask(number % 3, "POST", "/connectors", {"name": name, "config": config})
            assert status == 201, told
        wait_until(
            "24 tasks run", lambda: sum(len(group.placed(name)) for name in names) == 2 * CONNECTORS, timeout_s=90
        )
        time.sleep(5)
        watch.start()
        for number in range(ROUNDS if how == "frozen" else 3 * ROUNDS):
            disturb(group, group.workers[number % 3], how)
            time.sleep(4)
        watch.done.set()
        watch.join(30)
        load.done.set()
        load.join(60)

        def committed():
            return sum(at for name in names for at, _ in kafka.committed(f"connect-{name}", name).values())

        wait_until("all is committed", lambda: committed() == load.count, timeout_s=90, worker=group.workers[0])
        for worker in group.workers:
            assert worker.terminate() == 0
    finally:
        watch.done.set()
        load.done.set()
        group.stop()
    for name in names:
        stored = archived_records(open_store((tmp_path / name).as_uri(), {}))
        assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, name)
    print(f"{load.count} records, workers {how}; longest without a commit: {max(watch.gaps.values()):.1f} s")
    assert max(watch.gaps.values()) < (GAP_S_MAX if how != "frozen" else GAP_FROZEN_S_MAX), watch.gaps
