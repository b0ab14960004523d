from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pyarrow.dataset as ds
import pytest

from tests.servers.kafka import KafkaServer
from tests.unit.worker.conftest import eventually


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


def produce(broker, topic, count):
    producer = broker.producer()
    for number in range(count):
        producer.produce(topic, key=b"k%d" % number, value=b"value %d" % number, partition=number % 2)
    assert producer.flush(30) == 0


class RunningWorker:
    """`streamsink worker` as people start it."""

    def __init__(self, folder, bootstrap):
        self.folder = folder
        self.log = folder / "log"
        self.connectors = folder / "connectors.d"
        self.connectors.mkdir()
        config = folder / "worker.yaml"
        config.write_text(f"bootstrap.servers: {bootstrap}\nlisteners: http://127.0.0.1:0\n")
        command = [sys.executable, "-m", "streamsink", "worker", "--config", str(config)]
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [*command, "--connectors", str(self.connectors)], start_new_session=True, stdout=out, stderr=out
            )
        (self.url,) = eventually(
            lambda: re.findall(r"listening\W+(http://127\.0\.0\.1:[1-9]\d*)", self.log.read_text()), within_s=30
        )

    def define(self, stem, topic, **config):
        lines = {
            "connector.class": "streamsink.ArchiveSink",
            "topics": topic,
            "archive.url": f"file://{self.folder}/archive",
            "rotate.age.ms": "500",
            "consumer.override.auto.offset.reset": "earliest",
            **config,
        }
        (self.connectors / f"{stem}.yaml").write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))

    def ask(self, path):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as response:
            return json.load(response)

    def tasks(self, connector):
        if connector not in self.ask("/connectors"):
            return []
        return self.ask(f"/connectors/{connector}/status")["tasks"]

    def runs(self, connector):
        tasks = self.tasks(connector)
        return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)


@pytest.fixture
def worker(tmp_path, broker):
    running = RunningWorker(tmp_path, broker.bootstrap)
    yield running
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(10)


def stored(worker, topic):
    rows = ds.dataset(worker.folder / "archive" / "topics" / topic, format="parquet").to_table(columns=["_kafka"])
    return sorted((row["_kafka"]["partition"], row["_kafka"]["offset"]) for row in rows.to_pylist())


def test_a_topic_is_archived_and_the_group_stands_at_its_end(worker, broker):
    topic = broker.create_topic("clicks", partitions=2)
    produce(broker, topic, 1000)
    worker.define("clicks", topic, **{"tasks.max": "2"})
    eventually(lambda: worker.runs("clicks"), within_s=20)
    ends = broker.end_offsets(topic)
    eventually(lambda: {p: at for p, (at, _) in broker.committed("connect-clicks", topic).items()} == ends, within_s=30)
    assert stored(worker, topic) == [(partition, offset) for partition in (0, 1) for offset in range(500)]
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0


def test_a_drain_stores_what_no_rotation_has_closed_yet(worker, broker):
    topic = broker.create_topic("orders", partitions=2)
    worker.define("orders", topic, **{"rotate.age.ms": "3600000"})
    eventually(lambda: worker.runs("orders"), within_s=20)
    produce(broker, topic, 100)
    records = re.compile(r'streamsink_records_total{connector="orders",task="0"} 100\.0')
    eventually(lambda: records.search(answers(f"{worker.url}/metrics")), within_s=20)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    assert len(stored(worker, topic)) == 100
    assert {p: at for p, (at, _) in broker.committed("connect-orders", topic).items()} == broker.end_offsets(topic)


def test_the_worker_is_ready_and_knows_its_cluster(worker, broker):
    topic = broker.create_topic("quiet", partitions=2)
    worker.define("quiet", topic)
    eventually(lambda: worker.runs("quiet"), within_s=20)
    ready = eventually(lambda: answers(f"{worker.url}/health/ready"), within_s=20)
    assert json.loads(ready)["status"] == "ready"
    assert worker.ask("/")["kafka_cluster_id"] == broker.admin.list_topics(timeout=10).cluster_id


def test_an_unusable_value_shows_with_its_key_and_the_file_mended_starts_it(worker, broker):
    topic = broker.create_topic("mended", partitions=2)
    worker.define("mended", topic, **{"flush.size": "many"})
    (task,) = eventually(lambda: worker.tasks("mended"), within_s=10)
    assert task["state"] == "FAILED"
    assert "flush.size" in task["trace"]
    worker.define("mended", topic)
    eventually(lambda: worker.runs("mended"), within_s=20)


def test_a_killed_task_starts_again_and_goes_on_where_it_was(worker, broker):
    topic = broker.create_topic("killed", partitions=2)
    worker.define("killed", topic, **{"consumer.override.session.timeout.ms": "6000"})
    eventually(lambda: worker.runs("killed"), within_s=20)
    produce(broker, topic, 100)
    pid = re.findall(r"pid\W+(\d+)", worker.log.read_text())[-1]
    os.kill(int(pid), signal.SIGKILL)
    produce(broker, topic, 100)
    ends = {0: 100, 1: 100}
    eventually(lambda: {p: at for p, (at, _) in broker.committed("connect-killed", topic).items()} == ends, within_s=40)
    assert stored(worker, topic) == [(partition, offset) for partition in (0, 1) for offset in range(100)]


def test_a_port_that_is_taken_is_one_line_and_status_1(worker, tmp_path):
    config = tmp_path / "second.yaml"
    config.write_text(f"bootstrap.servers: 127.0.0.1:1\nlisteners: {worker.url}\n")
    command = [sys.executable, "-m", "streamsink", "worker", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "can't listen on" in line


def answers(url):
    """What is answered with 200, nothing otherwise."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        return ""
