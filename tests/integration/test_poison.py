"""Records at the edge of what Kafka takes: each by errors.*, within memory, and the neighbours go on."""

import json
import os
from pathlib import Path

import pytest

from streamsink.sink.dead_letters.objects import _offsets_of
from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records, offsets_stored
from tests.servers.worker import wait_until

MB = 1_000_000
MEMORY_MAX = 256 * 1024 * 1024
"""The default of `memory.bytes.max`."""
COPIES = 6
"""How often a record that is large beside that may be in memory: librdkafka's, Arrow's, the encoder's, the object's."""

DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
DEEP_LIST = b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"


def produce(kafka, topic, *records):
    producer = kafka.producer(message_max_bytes="150000000")
    failures = []
    for value, key, headers in records:
        producer.produce(
            topic, value, key=key, headers=headers, partition=0, on_delivery=lambda error, _: failures.append(error)
        )
    assert producer.flush(60) == 0
    assert not any(failures)


def peak_bytes(worker):
    """The largest peak of a process of the worker's."""
    found = [0]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == worker.pid:
                words = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
                found += [int(word[1]) * 1024 for word in words]
        except (OSError, ProcessLookupError):
            continue
    return max(found)


def stands_at_end(kafka, name, topic):
    ends = kafka.end_offsets(topic)
    return {number: at for number, (at, _) in kafka.committed(f"connect-{name}", topic).items()} == ends


@pytest.fixture
def neighbour(kafka, worker, unique, tmp_path):
    """Another connector of the worker, which has to go on."""
    topic = kafka.create_topic(f"{unique}-next")
    worker.connector(topic, {"topics": topic, "archive.url": (tmp_path / "next").as_uri(), "rotate.age.ms": "500"})
    yield topic
    produce(kafka, topic, (b"after", None, None))
    wait_until("the neighbour goes on", lambda: stands_at_end(kafka, topic, topic), worker=worker)
    assert worker.task(topic)["state"] == "RUNNING"


@pytest.mark.parametrize("format_class", ["parquet", "raw"])
def test_a_record_of_100_megabytes_is_archived_in_bounded_memory(
    kafka, worker, unique, tmp_path, neighbour, format_class
):
    kafka.create_topic(unique, max_message_bytes="120000000")
    archive = (tmp_path / "archive").as_uri()
    worker.connector(
        unique, {"topics": unique, "archive.url": archive, "rotate.age.ms": "500", "format.class": format_class}
    )
    large = os.urandom(MB) * 100
    produce(kafka, unique, (b"before", None, None), (large, None, None), (b"after", None, None))
    produce(kafka, neighbour, (b"beside", None, None))
    worker.start()
    wait_until("all is committed", lambda: stands_at_end(kafka, unique, unique), timeout_s=60, worker=worker)
    peak = peak_bytes(worker)
    assert [
        record[4] == value
        for record, value in zip(
            archived_records(open_store(archive, {}))[0], [b"before", large, b"after"], strict=True
        )
    ] == [True] * 3
    assert peak < MEMORY_MAX + COPIES * len(large)


def test_odd_json_is_decoded_or_skipped_and_headers_and_keys_of_any_size_come_back(
    kafka, worker, unique, tmp_path, neighbour
):
    kafka.create_topic(unique, max_message_bytes="120000000")
    archive, dead = (tmp_path / "archive").as_uri(), (tmp_path / "dead").as_uri()
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": archive,
            "rotate.age.ms": "500",
            "value.converter": "json",
            "errors.tolerance": "all",
            "errors.deadletter.url": dead,
        },
    )
    headers = [(f"h{number}", str(number).encode()) for number in range(10_000)]
    key = os.urandom(MB)
    poison = [
        (b'{"a":"good"}', None, None),
        (DEEP, None, None),
        (DEEP_LIST, None, None),
        (b'{"a":"\xff\xfe"}', None, None),
        (b"\xff" * MB, None, None),
        (b'{"a":"headers"}', None, headers),
        (b'{"a":"key"}', key, None),
        (json.dumps({f"field{number}": number for number in range(3000)}).encode(), None, None),
        (b'{"a":' + b"9" * MB + b"}", None, None),
        (b'{"a":"last"}', None, None),
    ]
    produce(kafka, unique, *poison)
    worker.start()
    wait_until("all is committed", lambda: stands_at_end(kafka, unique, unique), timeout_s=60, worker=worker)
    peak = peak_bytes(worker)
    stored = offsets_stored(open_store(archive, {}))[0]
    bad = offsets_of_dead_letters(dead)
    assert sorted(stored + bad) == list(range(len(poison)))
    assert {3, 4} <= set(bad)
    assert {0, 5, 6, 9} <= set(stored)
    records = {record[0]: record for record in archived_records(open_store(archive, {}))[0]}
    assert records[5][5] == tuple(headers)
    assert records[6][3] == key
    assert worker.task(unique)["state"] == "RUNNING"
    assert peak < MEMORY_MAX


def offsets_of_dead_letters(url):
    store = open_store(url, {})
    return sorted(offset for info in store.list() for offset in _offsets_of(store.get(info.name)))
