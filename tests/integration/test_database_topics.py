"""`streamsink database restore` of archived topics in Debezium's envelope, into a real MongoDB."""

import threading

import orjson
import pytest
from bson import Decimal128, Int64, ObjectId

from streamsink.cli.main import run
from streamsink.database.consumer import SnapshotConsumer
from streamsink.database.feed import RecordsFeed
from streamsink.database.settings import sink_config
from streamsink.record import TopicPartition
from streamsink.sink.build import build_task
from streamsink.upload.open import open_store
from tests.servers.mongodb import MongoServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A MongoDB that asks for no login."""
    started = MongoServer(tmp_path_factory.mktemp("mongodb"))
    started.start()
    yield started
    started.stop()


def put_topic(archive, topic, *partitions):
    """Archive records, keys and values, as a sink does."""
    config = sink_config(
        topic, [], url=archive.parent.as_uri(), topics_dir=archive.name, options={}, given={"flush.size": "2"}
    )
    store = open_store(config.archive_url, {})
    stop = threading.Event()
    feeds = [RecordsFeed(TopicPartition(topic, number), 1, records) for number, records in enumerate(partitions)]
    consumer = SnapshotConsumer([feed.partition for feed in feeds], [lambda: feeds], told_all=stop.set)
    task = build_task(config, 0, store, consumer.listened_to_by, in_kafka=False)
    try:
        task.run(stop, lambda _: None)
    finally:
        task.close()
        store.close()


def record(key, after, operation):
    value = {"before": None, "after": after, "op": operation, "source": {"connector": "mongodb"}}
    return orjson.dumps({"id": key}), orjson.dumps({"schema": {"type": "struct", "fields": []}, "payload": value})


def test_the_last_state_of_each_row_is_restored(server, unique, tmp_path):
    archive = tmp_path / "topics"
    one, two = str(ObjectId()), str(ObjectId())
    of = lambda hex_: f'{{"$oid": "{hex_}"}}'  # noqa: E731
    document = '{"_id": %s, "n": {"$numberLong": "7"}, "price": {"$numberDecimal": "1.10"}, "text": "%s"}'
    put_topic(
        archive,
        "dbz.shop.orders",
        [
            record(of(one), document % (of(one), "first"), "r"),
            record(of(two), document % (of(two), "gone"), "c"),
            record(of(one), document % (of(one), "changed"), "u"),
            record(of(two), None, "d"),
            (orjson.dumps({"id": of(two)}), None),
        ],
        [record('"three"', '{"_id": "three"}', "c")],
    )
    assert run(["database", "restore", str(archive), server.url(unique), "--dry-run"]) == 0
    assert unique not in server.client.list_database_names()
    assert run(["database", "restore", str(archive), server.url(unique)]) == 0
    assert list(server.client[unique]["orders"].find({}, sort=[("text", -1)])) == [
        {"_id": ObjectId(one), "n": Int64(7), "price": Decimal128("1.10"), "text": "changed"},
        {"_id": "three"},
    ]


def test_a_topic_in_no_envelope_and_a_table_without_topic_are_refused_in_a_line(server, unique, tmp_path, capsys):
    archive = tmp_path / "topics"
    put_topic(archive, "app.shop.orders", [(b'{"id":1}', b'{"id":1,"text":"x"}')])
    assert run(["database", "restore", str(archive), server.url(unique), "--table", "people"]) == 1
    assert "no topic" in capsys.readouterr().err
    assert run(["database", "restore", str(archive), server.url(unique)]) == 1
    assert "in no envelope" in capsys.readouterr().err
