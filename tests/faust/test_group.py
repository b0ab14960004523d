"""An agent behind `group_by`, with a table and an Avro codec, on a real broker."""

import io
import json
import time

import fastavro

from streamsink.upload.local import LocalStore
from tests.faust.workers import FaustWorker
from tests.servers.archive_reader import archived_records

SCHEMA = {
    "type": "record",
    "name": "Total",
    "fields": [{"name": "customer", "type": "string"}, {"name": "amount", "type": "double"}],
}
ORDERS = 200
CUSTOMERS = 5


def test_what_an_agent_yields_behind_a_group_by_is_archived_by_its_key_in_its_codec(kafka, unique, tmp_path):
    topic = kafka.create_topic(unique, 2)
    producer = kafka.producer()
    for number in range(ORDERS):
        order = {"customer": f"c{number % CUSTOMERS}", "amount": 0.5}
        producer.produce(topic, json.dumps(order).encode(), partition=number % 2)
    assert producer.flush(30) == 0
    archive = tmp_path / "archive"
    archive.mkdir()
    environment = {
        "SCHEMA": json.dumps(SCHEMA),
        "APP": f"app-{unique}",
        "BROKER": f"kafka://{kafka.bootstrap}",
        "TOPIC": topic,
    }
    worker = FaustWorker("group_app", tmp_path / "worker", ARCHIVE=archive.as_uri(), **environment)
    try:
        deadline = time.monotonic() + 60
        while (
            committed(kafka, environment["APP"], topic) < ORDERS
            or committed(kafka, environment["APP"], f"{topic}-grouped") < ORDERS
        ):
            assert time.monotonic() < deadline, worker.log()[-3000:]
            assert worker.alive, worker.log()[-3000:]
            time.sleep(0.3)
        assert worker.stop() == 0
    finally:
        worker.kill()
    found = [record for records in archived_records(LocalStore(archive)).values() for record in sorted(records)]
    totals = {}
    for _, _, _, key, value, _ in found:
        total = fastavro.schemaless_reader(io.BytesIO(value), SCHEMA, None)
        assert key.decode().strip('"') == total["customer"]
        assert total["amount"] == totals.get(total["customer"], 0.0) + 0.5
        totals[total["customer"]] = total["amount"]
    assert totals == {f"c{number}": ORDERS / CUSTOMERS / 2 for number in range(CUSTOMERS)}


def committed(kafka, group, topic):
    try:
        return sum(at for at, _ in kafka.committed(group, topic).values())
    except KeyError:
        return 0  # Faust has not made the topic yet
