"""What one look into a client's queue has brought. Values only: `slices.py` and `native/batches.py` make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Message

from streamsink.record import RawSlice, TopicPartition


class Run(Protocol):
    """Records of one partition, at least one, in offset order."""

    @property
    def topic_partition(self) -> TopicPartition:
        """Their partition."""
        ...

    def slice_from(self, position: int) -> RawSlice | None:
        """Make a slice of the records from a position on.

        Args:
            position: Where the slice begins, so that the holes before its first record belong to it; records below
                are dropped. With `FROM_THE_START` it begins with the first record.

        Returns:
            None where no record is left.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """The records that came, by partition, and the messages that are none: ends of partitions, and errors."""

    runs: Sequence[Run]
    events: Sequence[Message]

    def __bool__(self) -> bool:
        """Whether anything came."""
        return bool(self.runs or self.events)
