"""Sends records into a topic, with their position, in transactions or without. Reads no archive.

`produce()` for each record is the one loop of Python here; all else is done for batches. A delivery that fails is told
by librdkafka's delivery report, of failures only: the successful ones never reach Python.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from streamsink.consume.quiet import librdkafka_log
from streamsink.errors import StreamsinkError, TransientError
from streamsink.replay.committed import Place, PositionGroups, retry
from streamsink.replay.target import explain

QUEUE_MESSAGES_MAX = 40_000
QUEUE_KIB_MAX = 32 * 1024
POLL_RECORDS = 2_000
"""Records between two polls, which only take in reports."""
FLUSH_TIMEOUT_S = 120.0
TRANSACTION_TIMEOUT_S = 60.0
NO_TIMESTAMP = -1
FIRST_TIMESTAMP = 1
"""librdkafka takes a timestamp of 0 for none given, and puts in the present time."""

BATCH_BYTES = 1_000_000

DEFAULTS: dict[str, str | int] = {
    "enable.idempotence": "true",
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": BATCH_BYTES,
    "message.max.bytes": 1_000_000_000,
    "message.timeout.ms": 60_000,
    "partitioner": "murmur2_random",
    "log_level": 2,
}
OURS: dict[str, str | int | bool] = {
    "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
    "queue.buffering.max.kbytes": QUEUE_KIB_MAX,
}


class Sender:
    """Produces to one topic.

    Args:
        properties: How to reach the brokers, and what the user wants of the producer, in librdkafka's words.
        topic: Where to.
        resume_id: Group that keeps the position, "" for none.
        transactional: Whether the position goes with the records.
        task: Which of several that share the resume id and have each their own partitions.
        marks: Whether `send` is ever told whom to tell an offset; every record's delivery is then reported to Python.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        *,
        resume_id: str,
        transactional: bool,
        task: int = 0,
        marks: bool = False,
    ) -> None:
        assert resume_id or not transactional, "a transaction's position has a group"
        self._topic = topic
        self._resume_id = resume_id
        self._transactional = transactional
        self._failures: list[KafkaError] = []
        self._failed = 0
        settings = {**DEFAULTS, **properties, **OURS, "on_delivery": self._on_delivery}
        settings["delivery.report.only.error"] = not marks
        if transactional:
            settings["transactional.id"] = f"streamsink-replay-{resume_id}-{topic}-{task}"
            settings["transaction.timeout.ms"] = int(TRANSACTION_TIMEOUT_S * 1000)
        try:
            self._producer = Producer(settings, logger=librdkafka_log())
            self._groups = PositionGroups(properties, resume_id) if resume_id else None
        except KafkaException as error:
            raise explain(error, "the producer can't be made") from error
        self._open = False
        self.timestamps_moved = 0
        """Records whose time is 1970-01-01T00:00:00.000, which are sent a millisecond later."""

    def begin(self) -> None:
        """End what an earlier run with this resume id left open. Nobody else can go on with it from here on.

        Raises:
            TransientError: The brokers can't do it now.
            TerminalError: They refuse.
        """
        if self._transactional:
            retry(lambda: self._producer.init_transactions(TRANSACTION_TIMEOUT_S), "transactions can't begin")

    def committed(self, partitions: int) -> dict[int, list[str]]:
        """Read the committed position; see `PositionGroups.committed`. Raises as `begin`."""
        return self._groups.committed(self._topic, partitions) if self._groups is not None else {}

    def send(self, records: pa.RecordBatch, partition: int, *, marked: Callable[[int], None] | None = None) -> None:
        """Queue records for one partition, and wait for room.

        Args:
            records: In the columns of `RECORDS`.
            partition: The target partition.
            marked: Told the target offset of the first record, once that is delivered; None where nobody asks.

        Raises:
            TransientError: A delivery failed, or there is no room for long.
            TerminalError: A delivery failed for good.
        """
        self._begin_transaction()
        for start in range(0, records.num_rows, POLL_RECORDS):
            try:
                self._produce(records.slice(start, POLL_RECORDS), partition, None if start else marked)
            except KafkaException as error:
                # A fatal error's cause comes with the reports.
                self._take_reports(self._producer.poll, 0)
                raise explain(error, f"records can't be sent to {self._topic}") from error
            self._take_reports(self._producer.poll, 0)

    def _begin_transaction(self) -> None:
        if self._transactional and not self._open:
            self._transact(self._producer.begin_transaction, "a transaction can't begin")
            self._open = True

    def poll(self) -> None:
        """Take in reports. Raises as `send`."""
        self._take_reports(self._producer.poll, 0)

    def flush(self) -> None:
        """Wait until all that was sent is delivered.

        Raises:
            TransientError: A delivery failed, or some are not done within `FLUSH_TIMEOUT_S`.
            TerminalError: A delivery failed for good.
        """
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while self._take_reports(self._producer.flush, 1.0):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{len(self._producer)} records could not be delivered to {self._topic}",
                    hint="is the broker up, and has its disk room?",
                )

    def commit(self, places: Iterable[Place]) -> None:
        """Deliver all, and commit the position. Raises as `send`."""
        self.flush()
        by_part: dict[int, list[TopicPartition]] = {}
        for at in places:
            asked = by_part.setdefault(at.part, [])
            asked.append(TopicPartition(self._topic, at.partition, at.offset, at.metadata))
        ordered = sorted(by_part.items(), reverse=True)
        if self._transactional:
            self._begin_transaction()
            for part, offsets in ordered:
                self._add_to_transaction(part, offsets)
            self._transact(
                lambda: self._producer.commit_transaction(TRANSACTION_TIMEOUT_S), "the transaction can't be committed"
            )
            self._open = False
        elif self._groups is not None:
            for part, offsets in ordered:
                commit = functools.partial(self._groups.client(part).commit, offsets=offsets, asynchronous=False)
                retry(commit, "the position can't be committed")

    def _add_to_transaction(self, part: int, offsets: list[TopicPartition]) -> None:
        assert self._groups is not None
        about = self._groups.client(part).consumer_group_metadata()
        self._transact(
            lambda: self._producer.send_offsets_to_transaction(offsets, about, TRANSACTION_TIMEOUT_S),
            f"the position can't be added to the transaction as group {self._groups.name(part)}",
        )

    def close(self) -> None:
        """Abort what is open, and leave."""
        if self._open:
            # Else the brokers abort it when its timeout ends, or the next run does.
            with contextlib.suppress(KafkaException):
                self._producer.purge()
                self._producer.abort_transaction(10)
            self._open = False
        if self._groups is not None:
            self._groups.close()

    def _produce(self, records: pa.RecordBatch, partition: int, marked: Callable[[int], None] | None) -> None:
        values, keys = records.column(3).to_pylist(), records.column(2).to_pylist()
        times = self._times(records.column(1))
        headers = _headers(records.column(4))
        produce, topic = self._producer.produce, self._topic
        if marked is not None:
            self._produce_marked(marked, partition, values[0], keys[0], times[0], headers[0] if headers else None)
            values, keys, times = values[1:], keys[1:], times[1:]
            headers = headers[1:] if headers else None
        if headers is None:
            for value, key, time_ms in zip(values, keys, times, strict=True):
                try:
                    produce(topic, value, key, partition, None, None, time_ms)
                except BufferError:
                    self._produce_late(topic, value, key, partition, None, None, time_ms)
            return
        for value, key, time_ms, pairs in zip(values, keys, times, headers, strict=True):
            try:
                produce(topic, value, key, partition, None, None, time_ms, pairs)
            except BufferError:
                self._produce_late(topic, value, key, partition, None, None, time_ms, pairs)

    def _produce_marked(self, marked: Callable[[int], None], partition: int, *record: Any) -> None:
        value, key, time_ms, headers = record

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._on_delivery(error, message)
            else:
                marked(message.offset() or 0)

        self._produce_late(self._topic, value, key, partition, delivered, None, time_ms, headers or [])

    def _produce_late(self, *arguments: Any) -> None:
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while True:
            try:
                self._producer.produce(*arguments)
            except BufferError:
                self._take_reports(self._producer.poll, 0.02)
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"nothing is delivered to {self._topic}", hint="is the broker up, and has its disk room?"
                    ) from None
            except KafkaException as error:
                raise explain(error, f"a record can't be sent to {self._topic}") from error
            else:
                return

    def _times(self, column: pa.Int64Array) -> list[int]:
        known = column.fill_null(NO_TIMESTAMP).to_numpy()
        if not known.all():
            zero = known == 0
            self.timestamps_moved += int(zero.sum())
            known = np.where(zero, FIRST_TIMESTAMP, known)
        return known.tolist()  # type: ignore[no-any-return]

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002 - librdkafka's signature
        if error is not None:
            self._failed += 1
            if not self._failures:
                self._failures.append(error)

    def _take_reports(self, ask: Callable[[float], int], wait_s: float) -> int:
        """Poll or flush, and check what the reports say.

        The client raises a fatal error out of these calls, also while it reports deliveries: as a SystemError then,
        with the error as its cause or without.
        """
        try:
            left = ask(wait_s)
        except (KafkaException, SystemError) as error:
            cause = error if isinstance(error, KafkaException) else error.__cause__ or self._fatal()
            if not isinstance(cause, KafkaException):
                raise
            raise explain(cause, f"records can't be sent to {self._topic}") from error
        self._check()
        return left

    def _fatal(self) -> KafkaException | None:
        """Why the producer can do nothing any more, if so."""
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            return error
        return None

    def _check(self) -> None:
        if not self._failures:
            return
        if self._transactional and self._failures[0].code() in _PURGED:
            # The transaction failed and took its records along; it knows why.
            try:
                self._producer.commit_transaction(TRANSACTION_TIMEOUT_S)
            except KafkaException as error:
                raise explain(error, f"records can't be sent to {self._topic}") from error
        raise explain(self._failures[0], f"{self._failed} records were not taken by {self._topic}")

    def _transact(self, step: Callable[[], object], what: str) -> None:
        try:
            retry(step, what)
        except StreamsinkError:
            self._check()
            raise


_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001


def _headers(column: pa.ListArray) -> list[list[tuple[str, str | bytes | None]]] | None:
    """Each record's headers, None where no record has any."""
    flat = column.flatten()
    if not len(flat):
        return None
    pairs: list[tuple[str, str | bytes | None]] = list(
        zip(pc.struct_field(flat, 0).to_pylist(), pc.struct_field(flat, 1).to_pylist(), strict=True)
    )
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    ends = np.cumsum(lengths).tolist()
    return [pairs[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]
