"""REST on a real broker: flush, offsets, topics, what validate finds out, and speed beside a sink at work."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from tests.servers.worker import WorkerServer, wait_until


@pytest.fixture
def worker(kafka, tmp_path):
    server = WorkerServer(tmp_path, kafka.bootstrap).start()
    wait_until("the worker answers", lambda: server.get("/") is not None, worker=server)
    yield server
    server.kill()


def ask(worker, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=90)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, body=data, headers={"Content-Type": "application/json"} if data else {})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


def sink(worker, topic, **more):
    return {
        "connector.class": "streamsink.ArchiveSink",
        "topics": topic,
        "archive.url": f"file://{worker.folder}/archive",
        "consumer.override.auto.offset.reset": "earliest",
        **more,
    }


def produce(kafka, topic, count):
    producer = kafka.producer()
    for number in range(count):
        producer.produce(topic, b"value %d" % number, partition=number % 2)
    assert producer.flush(60) == 0


def alter(worker, connector, topic, partition, offset):
    at = {"kafka_topic": topic, "kafka_partition": partition}
    body = {"offsets": [{"partition": at, "offset": {"kafka_offset": offset}}]}
    return ask(worker, "PATCH", f"/connectors/{connector}/offsets", body)


def test_a_flush_commits_what_was_read_and_offsets_go_back_when_told_to(worker, kafka, unique):
    topic = kafka.create_topic(unique, partitions=2)
    produce(kafka, topic, 200)
    assert ask(worker, "POST", "/connectors", {"name": unique, "config": sink(worker, topic)})[0] == 201

    def read():
        return worker.task(unique).get("progress", {}).get("records_total") == 200

    wait_until("all is read", read, worker=worker)
    status, answer = ask(worker, "POST", f"/connectors/{unique}/flush")
    assert status == 200, answer
    assert {p: at for p, (at, _) in kafka.committed(f"connect-{unique}", topic).items()} == {0: 100, 1: 100}
    assert len(list((worker.folder / "archive").rglob("*.parquet"))) == 2
    shown_topics = {unique: {"topics": [topic]}}
    wait_until("its topic is shown", lambda: ask(worker, "GET", f"/connectors/{unique}/topics")[1] == shown_topics)
    shown = {"kafka_topic": topic, "kafka_partition": 0}, {"kafka_offset": 100}
    assert ask(worker, "GET", f"/connectors/{unique}/offsets")[1]["offsets"][0] == dict(
        zip(("partition", "offset"), shown, strict=True)
    )
    assert ask(worker, "PUT", f"/connectors/{unique}/stop")[0] == 204
    wait_until(
        "it is stopped",
        lambda: ask(worker, "GET", f"/connectors/{unique}/status")[1]["connector"]["state"] == "STOPPED",
        worker=worker,
    )
    status, answer = alter(worker, unique, topic, 0, 30)
    assert status == 200, answer
    assert answer["message"].endswith(f"Archived already from there on, and not stored again: {topic}-0: 30 to 99")
    for partition, offset, said in [(0, 101, "beyond the end"), (2, 0, "it has 2 partitions"), (0, 0, "no such topic")]:
        status, answer = alter(worker, unique, "no-topic" if said == "no such topic" else topic, partition, offset)
        assert (status, said in answer["message"]) == (400, True), answer
    assert kafka.committed(f"connect-{unique}", topic)[0][0] == 30
    assert ask(worker, "DELETE", f"/connectors/{unique}/offsets")[0] == 200
    assert ask(worker, "GET", f"/connectors/{unique}/offsets")[1] == {"offsets": []}
    assert ask(worker, "PUT", f"/connectors/{unique}/resume")[0] == 202
    wait_until("all is read again", read, worker=worker)
    assert ask(worker, "POST", f"/connectors/{unique}/flush")[0] == 200
    assert len(list((worker.folder / "archive").rglob("*.parquet"))) == 2


def test_validate_asks_store_and_brokers_and_says_what_is_guaranteed(worker, kafka, unique):
    topic = kafka.create_topic(unique, partitions=1)
    path = "/connector-plugins/ArchiveSink/config/validate"
    status, report = ask(worker, "PUT", path, {"name": "x", **sink(worker, topic)})
    assert (status, report["error_count"]) == (200, 0), report
    assert report["guarantee"].startswith("Exactly once")

    def errors(**more):
        started = time.monotonic()
        _, report = ask(worker, "PUT", path, {"name": "x", **sink(worker, topic), **more})
        assert time.monotonic() - started < 20
        return {each["value"]["name"]: each["value"]["errors"] for each in report["configs"] if each["value"]["errors"]}

    assert set(errors(**{"topics": "no-such-topic", "archive.url": "s3://bucket", **S3})) == {"topics", "archive.url"}
    assert set(errors(**{"consumer.override.bootstrap.servers": "127.0.0.1:1"})) == {"topics"}


S3 = {
    "archive.option.endpoint": "http://127.0.0.1:1",
    "archive.option.allow_http": "true",
    "archive.option.access_key_id": "a",
    "archive.option.secret_access_key": "not-shown",
    "archive.option.region": "us-east-1",
}
