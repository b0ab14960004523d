"""The same calls to Kafka Connect 4.1 and to ours: same status, JSON keys and types, and words where they count."""

from __future__ import annotations

import json

import pytest

from tests.integration.connect_calls import CALLS, Target, differences, send
from tests.servers.connect import ConnectServer
from tests.servers.kafka import KafkaServer
from tests.servers.worker import WorkerServer, wait_until


@pytest.fixture(scope="module")
def targets(kafka, tmp_path_factory):
    folder = tmp_path_factory.mktemp("connect")
    # A broker each: connectors of one name share a consumer group.
    other = KafkaServer(folder / "kafka")
    other.start()
    for broker in (kafka, other):
        topic = broker.create_topic("TOPIC", partitions=2)
        producer = broker.producer()
        for number in range(20):
            producer.produce(topic, b"x", partition=number % 2)
        assert producer.flush(30) == 0
    connect = ConnectServer(folder / "connect", other.bootstrap).start()
    worker = WorkerServer(folder / "worker", kafka.bootstrap).start()
    wait_until("the worker answers", lambda: worker.get("/") is not None, worker=worker)
    common = {"topics": topic, "tasks.max": "2", "consumer.override.auto.offset.reset": "earliest"}
    yield (
        Target(
            connect.url,
            {
                "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
                "file": str(folder / "out"),
                **common,
            },
            "FileStreamSink",
        ),
        Target(
            worker.url,
            {"connector.class": "streamsink.ArchiveSink", "archive.url": f"file://{folder}/archive", **common},
            "ArchiveSink",
        ),
    )
    worker.kill()
    connect.stop()
    other.stop()


def test_every_call_is_answered_as_kafka_connect_answers_it(targets):
    wrong = []
    used = set()
    for number, call in enumerate(CALLS):
        (there, shape, _), (here, our_shape, _) = (send(call, target) for target in targets)
        at = f"{number} {call.method} {call.path} {call.body if call.body is not None else ''}"
        if here != (call.ours or there):
            wrong.append(f"{at}: {there} there, {here} here: {json.dumps(our_shape)[:300]}")
            continue
        if call.ours:
            assert there != here, f"{at}: is no deviation any more"
            used.add(call.deviation)
            continue
        where = "config" if call.path.endswith("/a/config") else call.path.partition("=")[0]
        found = differences(shape, our_shape, where)
        if call.deviation and found:
            used.add(call.deviation)
            found = [one for one in found if not one.endswith("is ours alone")]
        said, ours_said = ((one or {}).get("message") if isinstance(one, dict) else None for one in (shape, our_shape))
        if call.text and said != ours_said:
            found.append(f"says {ours_said!r} instead of {said!r}")
        wrong += [f"{at}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)
    assert used == {call.deviation for call in CALLS if call.deviation}
    assert len(CALLS) >= 80
