"""Awkward topics, and how to read one without any of our own code."""

import random
from collections import defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.servers.kafka import KafkaServer

KEYS = [None, b"", b"key", "schlüssel".encode(), b"\x00\xff"]
VALUES = [None, b"", b"value", b"two\nlines", bytes(range(256)), b'{"level":"INFO"}', b"x" * 300]
HEADERS = [
    None,
    [],
    [("h", b"v")],
    [("h", b"1"), ("h", b"2"), ("h", None)],
    [("", b""), ("trace", b"\x00\x01")],
]
TIMES_MS = [0, 1, 999_999_999_999, 1_700_000_000_000, 1_700_000_000_000 - 86_400_000 * 3]


def fill_awkwardly(kafka: KafkaServer, topic: str, count: int, *, partitions: int, seed: int = 1) -> None:
    """Committed and aborted transactions of records of every awkward kind."""
    dice = random.Random(seed)
    producer = kafka.producer(transactional_id=f"awkward-{topic}", queue_buffering_max_messages="1000000")
    producer.init_transactions(30)
    sent = 0
    while sent < count:
        aborted = dice.random() < 0.15
        batch = min(dice.randrange(1, 4000), count - sent)
        producer.begin_transaction()
        for _ in range(batch):
            producer.produce(
                topic,
                dice.choice(VALUES),
                key=dice.choice(KEYS),
                headers=dice.choice(HEADERS),
                timestamp=dice.choice(TIMES_MS) + dice.randrange(1000),
                partition=dice.randrange(partitions),
            )
            producer.poll(0)
        assert producer.flush(60) == 0
        if aborted:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
            sent += batch
    kafka.wait_for_markers(topic)


def read_topic(kafka: KafkaServer, topic: str) -> dict[int, list[tuple]]:
    """The topic as a `read_committed` reader sees it: (offset, ms, type, key, value, headers) by partition."""
    ends = kafka.end_offsets(topic)
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": f"truth-{topic}",
            "log_level": 0,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
    found: dict[int, list[tuple]] = defaultdict(list)
    at_end: set[int] = set()
    while len(at_end) < len(ends):
        for message in consumer.consume(10_000, 1.0):
            if message.error() is not None:
                at_end.add(message.partition())
                continue
            kind, time_ms = message.timestamp()
            headers = tuple(message.headers() or [])
            found[message.partition()].append(
                (message.offset(), time_ms if kind else None, kind - 1, message.key(), message.value(), headers)
            )
    consumer.close()
    return found
