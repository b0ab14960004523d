"""Sets partitions to offsets, again before later polls where the consumer can't do it now. Decides no offset."""

from __future__ import annotations

import structlog

from streamsink.consume.protocol import SliceConsumer
from streamsink.errors import TransientError
from streamsink.record import TopicPartition

log = structlog.get_logger("streamsink.sink")


class Seeks:
    """Seeks that the consumer could not make yet, at most one a partition.

    Args:
        consumer: Makes them.
    """

    def __init__(self, consumer: SliceConsumer) -> None:
        self._consumer = consumer
        self._left: dict[TopicPartition, int] = {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read again from an offset; where the consumer can't seek now, `again` tries it once more.

        Args:
            partition: The partition. An earlier seek of it that is left is forgotten.
            offset: The offset to read next.
        """
        self._left.pop(partition, None)
        try:
            self._consumer.seek(partition, offset)
        except TransientError as error:
            log.info("can't seek now, trying again", partition=str(partition), error=error.message)
            self._left[partition] = offset

    def again(self) -> None:
        """Try the seeks that are left; called before each poll."""
        for partition, offset in list(self._left.items()):
            self.seek(partition, offset)

    def forget(self, partition: TopicPartition) -> None:
        """Drop the seek of a partition whose assignment has ended."""
        self._left.pop(partition, None)
