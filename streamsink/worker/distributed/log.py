"""A topic as a log: read to its end, then followed; a write returns once this worker has read it back. Bounded waits.

One thread follows and hands each record to `apply`, in each partition's order. `put` and `post` may come from any.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from streamsink.errors import RequestTimeoutError, TransientError
from streamsink.observe.vital import VitalThread

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer
    from confluent_kafka.admin import AdminClient

POLL_S = 0.2
DELIVERY_S = 10.0
"""How long a write may take before it is given up."""

READ_BACK_S = 10.0
BATCH = 500
_PAUSE_S = 1.0

_log = structlog.get_logger(__name__)

Apply = Callable[[bytes | None, bytes | None], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A record's partition and offset."""

    partition: int
    offset: int


class KafkaLog:
    """The given partitions of a topic.

    Args:
        topic: Its name; it must be there.
        partitions: Which partitions are read.
        properties: How to reach the brokers, in librdkafka's words.
        apply: Takes each record in, in the log's thread; must not block. A record for which it raises is skipped.
        write_to: The partition that everything is written to; None chooses by key, as Java's producers do.
    """

    def __init__(
        self,
        topic: str,
        partitions: range,
        properties: Mapping[str, str],
        apply: Apply,
        *,
        write_to: int | None = None,
    ) -> None:
        self.topic = topic
        self._partitions = partitions
        self._properties = dict(properties)
        self._apply = apply
        self._write_to = write_to
        self._read_up_to = dict.fromkeys(partitions, 0)
        self._at_end: set[int] = set()
        self._moved = threading.Condition()
        self._stop = threading.Event()
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._admin: AdminClient | None = None
        self._thread = VitalThread(self._follow, name=f"log-{topic}")
        self.unreadable_total = 0
        self.last_heard_at = time.monotonic()

    @property
    def complete(self) -> bool:
        """Whether it has been read to its end once."""
        return len(self._at_end) == len(self._partitions)

    @property
    def died(self) -> str:
        """Why its thread has died, or ""."""
        return self._thread.problem

    def start(self) -> None:
        """Connect and follow.

        Raises:
            TerminalError: The settings of the clients can't be used.
        """
        from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition  # noqa: PLC0415 (heavy)
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        from streamsink.consume.clients import make_client  # noqa: PLC0415

        # The consumer can't be asked for a topic's end while another thread polls it: the question is never answered.
        common: dict[str, str | int | float | bool] = {
            **self._properties,
            "log_level": "2",
            "reconnect.backoff.max.ms": "1000",
        }
        self._admin = make_client(AdminClient, common)
        self._producer = make_client(
            Producer,
            {
                **common,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "delivery.timeout.ms": int(DELIVERY_S * 1000),
                "partitioner": "murmur2_random",
            },
        )
        self._consumer = make_client(
            Consumer,
            {
                **common,
                "group.id": f"streamsink-log-{self.topic}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 5,
            },
        )
        self._consumer.assign([TopicPartition(self.topic, number, OFFSET_BEGINNING) for number in self._partitions])
        self._thread.start()

    def stop(self, *, until_s: float) -> None:
        """Stop following, after what was posted has gone out, or could not.

        Args:
            until_s: Monotonic time in seconds at which this returns, whatever the brokers do.
        """
        if self._producer is not None:
            self._producer.flush(min(DELIVERY_S, max(0.0, until_s - time.monotonic())))
        self._stop.set()
        self._thread.join(max(0.0, until_s - time.monotonic()))
        if self._consumer is not None and not self._thread.alive:
            # librdkafka's close has no bound.
            closing = threading.Thread(target=self._consumer.close, name=f"close-{self.topic}", daemon=True)
            closing.start()
            closing.join(max(0.0, until_s - time.monotonic()))

    def put(self, key: str, value: bytes | None) -> None:
        """Write a record, and return once it has been read back.

        Args:
            key: The record's key.
            value: The record's value; None for a tombstone.

        Raises:
            RequestTimeoutError: It was not, within the bound; it may still be written.
            TransientError: Kafka refused it.
        """
        written: Future[Place] = Future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                written.set_exception(TransientError(f"{self.topic} can't be written: {error.str()}", hint="try again"))
            else:
                written.set_result(Place(message.partition() or 0, message.offset() or 0))

        self._produce(key, value, delivered)
        deadline = time.monotonic() + DELIVERY_S + 1
        assert self._producer is not None
        while not written.done() and time.monotonic() < deadline:
            self._producer.poll(POLL_S)
        if not written.done():
            raise RequestTimeoutError(f"Request timed out. {self.topic} was not written within {DELIVERY_S:.0f} s")
        place = written.result()
        self._wait_for({place.partition: place.offset + 1})

    def post(self, key: str, value: bytes | None) -> None:
        """Write a record some time soon. A failure is only logged: the caller looks at the records read back.

        Args:
            key: The record's key.
            value: The record's value; None for a tombstone.
        """
        self._produce(key, value, self._posted)

    def read_to_end(self) -> None:
        """Return once everything written before this call has been read.

        Raises:
            RequestTimeoutError: Kafka does not answer.
        """
        from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415 (heavy)
        from confluent_kafka.admin._listoffsets import OffsetSpec  # noqa: PLC0415

        from streamsink.consume.failures import words_of  # noqa: PLC0415

        assert self._admin is not None
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(self.topic, number): end for number in self._partitions}
        asked = self._admin.list_offsets(wanted, request_timeout=READ_BACK_S)
        try:
            self._wait_for({at.partition: answer.result(READ_BACK_S + 1).offset for at, answer in asked.items()})
        except (KafkaException, TimeoutError) as error:
            said = words_of(error)
            raise RequestTimeoutError(f"Request timed out. Kafka did not answer: {said}", hint="try again") from None

    def _produce(self, key: str, value: bytes | None, delivered: Callable[[KafkaError | None, Message], None]) -> None:
        if self._producer is None:
            raise RequestTimeoutError("Request timed out. The worker has not reached Kafka yet", hint="again")
        place = -1 if self._write_to is None else self._write_to
        try:
            self._producer.produce(self.topic, value, key.encode(), place, delivered)
        except BufferError:
            raise TransientError(f"too much waits to be written to {self.topic}", hint="try again") from None

    def _posted(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            _log.warning("a record was not written", topic=self.topic, reason=error.str(), hint="it is written again")

    def _wait_for(self, ends: Mapping[int, int]) -> None:
        def read() -> bool:
            return all(self._read_up_to[number] >= end for number, end in ends.items())

        with self._moved:
            if not self._moved.wait_for(read, READ_BACK_S):
                raise RequestTimeoutError(
                    f"Request timed out. {self.topic} was not read back within {READ_BACK_S:.0f} s", hint="look again"
                )

    def _follow(self) -> None:
        from streamsink.consume.failures import words_of  # noqa: PLC0415 (heavy)

        assert self._consumer is not None
        assert self._producer is not None
        while not self._stop.is_set():
            try:
                first = self._consumer.poll(POLL_S)
                messages = [first, *self._consumer.consume(BATCH, 0)] if first is not None else []
            except Exception as error:  # noqa: BLE001 (what a worker knows rests on this thread)
                _log.warning(
                    "a topic can't be read", topic=self.topic, reason=words_of(error), hint="it is tried again"
                )
                self._stop.wait(_PAUSE_S)
                continue
            self._producer.poll(0)
            for message in messages:
                self._take(message)

    def _take(self, message: Message) -> None:
        from confluent_kafka import KafkaError  # noqa: PLC0415 (heavy)

        number, offset, error = message.partition(), message.offset(), message.error()
        if number is None or offset is None or number not in self._read_up_to:
            return
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 (its only name)
            _log.warning("a topic can't be read", topic=self.topic, reason=error.str(), hint="it is tried again")
            return
        if error is None:
            self._hand_on(message, number, offset)
        with self._moved:
            self.last_heard_at = time.monotonic()
            if error is not None:
                self._at_end.add(number)
            self._read_up_to[number] = offset if error is not None else offset + 1
            self._moved.notify_all()

    def _hand_on(self, message: Message, partition: int, offset: int) -> None:
        """Nothing that somebody wrote to the topic may end the thread."""
        try:
            self._apply(message.key(), message.value())
        except Exception as error:  # noqa: BLE001 (any bytes may be there)
            self.unreadable_total += 1
            if self.unreadable_total == 1:
                _log.warning(
                    "a record can't be read and is skipped, as others like it will be",
                    topic=self.topic,
                    partition=partition,
                    offset=offset,
                    reason=repr(error),
                    hint="who else writes to this topic?",
                )
