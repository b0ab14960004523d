"""Sends bad records to the dead letter topic, with Connect's headers. Judges no record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamsink.consume.failures import explain
from streamsink.consume.protocol import Failure
from streamsink.consume.quiet import librdkafka_log
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.record import BadRecord, TopicPartition
from streamsink.sink.dead_letters.protocol import Header, context

REQUEST_TIMEOUT_S = 15.0
_HINTS = {Failure.DENIED: "the user needs WRITE on this topic, or CREATE where it is missing"}


class DeadLetterTopic:
    """A producer of original keys and values. The sink flushes it before it commits.

    Args:
        properties: librdkafka's, for the producer.
        topic: Where bad records go; made if missing.
        with_headers: Whether to say where a record came from and what was wrong.
        connector: The connector's name, for the headers.
        task_id: The task's number, for the headers.
        replication_factor: For a topic that has to be made.

    Raises:
        TerminalError: The topic is missing and can't be made.
        TransientError: The broker is away.
    """

    def __init__(
        self,
        properties: Mapping[str, str],
        topic: str,
        *,
        with_headers: bool,
        connector: str,
        task_id: int,
        replication_factor: int,
    ) -> None:
        self._topic = topic
        self._with_headers = with_headers
        self._connector = connector
        self._task_id = task_id
        self._failed: KafkaError | None = None
        settings: dict[str, str | int] = {
            "linger.ms": 20,
            "reconnect.backoff.max.ms": 5000,
            "enable.idempotence": "true",
            **properties,
        }
        try:
            self._make_topic(properties, replication_factor)
            self._producer = Producer(settings, logger=librdkafka_log())
        except KafkaException as error:
            raise self._explain(error.args[0]) from error

    def send(self, bad: Sequence[BadRecord]) -> None:
        """Queue records; waits where the producer's queue is full.

        Raises:
            TransientError: The queue stays full: the broker doesn't take them.
        """
        for record in bad:
            headers: list[Header] = list(record.headers)
            if self._with_headers:
                headers += context(record, connector=self._connector, task_id=self._task_id)
            for attempt in (1, 2):
                try:
                    self._producer.produce(
                        self._topic,
                        record.value,
                        key=record.key,
                        headers=headers,
                        timestamp=record.timestamp_ms or 0,
                        on_delivery=self._delivered,
                    )
                    break
                except BufferError:
                    self._producer.flush(REQUEST_TIMEOUT_S)
                    if attempt == 2:
                        raise TransientError(
                            f"the dead letter topic {self._topic} does not take records", hint="is the broker up?"
                        ) from None
        self._producer.poll(0)

    def flush(self, timeout_s: float) -> None:
        """Wait until every queued record is in the topic.

        Raises:
            TransientError: Some aren't: nothing may be committed past them.
            TerminalError: The topic refuses them.
        """
        left = self._producer.flush(timeout_s)
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise self._explain(failed)
        if left:
            raise TransientError(
                f"{left} records still wait for the dead letter topic {self._topic}", hint="is the broker up?"
            )

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing is known of partitions here: a topic takes a record that is read twice, twice."""

    def close(self) -> None:
        """Nothing to let go of. Records that still wait were not flushed, and are read again."""

    def _delivered(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002 - the callback's shape
        if error is not None:
            self._failed = error

    def _make_topic(self, properties: Mapping[str, str], replication_factor: int) -> None:
        admin = AdminClient(dict(properties), logger=librdkafka_log())
        if self._topic in admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics:
            return
        wanted = NewTopic(self._topic, num_partitions=1, replication_factor=replication_factor)
        try:
            admin.create_topics([wanted])[self._topic].result(REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _explain(self, error: KafkaError) -> StreamsinkError:
        if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
            hint = "set errors.deadletterqueue.topic.replication.factor to what the cluster has brokers for"
            return TerminalError(f"dead letter topic {self._topic}: {error.str()}", hint=hint)
        return explain(error, doing=f"dead letter topic {self._topic}", hints=_HINTS)
