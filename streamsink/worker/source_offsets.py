"""Reads and removes the positions of a source connector's tasks, in Connect's shapes. Knows no herder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streamsink.config.reading.source import SourceConfig
from streamsink.errors import BadRequestError, RequestTimeoutError
from streamsink.worker.offsets import ASK_S, SinkOffsets
from streamsink.worker.status import OffsetEntry


class SourceOffsets:
    """The positions of a source's replays.

    Args:
        connector: Its name.
        config: Its configuration, secrets resolved; looked up when needed.
    """

    def __init__(self, connector: str, config: Callable[[], SourceConfig]) -> None:
        self._config = config
        self._group = SinkOffsets(connector, lambda: {**config().producer, "group.id": config().group})

    def read(self) -> list[OffsetEntry]:
        """Read every archived partition that was begun: its topic's target and number, and the next offset.

        Raises:
            RequestTimeoutError: Kafka doesn't answer.
        """
        from streamsink.replay.position import read_positions  # noqa: PLC0415 (heavy)

        config = self._config()
        entries: list[OffsetEntry] = []
        found = committed_metadata(config.producer, config.group)
        for topic in sorted({topic for topic, _ in found}):
            positions = read_positions(text for at, text in found if at == topic)
            for partition, position in sorted(positions.items()):
                offset = max([position.offset, *position.lanes.values()])
                where = {"offset": offset, "row": position.row} if position.row else {"offset": offset}
                entries.append(OffsetEntry({"target_topic": topic, "archived_partition": partition}, where))
        return entries

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:  # noqa: ARG002 - see OffsetAccess
        """Refuse: positions of replays can't be set.

        Raises:
            BadRequestError: Always.
        """
        raise BadRequestError("The offsets of a replay can't be set, only reset: use another name to begin elsewhere")

    def reset(self) -> str:
        """Forget every position; the next start replays from the beginning."""
        return self._group.reset()


def committed_metadata(producer: Mapping[str, str], group: str) -> list[tuple[str, str]]:
    """Read the metadata of every offset that a group has committed.

    Args:
        producer: The connector's producer properties, which say how to reach the brokers.
        group: The consumer group that keeps positions.

    Returns:
        Topic and metadata, "" for none, of each offset.

    Raises:
        RequestTimeoutError: Kafka doesn't answer.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: PLC0415 (heavy)

    from streamsink.consume.clients import make_client  # noqa: PLC0415
    from streamsink.replay.target import plain_properties  # noqa: PLC0415

    client = make_client(Consumer, {**plain_properties(producer), "group.id": group, "log_level": 0})
    try:
        topics = client.list_topics(timeout=ASK_S).topics
        asked = [TopicPartition(name, at) for name, topic in topics.items() for at in topic.partitions]
        found = client.committed(asked, timeout=ASK_S)
    except KafkaException as error:
        raise RequestTimeoutError(f"Kafka did not answer: {error.args[0].str()}", hint="ask again") from None
    finally:
        client.close()
    return [(at.topic, at.metadata or "") for at in found if at.offset >= 0]
