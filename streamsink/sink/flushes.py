"""Flushes under way: up to which offset each partition must be committed before one is answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamsink.record import TopicPartition


class Flushes:
    """What was asked for and is not yet answered. A partition that leaves too early makes its flushes incomplete."""

    def __init__(self) -> None:
        self._targets: dict[int, dict[TopicPartition, int]] = {}
        self._incomplete: set[int] = set()

    def begin(self, flush_id: int, positions: Mapping[TopicPartition, int]) -> None:
        """Everything below these positions is to be committed."""
        self._targets[flush_id] = dict(positions)

    @property
    def targets(self) -> dict[TopicPartition, int]:
        """Up to where files must close, per partition that some flush waits for."""
        highest: dict[TopicPartition, int] = {}
        for positions in self._targets.values():
            for partition, position in positions.items():
                highest[partition] = max(position, highest.get(partition, 0))
        return highest

    def committed(self, partition: TopicPartition, offset: int) -> None:
        """The group stands at `offset`."""
        for positions in self._targets.values():
            if positions.get(partition, offset + 1) <= offset:
                del positions[partition]

    def left(self, partition: TopicPartition) -> None:
        """The partition is another member's business from now on."""
        for flush_id, positions in self._targets.items():
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
