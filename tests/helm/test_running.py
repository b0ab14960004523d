"""The rendered workload itself: its files, environment and command, as three processes on a real broker and S3."""

import os
import subprocess
import sys
import threading
import time

import pytest

from streamsink.upload.open import open_store
from tests.helm.chart import Rendered
from tests.servers.archive_reader import archived_records
from tests.servers.process import WATCHDOG
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

PARTITIONS = 6
REPLICAS = 3


class Pod(WorkerServer):
    """One pod of the rendered StatefulSet: its own port and folder take the place of its own address and root."""

    def __init__(self, folder, rendered, number, secret):
        super().__init__(folder, "")
        self.name = f"logs-streamsink-{number}"
        for name, text in rendered.connectors.items():
            (self.connectors / name).write_text(text)
        (folder / "worker.yaml").write_text(rendered.one("ConfigMap")["data"]["worker.yaml"])
        given = {each["name"]: each.get("value", self.name) for each in rendered.container["env"]}
        self.environment = {key: value.replace("$(POD_NAME)", self.name) for key, value in given.items()} | secret
        self.environment["STREAMSINK_LISTENERS"] = self.url
        self.environment["STREAMSINK_REST_ADVERTISED_HOST_NAME"] = "127.0.0.1"
        self.arguments = [each.replace("/etc/streamsink", str(folder)) for each in rendered.container["args"]]
        self.grace_s = rendered.pod["spec"]["terminationGracePeriodSeconds"]

    def start(self):
        argv = [sys.executable, "-c", WATCHDOG, sys.executable, "-m", "streamsink", *self.arguments]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        wait_until(f"{self.name} is ready", lambda: self.get("/health/ready") is not None, worker=self, timeout_s=90)


@pytest.fixture
def load(kafka, unique):
    """Produces until it is told to stop."""
    kafka.create_topic(unique, PARTITIONS)
    stopped, counted = threading.Event(), []

    def produce():
        producer, count = kafka.producer(), 0
        while not stopped.is_set():
            for _ in range(100):
                producer.produce(unique, b'{"n":%d}' % count, partition=count % PARTITIONS)
                count += 1
            producer.poll(0)
            time.sleep(0.05)
        assert producer.flush(30) == 0
        counted.append(count)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()

    def stop():
        stopped.set()
        thread.join(60)
        return counted[0]

    yield stop
    stopped.set()
    thread.join(60)


def test_three_pods_rolled_one_by_one_under_load_store_each_record_once(kafka, seaweedfs, load, tmp_path, unique):
    url = seaweedfs.url(unique)
    sink = {
        "connector.class": "streamsink.ArchiveSink",
        "tasks.max": 3,
        "topics": unique,
        "archive.url": url,
        "archive.option.endpoint": seaweedfs.options["endpoint"],
        "archive.option.region": seaweedfs.options["region"],
        "archive.option.access_key_id": "${env:ACCESS_KEY_ID}",
        "archive.option.secret_access_key": "${env:SECRET_ACCESS_KEY}",
        "rotate.age.ms": 700,
        "exactly.once": "required",
    }
    replicated = {f"{kind}.storage.replication.factor": 1 for kind in ("config", "status", "slots")}
    rendered = Rendered(
        mode="distributed",
        replicaCount=REPLICAS,
        config={"bootstrap.servers": kafka.bootstrap, "group.id": unique, **replicated}
        | {f"{kind}.storage.topic": f"{unique}-{kind}" for kind in ("config", "status", "slots")},
        connectors={unique: sink},
        existingSecret="keys",
    )
    secret = {
        "ACCESS_KEY_ID": seaweedfs.options["access_key_id"],
        "SECRET_ACCESS_KEY": seaweedfs.options["secret_access_key"],
    }
    pods = [Pod(tmp_path / str(number), rendered, number, secret) for number in range(REPLICAS)]

    def committed():
        return sum(at for at, _ in kafka.committed(f"connect-{unique}", unique).values())

    try:
        for pod in pods:
            pod.start()
        wait_until("it stores", lambda: committed() > 0, worker=pods[0], timeout_s=90)
        for pod in reversed(pods):
            before = committed()
            began_s = time.monotonic()
            assert pod.terminate(timeout_s=pod.grace_s) == 0
            assert time.monotonic() - began_s < pod.grace_s
            pod.start()
            wait_until("it goes on", lambda before=before: committed() > before, worker=pod)
        count = load()
        wait_until("all is committed", lambda: committed() == count, timeout_s=120, worker=pods[0])
        for pod in pods:
            assert pod.terminate(timeout_s=pod.grace_s) == 0
    finally:
        for pod in pods:
            if pod.running:
                pod.kill()
    stored = archived_records(open_store(url, seaweedfs.options))
    assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, unique)
    assert sum(map(len, stored.values())) == count
    logs = "".join(pod.log() for pod in pods)
    assert seaweedfs.options["secret_access_key"] not in logs
