"""What a sink has committed, in Connect's shapes: read, set and removed in its consumer group. Knows no herder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from streamsink.errors import BadRequestError, RequestTimeoutError, TransientError
from streamsink.worker.status import OffsetEntry

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

ASK_S = 20.0
"""How long one question to the brokers may take."""

OFFSETS_MAX = 100_000

Properties = Callable[[], Mapping[str, str]]
"""librdkafka's properties of the connector's consumer, `group.id` and secrets included; looked up when needed."""

_T = TypeVar("_T")


class OffsetAccess(Protocol):
    """Reaches what one connector has committed. Every call may block, within `ASK_S` or three times that."""

    def read(self) -> list[OffsetEntry]:
        """All that is committed."""
        ...

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:
        """Set some and remove those of None; what to tell about it."""
        ...

    def reset(self) -> str:
        """Remove all; what to tell about it."""
        ...


class SinkOffsets:
    """The offsets of a sink's consumer group."""

    def __init__(self, connector: str, properties: Properties) -> None:
        self._connector = connector
        self._properties = properties

    def read(self) -> list[OffsetEntry]:
        """All that is committed, by topic and partition."""
        admin, group = self._admin()
        committed = self._committed(admin, group)
        return [
            OffsetEntry({"kafka_topic": at.topic, "kafka_partition": at.partition}, {"kafka_offset": at.offset})
            for at in sorted(committed, key=lambda at: (at.topic, at.partition))
        ]

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:
        """Set some and remove those of None.

        Raises:
            BadRequestError: An entry is not of a sink's form.
        """
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415 (heavy)

        wanted = [(*_partition(each.partition), _offset(each.offset)) for each in offsets]
        admin, group = self._admin()
        kept = [TopicPartition(topic, number, offset) for topic, number, offset in wanted if offset is not None]
        if kept:
            request = [ConsumerGroupTopicPartitions(group, kept)]
            answer = self._wait(admin.alter_consumer_group_offsets(request, request_timeout=ASK_S)[group])
            for at in answer.topic_partitions:
                if at.error is not None:
                    raise TransientError(f"the offset of {at.topic}-{at.partition} was not taken: {at.error}")
        gone = {(topic, number) for topic, number, offset in wanted if offset is None}
        if gone:
            self._remove(admin, group, gone)
        return "The offsets for this connector have been altered successfully"

    def reset(self) -> str:
        """Remove the consumer group; one that is not there is as good."""
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 (heavy)

        admin, group = self._admin()
        try:
            self._wait(admin.delete_consumer_groups([group], request_timeout=ASK_S)[group])
        except KafkaException as error:
            if error.args[0].code() not in {KafkaError.GROUP_ID_NOT_FOUND, KafkaError._NO_OFFSET}:  # noqa: SLF001
                raise self._refused(error) from None
        return "The offsets for this connector have been reset successfully"

    def _remove(self, admin: AdminClient, group: str, gone: set[tuple[str, int]]) -> None:
        """Remove some. librdkafka can't ask for that, so the group is made anew with what stays."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415 (heavy)

        stays = [
            TopicPartition(at.topic, at.partition, at.offset, at.metadata)
            for at in self._committed(admin, group)
            if (at.topic, at.partition) not in gone
        ]
        self.reset()
        if stays:
            self._wait(
                admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, stays)], request_timeout=ASK_S)[
                    group
                ]
            )

    def _committed(self, admin: AdminClient, group: str) -> list[TopicPartition]:
        from confluent_kafka import ConsumerGroupTopicPartitions  # noqa: PLC0415 (heavy)

        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=ASK_S)
        answer = self._wait(asked[group])
        return [at for at in answer.topic_partitions if at.offset >= 0]

    def _admin(self) -> tuple[AdminClient, str]:
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 (heavy)

        properties = self._properties()
        unwanted = ("group.", "auto.", "enable.auto", "enable.partition", "max.poll", "fetch.", "isolation.", "queued.")
        common = {key: value for key, value in properties.items() if not key.startswith((*unwanted, "check.crcs"))}
        return AdminClient({**common, "log_level": "0"}), properties["group.id"]

    def _wait(self, answer: Future[_T]) -> _T:
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 (heavy)

        try:
            return answer.result(ASK_S + 1)
        except TimeoutError:
            raise RequestTimeoutError(f"Kafka did not answer within {ASK_S:.0f} s", hint="ask again") from None
        except KafkaException as error:
            code = error.args[0].code()
            if code in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:  # noqa: SLF001
                raise RequestTimeoutError(f"Kafka did not answer: {error.args[0].str()}", hint="ask again") from None
            if code in {KafkaError.GROUP_ID_NOT_FOUND, KafkaError._NO_OFFSET}:  # noqa: SLF001
                raise
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> TransientError:
        return TransientError(
            f"Kafka refused to change the offsets of connector {self._connector}: {error}",
            hint="a member of its consumer group may still be there: try again once its session has ended",
        )


def _partition(partition: Mapping[str, Any]) -> tuple[str, int]:
    """Topic and number of a sink's partition, in Connect's words where they are wrong."""
    if set(partition) != {"kafka_topic", "kafka_partition"}:
        raise BadRequestError(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition' "
            "and nothing else"
        )
    topic = partition["kafka_topic"]
    if not isinstance(topic, str) or not topic:
        raise BadRequestError("Kafka topic names must be valid strings and may not be null")
    return topic, _number(partition["kafka_partition"], "Partition values", 2**31 - 1)


def _offset(offset: Mapping[str, Any] | None) -> int | None:
    if offset is None:
        return None
    if set(offset) != {"kafka_offset"}:
        raise BadRequestError(
            "The offset for a sink connector should either be null or contain the key 'kafka_offset' and nothing else"
        )
    return _number(offset["kafka_offset"], "Offset values", 2**63 - 1)


def _number(value: object, what: str, largest: int) -> int:
    """A JSON number, or one written as a text, as Connect takes both."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= largest):
        raise BadRequestError(f"{what} for sink connectors must be whole numbers that are not negative, not {value!r}")
    return int(text)


def must_be_stopped(connector: str) -> BadRequestError:
    """What to say where offsets may not be changed because tasks use them."""
    return BadRequestError(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
        f"specified connector by issuing a 'PUT' request to the '/connectors/{connector}/stop' endpoint"
    )
