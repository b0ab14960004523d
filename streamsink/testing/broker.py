"""A broker in memory for simulations: logs with holes, one group, generations that fence. Decides nothing by itself.

Fault model. A commit is taken only from the member that owns the partition in the present generation; its reply may
be lost after it was taken. A member may lose a partition without being told (a zombie) and go on until a commit is
refused. Logs only grow. What the broker has acknowledged it never forgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamsink.record import TopicPartition


@dataclass(frozen=True, slots=True)
class SimRecord:
    """One record: the encoded partition its value belongs to, its schema, its time, its size."""

    encoded_partition: str
    schema: str
    time_ms: int
    size_bytes: int


@dataclass(slots=True)
class SimPartition:
    """A log; None is a hole (aborted transaction, control record, compaction)."""

    log: list[SimRecord | None] = field(default_factory=list)
    committed: tuple[int, str] | None = None
    owner: int | None = None


class SimBroker:
    """Logs and committed offsets of one group."""

    def __init__(self, partitions: list[TopicPartition]) -> None:
        self.partitions = {partition: SimPartition() for partition in partitions}

    def append(self, partition: TopicPartition, record: SimRecord | None) -> None:
        """Add a record, or a hole."""
        self.partitions[partition].log.append(record)

    def assign(self, partition: TopicPartition, member: int | None) -> tuple[int | None, str]:
        """Give a partition to a member; the one before is fenced from here on. Returns what is committed."""
        state = self.partitions[partition]
        state.owner = member
        return state.committed or (None, "")

    def commit(self, partition: TopicPartition, member: int, offset: int, metadata: str) -> bool:
        """Take a commit; False where the member is fenced."""
        state = self.partitions[partition]
        if state.owner != member:
            return False
        state.committed = (offset, metadata)
        return True
