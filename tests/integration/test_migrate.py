"""A connector of a real Kafka Connect moves here: its worker file starts a worker as it is, its offsets go on."""

import json
import subprocess
import sys
import urllib.request

import pytest

from streamsink.upload.open import open_store
from tests.servers.connect import ConnectServer
from tests.servers.worker import WorkerServer, wait_until

WORKER_FILE = {
    # What connect-distributed.properties of Kafka has, but for brokers and listeners.
    "group.id": "connect-cluster",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "true",
    "value.converter.schemas.enable": "false",
    "offset.storage.topic": "connect-offsets",
    "offset.storage.replication.factor": "1",
    "config.storage.topic": "connect-configs",
    "config.storage.replication.factor": "1",
    "status.storage.topic": "connect-status",
    "status.storage.replication.factor": "1",
    "offset.flush.interval.ms": "10000",
    "plugin.path": "/usr/share/java",
}


@pytest.fixture
def connect(kafka, tmp_path):
    server = ConnectServer(tmp_path / "connect", kafka.bootstrap, sinks=True).start()
    yield server
    server.stop()


@pytest.fixture
def worker(kafka, tmp_path):
    """A worker that Kafka Connect's own file starts, on one broker."""
    server = WorkerServer(tmp_path / "worker", kafka.bootstrap, **WORKER_FILE)
    server.config_name = "connect-distributed.properties"
    server.start()
    yield server
    if server.running:
        server.kill()


def send(url, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def migrate(connect, worker, *options):
    command = [sys.executable, "-m", "streamsink", "connectors", "migrate", connect.url, "--url", worker.url, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def produce(kafka, topic, numbers):
    producer = kafka.producer()
    for number in numbers:
        producer.produce(topic, b'{"n":%d}' % number, partition=0)
    assert producer.flush(30) == 0


def committed(kafka, name):
    return sum(offset for offset, _ in kafka.committed(f"connect-{name}", name).values())


def test_a_connector_of_a_connect_cluster_goes_on_here(kafka, connect, worker, seaweedfs, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, range(200))
    store = open_store(seaweedfs.url(unique), seaweedfs.options)
    config = {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "topics": unique,
        "tasks.max": "1",
        "s3.bucket.name": store.url.removeprefix("s3://").split("/")[0],
        "topics.dir": unique,
        "s3.region": "us-east-1",
        "store.url": seaweedfs.options["endpoint"],
        "aws.access.key.id": seaweedfs.options["access_key_id"],
        "aws.secret.access.key": seaweedfs.options["secret_access_key"],
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "flush.size": "50",
        "consumer.override.auto.offset.reset": "earliest",
    }
    send(connect.url, "POST", "/connectors", {"name": unique, "config": config})
    wait_until("Connect has read all", lambda: committed(kafka, unique) == 200)
    wait_until("the worker is ready", lambda: worker.get("/health/ready") is not None, worker=worker)
    refused = migrate(connect, worker, "--only", unique, "--make", "running")
    assert refused.returncode == 1
    assert "both would read as" in refused.stderr
    send(connect.url, "PUT", f"/connectors/{unique}/stop")
    wait_until(
        "it is stopped there",
        lambda: send(connect.url, "GET", f"/connectors/{unique}/status")["connector"]["state"] == "STOPPED",
    )
    done = migrate(connect, worker, "--only", unique, "--make", "running")
    assert done.returncode == 0, done.stderr
    assert "1 partitions stand where they stood" in done.stdout
    produce(kafka, unique, range(200, 300))
    wait_until("all is committed", lambda: committed(kafka, unique) == 300, worker=worker)
    whole = open_store(f"s3://{config['s3.bucket.name']}", seaweedfs.options)
    lines = [line for info in whole.list(f"{unique}/") for line in whole.get(info.name).splitlines()]
    assert [json.loads(line)["n"] for line in lines] == list(range(200, 300))
