"""`streamsink.DatabaseSource` in a real standalone worker: snapshots of a real MongoDB become topics."""

import json

import pytest

from tests.servers.mongodb import MongoServer
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

ROWS = 2_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A MongoDB that asks for no login."""
    started = MongoServer(tmp_path_factory.mktemp("mongodb"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def worker(kafka, tmp_path):
    """A worker without connectors, started by the test."""
    made = WorkerServer(tmp_path / "worker", kafka.bootstrap)
    yield made
    if made.running:
        made.kill()


def values(kafka, topic):
    """Keys and values of a topic, committed ones only, decoded."""
    rows = [row for rows in read_topic(kafka, topic).values() for row in rows]
    return [(json.loads(row[3]), json.loads(row[4])) for row in rows]


def define(worker, name, url, **keys):
    config = {"connector.class": "streamsink.DatabaseSource", "database.url": url, "topic.prefix": name, **keys}
    worker.connector(name, config)


def frames(kafka, name, database):
    return [value for _, value in values(kafka, f"{name}.{database}")]


def test_snapshots_go_to_topics_in_debeziums_envelope_once_each_though_the_worker_is_killed(
    kafka, worker, server, unique
):
    database = unique.replace("-", "_")
    orders = server.client[database]["orders"]
    orders.insert_many([{"_id": number, "text": f"é{number}"} for number in range(ROWS)])
    server.client[database]["people"].insert_one({"_id": "ann"})
    define(worker, unique, server.url(database), **{"database.rate": "1000"})
    topic = f"{unique}.{database}.orders"
    for name in (topic, f"{unique}.{database}"):
        kafka.create_topic(name, 1)
    worker.start()
    wait_until("some rows are there", lambda: values(kafka, topic), worker=worker)
    worker.kill()
    orders.delete_many({"_id": {"$lt": 500}})
    worker.start()
    wait_until(
        "it ends", lambda: [one["frame"] for one in frames(kafka, unique, database)][-1:] == ["end"], worker=worker
    )
    begin, end = frames(kafka, unique, database)
    assert (begin["frame"], begin["id"], begin["database"]) == ("begin", end["id"], database)
    assert {each["name"]: each["rows"] for each in end["tables"]} == {"orders": ROWS, "people": 1}
    rows = values(kafka, topic)
    assert sorted(key["_id"] for key, _ in rows) == list(range(ROWS))
    assert all(value["op"] == "r" and value["before"] is None for _, value in rows)
    assert {json.loads(value["after"])["text"] for _, value in rows} == {f"é{number}" for number in range(ROWS)}
    marks = [(value["source"]["snapshot"], key["_id"]) for key, value in rows]
    assert [number for mark, number in marks if mark == "last"] == [ROWS - 1]
    source = rows[0][1]["source"]
    assert (source["db"], source["collection"], source["name"]) == (database, "orders", unique)
    offsets = worker.get(f"/connectors/{unique}/offsets")["offsets"]
    assert {"partition": {"topic": topic, "task": 0}, "offset": {"snapshot": begin["id"], "rows": ROWS}} in offsets
    status = worker.get(f"/connectors/{unique}/status")
    assert (status["type"], status["tasks"][0]["state"]) == ("source", "RUNNING")


def test_another_snapshot_follows_after_its_interval(kafka, worker, server, unique):
    database = unique.replace("-", "_")
    server.client[database]["people"].insert_one({"_id": "ann"})
    kafka.create_topic(f"{unique}.{database}", 1)
    define(worker, unique, server.url(database), **{"snapshot.interval.ms": "500", "transactional": "false"})
    worker.start()
    wait_until("the first ends", lambda: len(frames(kafka, unique, database)) >= 2, worker=worker)
    server.client[database]["people"].insert_one({"_id": "bob"})
    wait_until("bob is in one", lambda: 2 in counts(kafka, unique, database), worker=worker)
    assert counts(kafka, unique, database)[0] in {1, 2}
    ids = [each["id"] for each in frames(kafka, unique, database) if each["frame"] == "begin"]
    assert len(ids) == len(set(ids)) >= 2


def test_a_password_in_the_url_and_a_database_without_name_are_refused_by_validate(kafka, worker, server, unique):
    define(worker, unique, f"mongodb://reader:secret@127.0.0.1:{server.port}/shop")
    worker.start()
    wait_until("it is refused", lambda: "database.option.password" in worker.log(), worker=worker)
    assert "secret@" not in worker.log()


def counts(kafka, name, database):
    return [each["tables"][0]["rows"] for each in frames(kafka, name, database) if each["frame"] == "end"]
