"""The same calls to Kafka Connect 4.1 and to ours: same status, JSON keys and types, and words where they count."""

from __future__ import annotations

import json

import pytest

from tests.integration.connect_calls import CALLS, NO_TOPICS, Target, differences, send
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


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        pytest.param({"name": "v"}, ("name", "topics", "topics.regex", "connector.class"), id="all is well"),
        pytest.param({}, ("name",), id="no name"),
        pytest.param({"name": None}, ("name",), id="a null name"),
        pytest.param({"name": "v", "topics": NO_TOPICS}, ("topics", "topics.regex"), id="no topics"),
        pytest.param({"name": "v", "topics": ""}, ("topics", "topics.regex"), id="empty topics"),
        pytest.param({"name": "v", "topics": None}, ("topics.regex",), id="null topics"),
        pytest.param({"name": "v", "topics.regex": "T.*"}, ("topics", "topics.regex"), id="topics and a pattern"),
        pytest.param(
            {"name": "v", "topics": NO_TOPICS, "topics.regex": "T.*"}, ("topics", "topics.regex"), id="a pattern"
        ),
    ],
)
def test_validation_names_keys_types_and_errors_as_connect_does(targets, more, keys):
    told = []
    for target in targets:
        config = {key: text for key, text in {**target.sink, **more}.items() if text is not NO_TOPICS}
        status, shape, _ = target.ask("PUT", f"/connector-plugins/{target.plugin}/config/validate", config)
        assert status == 200
        found = {one["definition"]["name"]: one for one in shape["configs"]}
        told.append(
            {
                key: (found[key]["definition"]["type"], found[key]["value"]["errors"], found[key]["value"]["value"])
                for key in keys
                if key != "connector.class"
            }
            | {"connector.class": found["connector.class"]["definition"]["type"]}
        )
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "name", ["sp ace", "ä", "a+b", "a%b", "a'b", "a,b", "a(b)", "a:b", "a@b", "a~b", "a$b&c=d;e*f!"]
)
def test_a_connector_that_was_made_is_shown_where_and_as_connect_shows_it(targets, name):
    made = []
    for target in targets:
        status, shape, headers = target.ask("POST", "/connectors", {"name": name, "config": dict(target.sink)})
        made.append((status, headers["location"].removeprefix(target.url), shape["tasks"]))
        target.ask("DELETE", headers["location"].removeprefix(target.url))
    assert made[0] == made[1]
    assert made[0][2] == []
