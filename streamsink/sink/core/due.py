"""Chooses the partitions to look at: those that an event touched, and those whose time has come. Pure.

Asking all of them after each event would cost a record more, the more partitions there are.
"""

from __future__ import annotations

import heapq

from streamsink.record import TopicPartition
from streamsink.sink.core.partition_state import PartitionState


class DuePartitions:
    """Partitions in the order in which they were touched, and the times that they wait for, the nearest first."""

    def __init__(self) -> None:
        self.touched: dict[TopicPartition, None] = {}
        self._at_s: dict[TopicPartition, float] = {}
        self._times: list[tuple[float, TopicPartition]] = []

    def touch(self, name: TopicPartition) -> None:
        """Note that something happened to this partition."""
        self.touched[name] = None

    def left(self, name: TopicPartition) -> None:
        """Forget a partition that is another member's from now on."""
        self.touched.pop(name, None)
        self._at_s.pop(name, None)

    def waits(self, partition: PartitionState) -> None:
        """Note that a partition waits: it is looked at again at the nearest of its times."""
        name = partition.topic_partition
        times = (partition.commits.next_at_s, partition.release_deadline_s, partition.looking.next_at_s)
        at_s = min((at for at in times if at is not None), default=None)
        if at_s is None:
            self._at_s.pop(name, None)
        elif self._at_s.get(name) != at_s:
            self._at_s[name] = at_s
            heapq.heappush(self._times, (at_s, name))

    @property
    def next_at_s(self) -> float | None:
        """The nearest time that a partition waits for, or None."""
        while self._times and self._at_s.get(self._times[0][1]) != self._times[0][0]:
            heapq.heappop(self._times)
        return self._times[0][0] if self._times else None

    def take(self, now: float) -> list[TopicPartition]:
        """Partitions to ask now; each is asked again only when it is touched or its time has come."""
        while (at_s := self.next_at_s) is not None and at_s <= now:
            name = heapq.heappop(self._times)[1]
            del self._at_s[name]
            self.touched[name] = None
        taken = list(self.touched)
        self.touched.clear()
        return taken
