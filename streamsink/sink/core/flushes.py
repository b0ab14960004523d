"""Keeps flushes under way: up to which offset each partition must be committed first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamsink.record import TopicPartition
from streamsink.sink.core.partition_state import PartitionState

_NEVER = 2**63


class Flushes:
    """Flushes that wait for commits. A partition that leaves too early makes its flushes incomplete."""

    def __init__(self) -> None:
        self._targets: dict[int, dict[TopicPartition, int]] = {}
        self._ordered: dict[int, dict[TopicPartition, int]] = {}
        self._incomplete: set[int] = set()

    def order(self, flush_id: int, partitions: Mapping[TopicPartition, PartitionState]) -> None:
        """Note the partitions of a flush that begins later. One that leaves before it begins makes it incomplete.

        Args:
            flush_id: The flush's number.
            partitions: All assigned partitions; each where something isn't committed belongs to the flush.
        """
        self._ordered[flush_id] = _uncommitted(partitions)

    def begin(self, flush_id: int, partitions: Mapping[TopicPartition, PartitionState]) -> Iterable[TopicPartition]:
        """Begin a flush: all that was read by now is to be committed.

        Args:
            flush_id: The flush's number.
            partitions: All assigned partitions.

        Returns:
            The partitions where something isn't committed yet.
        """
        self._ordered.pop(flush_id, None)
        self._targets[flush_id] = _uncommitted(partitions)
        return tuple(self._targets[flush_id])

    def target(self, partition: TopicPartition) -> int:
        """The offset up to which a partition's files must close, for all flushes together; 0 where none must."""
        return max((positions.get(partition, 0) for positions in self._targets.values()), default=0)

    def committed(self, partition: TopicPartition, offset: int) -> None:
        """Take a partition out of each flush that its commit fulfils.

        Args:
            partition: The partition that was committed.
            offset: The offset that the group has committed for it.
        """
        for positions in (*self._targets.values(), *self._ordered.values()):
            if positions.get(partition, offset + 1) <= offset:
                del positions[partition]

    def left(self, partition: TopicPartition) -> None:
        """The partition is another member's business from now on."""
        for flush_id, positions in (*self._targets.items(), *self._ordered.items()):
            if positions.pop(partition, None) is not None:
                self._incomplete.add(flush_id)

    def answered(self) -> Iterable[tuple[int, bool]]:
        """Flushes that wait for nothing any more, and whether all they asked for came about; each is told once."""
        done = [flush_id for flush_id, positions in self._targets.items() if not positions]
        told = [(flush_id, flush_id not in self._incomplete) for flush_id in done]
        for flush_id in done:
            del self._targets[flush_id]
            self._incomplete.discard(flush_id)
        return told


def _uncommitted(partitions: Mapping[TopicPartition, PartitionState]) -> dict[TopicPartition, int]:
    """Up to where a flush must commit; never reached by a partition that leaves, for it may have given records up."""
    targets = {}
    for name, state in partitions.items():
        if state.ledger is None:
            continue
        target = state.ledger.position if state.release_deadline_s is None else _NEVER
        if state.commits.committed is None or state.commits.committed[0] < target:
            targets[name] = target
    return targets
