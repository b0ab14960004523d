"""Collects the topics that a connector's tasks have used, from their snapshots. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from streamsink.names import TopicPartition
from streamsink.observe.snapshot import TaskSnapshot


class ActiveTopics:
    """Connect's active topics of one connector: those in which its position has moved since `reset`."""

    def __init__(self) -> None:
        self._topics: frozenset[str] = frozenset()
        self._positions: dict[TopicPartition, int] = {}

    @property
    def topics(self) -> list[str]:
        """The topics' names, sorted."""
        return sorted(self._topics)

    def saw(self, snapshots: Iterable[TaskSnapshot]) -> None:
        """Take the tasks' newest snapshots in."""
        for snapshot in snapshots:
            for at, partition in snapshot.partitions.items():
                if at.topic not in self._topics and partition.position > self._positions.get(at, 0):
                    self._topics |= {at.topic}

    def reset(self, snapshots: Iterable[TaskSnapshot]) -> None:
        """Forget all; a topic is active again once a position passes where it stands now."""
        for snapshot in snapshots:
            self._positions.update({at: partition.position for at, partition in snapshot.partitions.items()})
        self._topics = frozenset()
