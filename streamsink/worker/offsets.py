"""Reads, sets and removes a sink's committed offsets, in Connect's shapes. Knows no herder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from streamsink.errors import BadRequestError, RequestTimeoutError, TransientError
from streamsink.worker.status import OffsetEntry

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, TopicPartition
    from confluent_kafka.admin import AdminClient

ASK_S = 20.0
"""How long one question to the brokers may take."""

OFFSETS_MAX = 100_000
REACHING = ("bootstrap.", "security.", "sasl.", "ssl.", "client.", "enable.ssl", "socket.", "broker.address")
"""How properties begin that any client needs."""

LEAVE_S = 50.0
"""A member that went without a word is dropped after Kafka's session timeout of 45 s."""

LEAVE_RETRY_S = 1.0

Properties = Callable[[], Mapping[str, str]]
"""librdkafka's properties of the connector's consumer, `group.id` and secrets included; looked up when needed."""

TellArchived = Callable[[Sequence[tuple[str, int, int]]], str]
"""Given topics, partitions and offsets, a sentence to put behind an answer, or nothing."""

_T = TypeVar("_T")


class OffsetAccess(Protocol):
    """Reaches what one connector has committed. Every call may block, within `ASK_S` or three times that."""

    def read(self) -> list[OffsetEntry]:
        """All that is committed."""
        ...

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:
        """Set some offsets, and remove entries of None. Gives a sentence to tell about it."""
        ...

    def reset(self) -> str:
        """Remove all; what to tell about it."""
        ...


class SinkOffsets:
    """The offsets of a sink's consumer group.

    Args:
        connector: Its name.
        properties: Of its consumer.
        archived: Tells in words what is archived already of partitions from their new offsets on.
    """

    def __init__(self, connector: str, properties: Properties, archived: TellArchived = lambda _: "") -> None:
        self._connector = connector
        self._properties = properties
        self._archived = archived

    def read(self) -> list[OffsetEntry]:
        """All that is committed, by topic and partition."""
        committed = self._committed()
        return [
            OffsetEntry({"kafka_topic": at.topic, "kafka_partition": at.partition}, {"kafka_offset": at.offset})
            for at in sorted(committed, key=lambda at: (at.topic, at.partition))
        ]

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:
        """Set some offsets, and remove entries of None.

        Raises:
            BadRequestError: An entry is not of a sink's form, or no such partition, or it ends before the offset.
        """
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415 (heavy)

        wanted = [(*_partition(each.partition), _offset(each.offset)) for each in offsets]
        admin, group = self._admin()
        kept = [TopicPartition(topic, number, offset) for topic, number, offset in wanted if offset is not None]

        self._require_within(admin, kept)

        def alter() -> None:
            request = [ConsumerGroupTopicPartitions(group, kept)]
            answer = self._wait(admin.alter_consumer_group_offsets(request, request_timeout=ASK_S)[group])
            for at in answer.topic_partitions:
                if at.error is not None:
                    raise self._refused(at.error)

        if kept:
            _until_left(alter)
        gone = {(topic, number) for topic, number, offset in wanted if offset is None}
        if gone:
            self._remove(admin, group, gone)
        said = self._archived([(at.topic, at.partition, at.offset) for at in kept]) if kept else ""
        return f"The offsets for this connector have been altered successfully{said}"

    def _require_within(self, admin: AdminClient, wanted: Sequence[TopicPartition]) -> None:
        """Refuse offsets of partitions that don't exist, and offsets beyond a partition's end."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 (heavy)
        from confluent_kafka.admin._listoffsets import OffsetSpec  # noqa: PLC0415

        if not wanted:
            return
        try:
            topics = admin.list_topics(timeout=ASK_S).topics
        except KafkaException as error:
            said = error.args[0].str()
            raise RequestTimeoutError(f"Kafka did not tell which topics there are: {said}", hint="ask again") from None
        for at in wanted:
            partitions = topics[at.topic].partitions if at.topic in topics else {}
            if at.partition not in partitions:
                known = f"it has {len(partitions)} partitions, from 0 on" if partitions else "there is no such topic"
                raise BadRequestError(f"Partition {at.partition} of topic {at.topic} does not exist: {known}")
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = admin.list_offsets(dict.fromkeys(wanted, end), request_timeout=ASK_S)
        ends = {(at.topic, at.partition): self._wait(answer).offset for at, answer in asked.items()}
        for at in wanted:
            if at.offset > ends[at.topic, at.partition]:
                raise BadRequestError(
                    f"Offset {at.offset} is beyond the end of partition {at.partition} of topic {at.topic}: "
                    f"{ends[at.topic, at.partition]}"
                )

    def reset(self) -> str:
        """Remove the consumer group; one that is not there is as good."""
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 (heavy)

        admin, group = self._admin()

        def delete() -> None:
            try:
                self._wait(admin.delete_consumer_groups([group], request_timeout=ASK_S)[group])
            except KafkaException as error:
                if error.args[0].code() not in {KafkaError.GROUP_ID_NOT_FOUND, KafkaError._NO_OFFSET}:  # noqa: SLF001
                    raise self._refused(error.args[0]) from None

        _until_left(delete)
        return "The offsets for this connector have been reset successfully"

    def _remove(self, admin: AdminClient, group: str, gone: set[tuple[str, int]]) -> None:
        """Remove some. librdkafka can't ask for that, so the group is made anew with what stays."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415 (heavy)

        stays = [
            TopicPartition(at.topic, at.partition, at.offset, at.metadata or "")
            for at in self._committed()
            if (at.topic, at.partition) not in gone
        ]
        self.reset()
        if stays:
            self._wait(
                admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, stays)], request_timeout=ASK_S)[
                    group
                ]
            )

    def _committed(self) -> list[TopicPartition]:
        """Read the group's offsets in all topics, by a consumer that never joins.

        The admin client's call for this crashes in librdkafka 2.16 when the coordinator is busy.
        """
        from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: PLC0415 (heavy)

        from streamsink.consume.clients import make_client  # noqa: PLC0415

        properties = self._properties()
        reaching, group = _reaching(properties), properties["group.id"]
        consumer = make_client(
            Consumer, {**reaching, "group.id": group, "enable.auto.commit": "false", "log_level": "0"}
        )
        try:
            topics = consumer.list_topics(timeout=ASK_S).topics
            asked = [TopicPartition(name, number) for name, topic in topics.items() for number in topic.partitions]
            if len(asked) > OFFSETS_MAX:
                raise RequestTimeoutError(f"the cluster has more than {OFFSETS_MAX} partitions to ask about")
            found = consumer.committed(asked, timeout=ASK_S) if asked else []
        except KafkaException as error:
            said = error.args[0].str()
            raise RequestTimeoutError(f"Kafka did not tell what is committed: {said}", hint="ask again") from None
        finally:
            consumer.close()
        return [at for at in found if at.offset >= 0]

    def _admin(self) -> tuple[AdminClient, str]:
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 (heavy)

        from streamsink.consume.clients import make_client  # noqa: PLC0415

        properties = self._properties()
        return make_client(AdminClient, {**_reaching(properties), "log_level": "0"}), properties["group.id"]

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
            raise self._refused(error.args[0]) from None

    def _refused(self, error: KafkaError) -> TransientError:
        from confluent_kafka import KafkaError as Codes  # noqa: PLC0415 (heavy)

        busy = {Codes.NON_EMPTY_GROUP, Codes.UNKNOWN_MEMBER_ID, Codes.REBALANCE_IN_PROGRESS}
        kind = _StillThereError if error.code() in busy else TransientError
        return kind(
            f"Kafka refused to change the offsets of connector {self._connector}: {error.str()}",
            hint="a member of its consumer group may still be there: try again once its session has ended",
        )


