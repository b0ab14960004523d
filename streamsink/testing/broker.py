"""A broker in memory for simulations: logs with holes, one group, generations that fence. Decides nothing by itself.

Fault model. A commit is taken only from the member that owns the partition in the present generation; its reply may
be lost after it was taken, and it may be taken long after it was sent. A member may lose a partition without being
told (a zombie) and go on until a commit is refused. Logs grow, and compaction makes holes of what a later record of the
same key supersedes. What the broker has acknowledged it never forgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamsink.record import TopicPartition
from streamsink.testing.records import SimRecord


@dataclass(slots=True)
class SimPartition:
    """A log; None is a hole (aborted transaction, control record, compaction)."""

    log: list[SimRecord | None] = field(default_factory=list)
    committed: tuple[int, str] | None = None
    reached: int = 0
    """The highest offset that was ever committed: an older commit may be taken late, and the group goes back."""
    owner: int | None = None
    generation: int = 0
    owners: dict[int, int | None] = field(default_factory=dict)
    """Whose it was in each generation."""
    superseded: dict[int, SimRecord] = field(default_factory=dict)
    """What compaction has taken."""
    pinned: set[int] = field(default_factory=set)
    """What compaction leaves alone: the first records of objects that came late."""

    def fetched_to(self, start: int, count: int) -> int:
        """Say where a fetch ends. Holes cost it nothing.

        Args:
            start: The first offset that is fetched.
            count: Records at most.

        Returns:
            The offset behind the last one, the log's end at most.
        """
        stop = start
        while stop < len(self.log) and count:
            count -= self.log[stop] is not None
            stop += 1
        return stop


class SimBroker:
    """Logs and committed offsets of one group."""

    def __init__(self, partitions: list[TopicPartition]) -> None:
        self.partitions = {partition: SimPartition() for partition in partitions}

    def append(self, partition: TopicPartition, record: SimRecord | None) -> None:
        """Add a record, or a hole.

        Args:
            partition: The topic partition.
            record: The record; None for a hole.
        """
        self.partitions[partition].log.append(record)

    def give(self, partition: TopicPartition, member: int | None) -> None:
        """Give a partition to a member, or to nobody. The member before is fenced from here on.

        Args:
            partition: The topic partition.
            member: The member's number; None for nobody.
        """
        state = self.partitions[partition]
        state.owner = member
        state.generation += 1
        state.owners[state.generation] = member

    def compact(self, partition: TopicPartition, until: int) -> None:
        """Make holes of records that a later one of the same key supersedes.

        Args:
            partition: The topic partition.
            until: Only records below this offset become holes, and only records below it supersede.
        """
        state = self.partitions[partition]
        seen: set[object] = set()
        for offset in reversed(range(min(until, len(state.log)))):
            record = state.log[offset]
            if record is None:
                continue
            if record.key in seen and offset not in state.pinned:
                state.superseded[offset] = record
                state.log[offset] = None
            seen.add(record.key)

    def others_since(self, partition: TopicPartition, member: int, generation: int) -> bool:
        """Tell whether a partition has been another member's since a generation.

        Args:
            partition: The topic partition.
            member: The member that is asked about.
            generation: The last generation that doesn't count.
        """
        state = self.partitions[partition]
        later = range(generation + 1, state.generation + 1)
        return any(state.owners.get(number) not in {None, member} for number in later)

    def commit(self, partition: TopicPartition, member: int, generation: int, offset: int, metadata: str) -> bool:
        """Take a commit from the partition's owner.

        Args:
            partition: The topic partition.
            member: The member's number.
            generation: The generation that the member believes in.
            offset: The next offset to read.
            metadata: The commit's metadata.

        Returns:
            False where the member is fenced; nothing is kept then.
        """
        state = self.partitions[partition]
        if (state.owner, state.generation) != (member, generation):
            return False
        state.committed = (offset, metadata)
        state.reached = max(state.reached, offset)
        return True
