"""An object store in memory for simulations, with faults on demand. Decides nothing by itself.

Fault model. A create may fail before anything is written, or after: the object is there, the reply is lost. A create
whose writer has died may still arrive later. Creates of one name are atomic: the first wins, the others conflict
(`atomic=False` overwrites instead, for showing what that breaks). What was stored stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.record import TopicPartition
from streamsink.testing.broker import SimRecord


@dataclass(frozen=True, slots=True)
class SimObject:
    """A stored object: who wrote it, what it is about, and its rows."""

    name: str
    writer: int
    topic_partition: TopicPartition
    lane: str
    first_offset: int
    last_offset: int
    rows: tuple[tuple[int, SimRecord], ...]


class SimStore:
    """Create-only objects by name."""

    def __init__(self, *, atomic: bool = True) -> None:
        self.atomic = atomic
        self.objects: dict[str, SimObject] = {}
        self.arrivals: list[SimObject] = []

    def create(self, item: SimObject) -> SimObject | None:
        """Store an object; gives back the one that has the name already, if any."""
        existing = self.objects.get(item.name)
        if existing is not None and self.atomic:
            return existing
        self.objects[item.name] = item
        self.arrivals.append(item)
        return None
