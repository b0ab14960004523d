"""Two Faust workers on a real broker, killed and rebalanced: no result of a committed offset may be missing."""

import json
import os
import random
import time
from collections import Counter

import pytest

from streamsink.upload.local import LocalStore
from tests.faust.workers import FaustWorker
from tests.servers.archive_reader import archived_records

KILLS = int(os.environ.get("STREAMSINK_FAUST_KILLS", "2"))
CONCURRENCY = [int(number) for number in os.environ.get("STREAMSINK_FAUST_CONCURRENCY", "1").split(",")]
PARTITIONS = 4


class Orders:
    """What was produced: the order's number for each offset of each partition.

    `failing`: some can't be read, and at some the agent fails. Faust ends a worker whose agent with several actors
    fails, since each of them is restarted for it.
    """

    def __init__(self, kafka, topic, *, failing):
        self.kafka, self.topic, self.failing = kafka, topic, failing
        self.numbers = {partition: [] for partition in range(PARTITIONS)}
        self._producer = kafka.producer()
        self._next = 0

    def produce(self, count):
        for _ in range(count):
            number, self._next = self._next, self._next + 1
            partition = number % PARTITIONS
            self.numbers[partition].append(number)
            value = b"broken" if self._is_broken(number) else json.dumps({"id": number, "amount": number % 7}).encode()
            self._producer.produce(self.topic, value, key=str(number).encode(), partition=partition)
        assert self._producer.flush(30) == 0

    def expected(self, partition, below):
        """Offsets below one that have a result."""
        return {offset for offset, number in enumerate(self.numbers[partition][:below]) if self._has_result(number)}

    def _is_broken(self, number):
        """Few: after each failure of an agent Faust rests for five seconds."""
        return self.failing and number in {5, 1003}

    def _has_result(self, number):
        return number % 10 != 0 and not (self.failing and number % 1009 == 0) and not self._is_broken(number)


def check_nothing_is_missing(kafka, group, orders, store):
    """Committed offsets are read before the archive: what they cover must be in it. Returns them."""
    committed = {partition: at for partition, (at, _) in kafka.committed(group, orders.topic).items()}
    archived = archived_records(store)
    for partition, below in committed.items():
        there = {record[0] for record in archived.get(partition, [])}
        missing = orders.expected(partition, below) - there
        assert not missing, f"partition {partition} is committed to {below} without {sorted(missing)[:10]}"
    return committed


@pytest.mark.parametrize("concurrency", CONCURRENCY)
def test_no_result_of_a_committed_offset_is_missing_whatever_dies(kafka, unique, tmp_path, concurrency):
    dice = random.Random(concurrency)
    topic = kafka.create_topic(f"orders-{unique}", PARTITIONS)
    orders = Orders(kafka, topic, failing=concurrency == 1)
    orders.produce(1500)
    archive = tmp_path / "archive"
    archive.mkdir()
    environment = {
        "APP": f"app-{unique}",
        "BROKER": f"kafka://{kafka.bootstrap}",
        "TOPIC": topic,
        "ARCHIVE": archive.as_uri(),
        "CONCURRENCY": str(concurrency),
    }
    names = iter(range(100))

    def start():
        return FaustWorker("storm_app", tmp_path / f"worker-{next(names)}", **environment)

    store = LocalStore(archive)
    workers = [start(), start()]
    every = list(workers)
    try:
        deaths, committed = 0, {}
        deadline = time.monotonic() + 60 + KILLS * 30
        died_at = time.monotonic() + 8
        while True:
            assert time.monotonic() < deadline, f"not everything was committed in time: {committed}"
            assert all(worker.alive for worker in workers), every[-1].log()[-3000:]
            time.sleep(0.3)
            if deaths < KILLS:
                orders.produce(dice.randrange(60, 200))
            committed = check_nothing_is_missing(kafka, environment["APP"], orders, store)
            if deaths < KILLS and time.monotonic() > died_at and sum(committed.values()) > 200:
                victim = workers.pop(dice.randrange(2))
                victim.kill() if deaths % 3 != 2 else victim.stop()
                check_nothing_is_missing(kafka, environment["APP"], orders, store)
                deaths += 1
                died_at = time.monotonic() + dice.uniform(2, 9)
                workers.append(start())
                every.append(workers[-1])
            if deaths == KILLS and committed == {p: len(numbers) for p, numbers in orders.numbers.items()}:
                break
        for worker in workers:
            assert worker.stop() == 0
        check_nothing_is_missing(kafka, environment["APP"], orders, store)
    finally:
        for worker in every:
            worker.kill()
    archived = archived_records(store)
    for partition, numbers in orders.numbers.items():
        stored = Counter(record[0] for record in archived[partition])
        assert set(stored) == orders.expected(partition, len(numbers))
        for offset, _, _, key, value, _ in archived[partition]:
            assert json.loads(value)["id"] == numbers[offset] == int(key)
