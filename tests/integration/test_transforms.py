"""Transforms in a running worker: what is routed, dropped and refused, and what becomes of it after a kill."""

import json

from streamsink.upload.open import open_store
from tests.servers.archive_reader import object_rows
from tests.servers.worker import wait_until

COUNT = 200


def produce(kafka, topic, count):
    producer = kafka.producer()
    for number in range(count):
        value = (
            None if number % 50 == 0 else b'{"n":"x"}' if number % 50 == 1 else json.dumps({"n": str(number)}).encode()
        )
        producer.produce(topic, value, headers=[("audit", b"")] if number % 2 else [], partition=0)
    assert producer.flush(30) == 0


def test_two_topics_routed_to_one_keep_each_record_once_through_a_kill(kafka, worker, unique, tmp_path):
    topics = [f"{unique}-{letter}" for letter in "ab"]
    for topic in topics:
        kafka.create_topic(topic)
        produce(kafka, topic, COUNT)
    archive, dead = (tmp_path / "a").as_uri(), (tmp_path / "dead").as_uri()
    worker.connector(
        unique,
        {
            "topics": ",".join(topics),
            "archive.url": archive,
            "rotate.age.ms": "300",
            "consumer.override.session.timeout.ms": "6000",
            "flush.size": "60",
            "value.converter": "json",
            "errors.tolerance": "all",
            "errors.deadletter.url": dead,
            "transforms": "route,audit,drop,number",
            "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.route.regex": ".*-[ab]",
            "transforms.route.replacement": "all",
            "transforms.audit.type": "RegexRouter",
            "transforms.audit.regex": "(.*)",
            "transforms.audit.replacement": "audit-$1",
            "transforms.audit.predicate": "audited",
            "transforms.drop.type": "Filter",
            "transforms.drop.predicate": "tombstone",
            "transforms.number.type": "Cast$Value",
            "transforms.number.spec": "n:int32",
            "predicates": "audited,tombstone",
            "predicates.audited.type": "HasHeaderKey",
            "predicates.audited.name": "audit",
            "predicates.tombstone.type": "RecordIsTombstone",
        },
    )
    worker.start()

    def committed():
        return sum(at for topic in topics for at, _ in kafka.committed(f"connect-{unique}", topic).values())

    wait_until("something is committed", lambda: committed() > 0, worker=worker)
    worker.kill()
    for topic in topics:
        produce(kafka, topic, COUNT)
    worker.start()
    wait_until("it is all committed", lambda: committed() == 4 * COUNT, timeout_s=90, worker=worker)
    store = open_store(archive, {})
    found = {}
    for info in store.list("topics/"):
        assert info.name.split("/")[1] in {"all", "audit-all"}
        for row in object_rows(store, info.name):
            at = (info.name.rpartition("/")[2].split("+")[0], row["_kafka"]["offset"])
            assert at not in found
            found[at] = (info.name.split("/")[1], row["n"])
    kept = [number for number in range(2 * COUNT) if number % COUNT % 50 > 1]
    folder = {True: "audit-all", False: "all"}
    assert found == {(topic, number): (folder[number % 2 == 1], number % COUNT) for topic in topics for number in kept}
    dead_rows = [
        row["_kafka"]["offset"]
        for info in open_store(dead, {}).list()
        for row in object_rows(open_store(dead, {}), info.name)
    ]
    assert sorted(dead_rows) == sorted(2 * [number for number in range(2 * COUNT) if number % COUNT % 50 == 1])
