"""Reads a topic's partitions once, from first to last offset, without a group. Commits nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from streamsink.audit.records import from_topic
from streamsink.consume.failures import explain
from streamsink.consume.poll_size import PollSize
from streamsink.consume.protocol import Failure
from streamsink.consume.quiet import librdkafka_log
from streamsink.consume.reading import Reading
from streamsink.consume.settings import DEFAULTS
from streamsink.consume.slices import read_messages
from streamsink.errors import StreamsinkError, TerminalError, TransientError

REQUEST_TIMEOUT_S = 15.0
SILENCE_S_MAX = 60.0
"""Without a record, an end or an error for so long, the broker is taken to be away."""
POLL_RECORDS_MAX = 10_000
_ERROR_HINTS = {
    Failure.AWAY: "is the broker up, and --bootstrap-server right?",
    Failure.DENIED: "the user needs READ and DESCRIBE on the topic",
    Failure.MISSING: "does --topic name a topic of this cluster?",
}


class TopicReader:
    """Reads one topic.

    Args:
        properties: How to reach the brokers, in librdkafka's words.
        topic: The topic's name.

    Raises:
        TerminalError: librdkafka refuses the properties.
    """

    def __init__(self, properties: Mapping[str, str], topic: str) -> None:
        self.topic = topic
        self._poll_size = PollSize(POLL_RECORDS_MAX)
        self._properties = dict(properties)
        settings = {
            "isolation.level": "read_committed",
            **DEFAULTS,
            **properties,
            "group.id": f"streamsink-audit-{uuid.uuid4().hex[:12]}",
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "enable.partition.eof": "true",
            "auto.offset.reset": "error",
            "statistics.interval.ms": "0",
        }
        try:
            self._consumer = Consumer(settings, logger=librdkafka_log())
        except KafkaException as error:
            raise TerminalError(f"the consumer can't be made: {error.args[0].str()}") from error

    def partitions(self) -> list[int]:
        """The topic's partitions.

        Raises:
            TransientError: The brokers don't answer.
            TerminalError: There is no such topic, or it may not be read.
        """
        try:
            told = self._consumer.list_topics(self.topic, timeout=REQUEST_TIMEOUT_S).topics[self.topic]
        except KafkaException as error:
            raise _explained(error.args[0], f"asking about {self.topic}") from error
        if told.error is not None:
            raise TerminalError(f"{self.topic}: {told.error.str()}", hint=_ERROR_HINTS[Failure.MISSING])
        return sorted(told.partitions)

    def range(self, partition: int) -> tuple[int, int]:
        """Ask for a partition's bounds.

        Returns:
            The first offset that is there, and the one after the last.

        Raises:
            TransientError: The brokers don't answer.
            TerminalError: The topic can't be read.
        """
        try:
            low, high = self._consumer.get_watermark_offsets(
                KafkaPartition(self.topic, partition), timeout=REQUEST_TIMEOUT_S
            )
        except KafkaException as error:
            raise _explained(error.args[0], f"asking for offsets of {self.topic}-{partition}") from error
        return int(low), int(high)

    def committed(self, group: str, partition: int) -> int | None:
        """Ask where a group stands in a partition.

        Args:
            group: The consumer group's name.
            partition: The partition's number.

        Returns:
            The group's committed offset, or None where it has committed nothing.

        Raises:
            TransientError: The brokers don't answer.
            TerminalError: The topic can't be read.
        """
        settings = {**self._properties, "group.id": group, "enable.auto.commit": "false"}
        consumer = Consumer(settings, logger=librdkafka_log())
        try:
            (at,) = consumer.committed([KafkaPartition(self.topic, partition)], timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise _explained(error.args[0], f"asking where {group} stands") from error
        finally:
            consumer.close()
        return at.offset if at.offset >= 0 else None

    def is_compacted(self) -> bool:
        """Whether the topic forgets records by key; False where the brokers don't say."""
        asked = ConfigResource(ConfigResource.Type.TOPIC, self.topic)
        try:
            admin = AdminClient(dict(self._properties), logger=librdkafka_log())
            told = admin.describe_configs([asked], request_timeout=REQUEST_TIMEOUT_S)[asked].result(REQUEST_TIMEOUT_S)
        except (KafkaException, TimeoutError):
            return False
        policy = told.get("cleanup.policy")
        return policy is not None and "compact" in str(policy.value)

    def records(self, partition: int, low: int, high: int) -> Iterator[pa.RecordBatch]:
        """Read records of one partition, in the columns of `RECORDS`. It ends early where the partition does.

        Args:
            partition: The partition's number.
            low: The first offset to read.
            high: The offset after the last to read.

        Raises:
            TransientError: The brokers don't answer, or send nothing for `SILENCE_S_MAX` seconds.
            TerminalError: The topic can't be read.
        """
        if low >= high:
            return
        self._consumer.assign([KafkaPartition(self.topic, partition, low)])
        heard_s, at = time.monotonic(), low
        while at < high:
            reading = self._poll(partition)
            if reading:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > SILENCE_S_MAX:
                raise TransientError(
                    f"{self.topic}-{partition} gave nothing for {SILENCE_S_MAX:.0f} s", hint="try again"
                )
            for run in reading.runs:
                if (taken := run.slice_from(at)) is not None:
                    at = taken.next_offset
                    self._poll_size.learn([taken])
                    yield _below(high, from_topic(taken))
            if self._is_at_end(reading.events, partition):
                break
        self._consumer.unassign()

    def _poll(self, partition: int) -> Reading:
        try:
            return read_messages(self._consumer, self._poll_size.records, 0.5)
        except KafkaException as error:
            raise _explained(error.args[0], f"reading {self.topic}-{partition}") from error

    def _is_at_end(self, events: Sequence[Message], partition: int) -> bool:
        """Whether the end was reached; raises an error that can't be waited out."""
        for event in events:
            told = event.error()
            if told is None:
                continue
            if told.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes have an underscore
                return True
            if told.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                raise TransientError(
                    f"{self.topic}-{partition} removed records while it was read", hint="run the audit again"
                )
            if told.fatal() or not told.retriable():
                raise _explained(told, f"reading {self.topic}-{partition}")
        return False

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def _below(high: int, records: pa.RecordBatch) -> pa.RecordBatch:
    """The records below an offset."""
    return records.slice(0, int(np.searchsorted(records.column(0).to_numpy(), high)))


def _explained(error: KafkaError, doing: str) -> StreamsinkError:
    return explain(error, doing=doing, hints=_ERROR_HINTS)
