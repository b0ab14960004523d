"""Reads topics as they grow, as `read_committed`, before compaction or retention take anything of them."""

import threading
import time
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from tests.storm.harness.oracle import SCHEMA, Place, Truth

_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}


class Witness(threading.Thread):
    """Sees every record of its topics."""

    def __init__(self, bootstrap: str, places: Iterable[Place]) -> None:
        super().__init__(daemon=True, name="witness")
        self._places = list(places)
        self._consumer = _reader(bootstrap)
        self._rows: dict[Place, list[pa.Table]] = {place: [] for place in self._places}
        self._next: dict[Place, int] = dict.fromkeys(self._places, 0)
        self._done = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Read until stopped."""
        try:
            self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._places])
            while not self._done.is_set():
                self._take(self._consumer.consume(20_000, 0.2))
        except Exception as error:  # noqa: BLE001 - `caught_up` raises it
            self.error = error
        finally:
            self._consumer.close()

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self.join(30)

    def caught_up(self, ends: Mapping[Place, int], *, timeout_s: float = 60) -> None:
        """Wait until it has seen everything below these offsets."""
        deadline = time.monotonic() + timeout_s
        while behind := {place: end for place, end in ends.items() if self._next[place] < end}:
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, f"the witness has not seen {behind}, but {self._next}"
            time.sleep(0.05)

    def position(self, place: Place) -> int:
        """The next offset it will see."""
        return self._next[place]

    def truths(self, required: Mapping[Place, np.ndarray] | None = None) -> dict[Place, Truth]:
        """All it has seen; `required` where not all of that must be stored."""
        found = {}
        for place, tables in self._rows.items():
            seen = pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()
            offsets = seen.column("offset").to_numpy()
            found[place] = Truth(seen, offsets if required is None or place not in required else required[place])
        return found

    def _take(self, messages: list) -> None:
        gathered: dict[Place, list[tuple]] = {}
        events = []
        for message in messages:
            place = (message.topic(), message.partition())
            if message.error() is not None:
                events.append((message, place))
                continue
            # The client counts from 1 what Kafka itself counts from 0.
            kind, ms = message.timestamp()
            headers = [{"key": key, "value": value} for key, value in message.headers() or ()]
            gathered.setdefault(place, []).append(
                (message.offset(), ms if kind else None, kind - 1, message.key(), message.value(), headers)
            )
        for place, rows in gathered.items():
            assert rows[0][0] >= self._next[place], f"{place}: the witness read {rows[0][0]} again"
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
            ]
            self._rows[place].append(pa.table(columns, schema=SCHEMA))
            self._next[place] = rows[-1][0] + 1
        for event in events:
            self._event(*event)

    def _event(self, message: object, place: Place) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            self._next[place] = max(self._next[place], message.offset())
        elif error.code() not in _PASSING and not error.retriable():
            raise AssertionError(f"the witness can't read {place}: {error}")


def readable_offsets(bootstrap: str, places: Iterable[Place]) -> dict[Place, np.ndarray]:
    """Offsets that a reader finds now."""
    reading = Witness(bootstrap, places)
    reading._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in reading._places])
    ended: set[Place] = set()
    deadline = time.monotonic() + 120
    while len(ended) < len(reading._places):
        assert time.monotonic() < deadline, f"only {ended} were read to their end"
        messages = reading._consumer.consume(20_000, 0.5)
        ended.update(
            (message.topic(), message.partition())
            for message in messages
            if message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF
        )
        reading._take(messages)
    reading._consumer.close()
    return {place: truth.required for place, truth in reading.truths().items()}


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "witness",
            "log_level": 0,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "reconnect.backoff.max.ms": 500,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 16384,
        }
    )
