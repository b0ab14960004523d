"""The consumer seam: what the sink's task needs of Kafka. Defines the protocol and its values; talks to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """What the group has committed for a partition: `offset` is None where nothing is."""

    offset: int | None
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class PolledEnd:
    """The consumer has seen everything below `next_offset`, markers included, and nothing is there yet."""

    topic_partition: TopicPartition
    next_offset: int


class RebalanceListener(Protocol):
    """Called on the polling thread, inside `poll` or `close`."""

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset]) -> None:
        """These partitions are ours, read from the committed offset, or from where the configuration says."""
        ...

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Store and commit what these hold before returning; commits still work here."""
        ...

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        """These are somebody else's already; commits would be refused."""
        ...


class SliceConsumer(Protocol):
    """A group member that reads slices and commits offsets with metadata. One thread owns it."""

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """What has come, per partition in offset order; runs rebalance and commit callbacks.

        Raises:
            TransientError: The broker is away; polling again may help.
            TerminalError: Authentication, a missing topic, or offsets that retention removed.
        """
        ...

    def commit(
        self,
        offsets: Mapping[TopicPartition, CommittedOffset],
        *,
        done: Callable[[Mapping[TopicPartition, CommittedOffset], Exception | None], None] | None,
    ) -> None:
        """Commit: with `done` asynchronously, `done` being called from a later `poll`; else wait for it, bounded.

        Raises:
            TransientError: The outcome is unknown, or the coordinator is away.
            TerminalError: The member is fenced.
        """
        ...

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop fetching these; a partition that is no longer ours is ignored."""
        ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch these again."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from here; nothing polled afterwards is older than this call."""
        ...

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Last known end of each partition, from the consumer's cache: for lag."""
        ...

    def statistics(self) -> ClientSnapshot | None:
        """The Kafka client's latest view of itself; None before its first."""
        ...

    def close(self) -> None:
        """Leave the group. Bounded."""
        ...
