"""Keeps position, pause and last sign of life of each assigned partition. Talks to nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamsink.record import TopicPartition

FROM_THE_START = -1
"""The position of a partition without a commit: the first record tells."""


@dataclass(slots=True)
class Assignment:
    """One assignment of a partition. It is made anew each time, so that nothing outlives it.

    Attributes:
        next_offset: The offset to read next, or `FROM_THE_START`.
        paused: Whether the partition rests.
        at_end: Whether its end was the last that came.
        heard: Whether records or the end have come in this assignment.
        heard_at_s: When a record or an end came, or when one could come again, by the monotonic clock.
    """

    next_offset: int
    paused: bool = False
    at_end: bool = False
    heard: bool = False
    heard_at_s: float = field(default_factory=time.monotonic)

    def moved(self, next_offset: int, *, at_end: bool) -> None:
        """Take note that records or the partition's end came.

        Args:
            next_offset: The offset to read next.
            at_end: Whether the end came last.
        """
        self.next_offset = next_offset
        self.at_end = at_end
        self.heard = True
        self.heard_at_s = time.monotonic()

    def waits(self) -> None:
        """Records or the end have to come from here on."""
        self.at_end = False
        self.heard_at_s = time.monotonic()


class Assignments:
    """The partitions that are assigned now."""

    def __init__(self) -> None:
        self._held: dict[TopicPartition, Assignment] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._held)

    def __contains__(self, partition: TopicPartition) -> bool:
        """Whether a partition is assigned."""
        return partition in self._held

    def __iter__(self) -> Iterator[tuple[TopicPartition, Assignment]]:
        """Each with its assignment."""
        return iter(self._held.items())

    def get(self, partition: TopicPartition) -> Assignment | None:
        """A partition's assignment, None where it is not assigned."""
        return self._held.get(partition)

    def begin(self, partition: TopicPartition, next_offset: int) -> None:
        """Begin an assignment, which is not paused.

        Args:
            partition: The partition, which may have had an earlier assignment.
            next_offset: Where reading starts, or `FROM_THE_START`.
        """
        self._held[partition] = Assignment(next_offset)

    def end(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget partitions, and all that was kept for their assignments."""
        for partition in partitions:
            self._held.pop(partition, None)

    def pause(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Mark assigned partitions as paused, and give them; others are left out."""
        chosen = [partition for partition in partitions if partition in self._held]
        for partition in chosen:
            self._held[partition].paused = True
        return chosen

    def resume(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Mark paused partitions as read again, and give them; others are left out."""
        chosen = [each for each in partitions if (held := self._held.get(each)) is not None and held.paused]
        for partition in chosen:
            self._held[partition].paused = False
            self._held[partition].waits()
        return chosen
