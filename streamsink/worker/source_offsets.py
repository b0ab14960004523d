"""Where a source connector's tasks stand, in Connect's shapes: read and removed in its group. Knows no herder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamsink.config.source import SourceConfig
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
        """Every archived partition that was begun: its topic's target and number, and the next offset.

        Raises:
            RequestTimeoutError: Kafka doesn't answer.
        """
        from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: PLC0415 (heavy)

        from streamsink.replay.position import read_positions  # noqa: PLC0415
        from streamsink.replay.target import plain_properties  # noqa: PLC0415

        config = self._config()
        client = Consumer({**plain_properties(config.producer), "group.id": config.group, "log_level": 0})
        entries: list[OffsetEntry] = []
        try:
            topics = client.list_topics(timeout=ASK_S).topics
            asked = [TopicPartition(name, at) for name, topic in topics.items() for at in topic.partitions]
            found = client.committed(asked, timeout=ASK_S)
        except KafkaException as error:
            raise RequestTimeoutError(f"Kafka did not answer: {error.args[0].str()}", hint="ask again") from None
        finally:
            client.close()
        for topic in sorted({at.topic for at in found if at.offset >= 0}):
            positions = read_positions(at.metadata or "" for at in found if at.topic == topic and at.offset >= 0)
            for partition, position in sorted(positions.items()):
                offset = max([position.offset, *position.lanes.values()])
                where = {"offset": offset, "row": position.row} if position.row else {"offset": offset}
                entries.append(OffsetEntry({"target_topic": topic, "archived_partition": partition}, where))
        return entries

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:  # noqa: ARG002 - see OffsetAccess
        """Not offered.

        Raises:
            BadRequestError: Always.
        """
        raise BadRequestError("The offsets of a replay can't be set, only reset: use another name to begin elsewhere")

    def reset(self) -> str:
        """Forget every position; the next start replays from the beginning."""
        return self._group.reset()
