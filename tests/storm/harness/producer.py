"""Sequence-numbered records for a storm's topics, each topic in its own manner. Goes round the broker's proxy."""

import random
import threading
import time

from confluent_kafka import KafkaException, Producer

from tests.storm.harness.sinks import Manner, Sink

TURN_S = 0.2
KEYS = 300
"""Of a topic that is compacted."""


class Source(threading.Thread):
    """Produces to one topic until told to stop."""

    def __init__(self, bootstrap: str, sink: Sink, *, records_a_second: int, seed: int) -> None:
        super().__init__(daemon=True, name=f"source-{sink.name}")
        self._brokers, self._sink = bootstrap, sink
        self._a_turn = max(1, int(records_a_second * TURN_S))
        self._dice = random.Random(f"{seed}-{sink.name}")
        self._number = 0
        self._done = threading.Event()
        self._producer: Producer | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Produce, a batch at a time."""
        try:
            while not self._done.wait(TURN_S):
                self.turn(self._a_turn)
            self.finish()
        except Exception as error:  # noqa: BLE001 - `stop` raises it
            self.error = error

    def stop(self) -> None:
        """End, with everything delivered."""
        self._done.set()
        self.join(120)
        if self.error is not None:
            raise self.error
        assert not self.is_alive(), f"{self._sink.name}: records are not delivered"

    def finish(self) -> None:
        """Deliver what is on its way."""
        if self._producer is not None:
            assert self._producer.flush(90) == 0, f"{self._sink.name}: records are not delivered"

    def turn(self, count: int) -> None:
        """Produce so many records: in a transaction, which may be given up, where the topic has those."""
        if self._sink.manner is not Manner.TRANSACTIONS:
            producer = self._producer = self._producer or Producer({**self._settings(), "enable.idempotence": True})
            self._produce(producer, count)
            return
        try:
            self._transaction(count)
        except KafkaException:
            # What became of it is the broker's to say: the next one's fencing ends it.
            self._producer = None
            time.sleep(0.5)

    def _transaction(self, count: int) -> None:
        if self._producer is None:
            producer = Producer(
                {**self._settings(), "transactional.id": self._sink.name, "transaction.timeout.ms": 10000}
            )
            producer.init_transactions(20)
            self._producer = producer
        self._producer.begin_transaction()
        self._produce(self._producer, count)
        if self._dice.random() < 0.2:
            self._producer.abort_transaction(15)
        else:
            self._producer.commit_transaction(15)

    def _settings(self) -> dict[str, str | int]:
        return {
            "bootstrap.servers": self._brokers,
            "log_level": 0,
            "linger.ms": 20,
            "reconnect.backoff.max.ms": 500,
            "queue.buffering.max.messages": 1_000_000,
        }

    def _produce(self, producer: Producer, count: int) -> None:
        now_ms = int(time.time() * 1000)
        for number in range(self._number, self._number + count):
            key, value, headers = self._record(number)
            producer.produce(
                self._sink.name,
                value,
                key=key,
                headers=headers,
                timestamp=now_ms - number % 97,
                partition=number % self._sink.partitions,
            )
        self._number += count
        producer.poll(0)

    def _record(self, number: int) -> tuple[bytes | None, bytes | None, list | None]:
        headers = [("n", b"%d" % number), ("none", None)] if number % 7 == 0 else None
        if self._sink.manner is Manner.COMPACTED:
            key = b"key-%d" % self._dice.randrange(KEYS)
            return key, None if number % 11 == 0 else b"value-%d" % number, headers
        key = None if number % 5 == 0 else b"k%d" % (number % 1000)
        value = b'{"n":%d,"kind":"%s","text":"record %d"}' % (number, (b"a", b"b", b"c")[number % 3], number)
        return key, None if number % 101 == 0 else value, headers
