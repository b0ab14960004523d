"""Keeps orders to flush until the task has read all that its topics held when they came. Flushes nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamsink.clock import Clock
from streamsink.consume.protocol import ReadProgress, SliceConsumer
from streamsink.record import TopicPartition

READ_S = 5.0
"""How long an order waits for records at most: behind a long backlog the flush covers the records read by then."""


@dataclass(slots=True)
class _Waiting:
    """One order: when it came, and each partition's end as first heard of since."""

    flush_id: int
    since_s: float
    ends: dict[TopicPartition, int] = field(default_factory=dict)


class FlushOrders:
    """Orders in the order they came. A task that has just started knows no partition yet: its orders wait too.

    Args:
        consumer: Tells how far each partition is read.
        clock: Tells when an order has waited long enough.
    """

    def __init__(self, consumer: SliceConsumer, clock: Clock) -> None:
        self._consumer = consumer
        self._clock = clock
        self._waiting: list[_Waiting] = []

    def take(self, flush_ids: Iterable[int]) -> list[int]:
        """Keep these orders, and give them back."""
        now_s = self._clock.monotonic_s()
        taken = [_Waiting(flush_id, now_s) for flush_id in flush_ids]
        self._waiting.extend(taken)
        return [order.flush_id for order in taken]

    @property
    def waiting(self) -> bool:
        """Whether an order is kept."""
        return bool(self._waiting)

    def due(self, *, assigned: bool, stopping: bool) -> list[int]:
        """Orders that need not wait any longer; each is told once.

        Args:
            assigned: Whether the group has given the task its partitions, none included, and all of them are read.
            stopping: Whether the task stops, so that nothing more is read.
        """
        if not self._waiting:
            return []
        progress = self._consumer.progress() if assigned else {}
        late_s = self._clock.monotonic_s() - READ_S
        due = [
            order.flush_id
            for order in self._waiting
            if stopping or order.since_s <= late_s or (assigned and _has_read(order, progress))
        ]
        self._waiting = [order for order in self._waiting if order.flush_id not in due]
        return due


def _has_read(order: _Waiting, progress: Mapping[TopicPartition, ReadProgress]) -> bool:
    """Whether every partition is read up to the end it had; one that rests for want of memory is not waited for."""
    read = [_is_read(order, partition, at) for partition, at in progress.items()]
    return all(read)


def _is_read(order: _Waiting, partition: TopicPartition, at: ReadProgress) -> bool:
    if at.end_offset is not None:
        order.ends.setdefault(partition, at.end_offset)
    if at.at_end or at.paused:
        return True
    return at.next_offset is not None and at.next_offset >= order.ends.get(partition, at.next_offset + 1)