class _StillThereError(TransientError):
    """A member of the group has not left yet."""


def _reaching(properties: Mapping[str, str]) -> dict[str, str]:
    """Keep the client properties that say how to reach the brokers."""
    return {key: value for key, value in properties.items() if key.startswith(REACHING)}


def _until_left(change: Callable[[], None]) -> None:
    """Make a change to a group once its last member is gone: one that ended while it joined has to time out first."""
    deadline = time.monotonic() + LEAVE_S
    while True:
        try:
            change()
        except _StillThereError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LEAVE_RETRY_S)
        else:
            return


def _partition(partition: Mapping[str, Any]) -> tuple[str, int]:
    """Topic and number of a sink's partition, in Connect's words where they are wrong."""
    if not {"kafka_topic", "kafka_partition"} <= set(partition):
        raise BadRequestError(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'"
        )
    topic = partition["kafka_topic"]
    if not isinstance(topic, str) or not topic:
        raise BadRequestError("Kafka topic names must be valid strings and may not be null")
    return topic, _number(partition["kafka_partition"], "partition", 2**31 - 1)


def _offset(offset: Mapping[str, Any] | None) -> int | None:
    if offset is None:
        return None
    if "kafka_offset" not in offset:
        raise BadRequestError("The offset for a sink connector should either be null or contain the key 'kafka_offset'")
    return _number(offset["kafka_offset"], "offset", 2**63 - 1)


def _number(value: object, what: str, largest: int) -> int:
    """A JSON number, or one written as a text, as Connect takes both."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= largest):
        raise BadRequestError(
            f"Failed to parse the following Kafka {what} value in the provided offsets: '{value}'. {what.capitalize()} "
            "values for sink connectors need to be integers."
        )
    return int(text)


def must_be_stopped(connector: str) -> BadRequestError:
    """Say why offsets may not be changed while tasks use them."""
    return BadRequestError(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
        f"specified connector by issuing a 'PUT' request to the '/connectors/{connector}/stop' endpoint"
    )
