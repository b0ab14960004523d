"""The consumer seam: the sink's task reads and commits through it. Defines protocol and values; talks to nothing.

An **assignment** of a partition begins with `RebalanceListener.assigned` and ends when `revoked` or `lost` returns.
What the consumer keeps for a partition (its position, its pause, answers that are still to come) belongs to one
assignment and ends with it. `tests/contract/test_slice_consumer.py` holds each implementation to what is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from streamsink.errors import StreamsinkError
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition


class Failure(Enum):
    """The meaning of one of Kafka's errors for the client that met it. `failures.py` has the table of codes."""

    AWAY = "away"
    """No broker or no coordinator can be reached. Try again."""
    BUSY = "busy"
    """The cluster answers that it can't now: it moves, loads or throttles. Try again."""
    REBALANCING = "rebalancing"
    """The group changes. Member and partitions stand until the listener is told otherwise. Try again."""
    UNKNOWN_OUTCOME = "unknown outcome"
    """No answer in time, so it may have taken effect. Try again: it takes effect once."""
    FENCED = "fenced"
    """The group says that this member is none of it, or another has taken its place. Its assignments are over: the
    consumer gives back all it holds with the next polls, and joins anew, or `poll` raises."""
    DENIED = "denied"
    """Credentials or permissions are missing. Trying again can't help: an operator can."""
    REJECTED = "rejected"
    """The request itself can't be taken: too large, invalid, unsupported. Trying the same again can't help."""
    MISSING = "missing"
    """There is no such topic or partition."""

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be taken later."""
        return self in _MAY_PASS


_MAY_PASS = {Failure.AWAY, Failure.BUSY, Failure.REBALANCING, Failure.UNKNOWN_OUTCOME}


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """A group's commit for a partition: `offset` is None where nothing is committed."""

    offset: int | None
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a partition's commit was not taken, or is not known to be: the meaning, and the error to show."""

    failure: Failure
    error: StreamsinkError


Offsets = Mapping[TopicPartition, CommittedOffset]
Refusals = Mapping[TopicPartition, Refusal]
"""By partition; a partition that is not in it has its commit."""
Done = Callable[[Offsets, Refusals], None]


@dataclass(frozen=True, slots=True)
class PolledEnd:
    """The consumer has seen everything below `next_offset`, markers included, and nothing is there yet."""

    topic_partition: TopicPartition
    next_offset: int


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """The progress of reading a partition, as the consumer knows it without asking.

    Attributes:
        next_offset: The offset to read next; None until the first record, where nothing was committed.
        end_offset: End of what may be read, as last heard; None where nothing was heard. A partition that isn't
            fetched hears nothing of its end.
        at_end: Whether the end was the last that came, at `next_offset`. After an assignment, a `seek` and a `resume`
            it is not so until the broker has said it again: records or the end must come.
        paused: Whether `pause` holds it.
        silent_s: Seconds since the last record or end came, or since it was assigned, resumed or set to an offset.
    """

    next_offset: int | None
    end_offset: int | None
    at_end: bool
    paused: bool
    silent_s: float


class RebalanceListener(Protocol):
    """Hears of assignments on the polling thread, inside `poll` or `close`, one call at a time.

    An error in a callback comes out of the next `poll`.
    """

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset]) -> None:
        """An assignment begins: each is read from the committed offset, or from where the configuration says.

        None of them is paused, whatever was so in an earlier assignment. May be called with none. A callback must not
        wait for a network: the group waits for it. `pause`, `seek` and `commit` work in here.
        """
        ...

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Store and commit the records of these partitions: their assignment ends when this returns.

        `commit_and_wait`, `commit`, `pause`, `resume` and `seek` work in here; `poll` and `close` must not be called.
        Other assignments go on. The callback has to end before `max.poll.interval.ms` does.
        """
        ...

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget these partitions: they may be another member's already, and commits would be refused."""
        ...


class SliceConsumer(Protocol):
    """A group member that reads slices and commits offsets with metadata. One thread owns it."""

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """Wait for records, and run rebalance and commit callbacks.

        Only partitions that are assigned when this returns are in it, and none that is paused. A partition's slices
        and ends continue each other without a gap from the committed offset, or from the last `seek`; the first slice
        of a partition without a commit begins at its first record.

        Args:
            timeout_s: How long to wait for the first record.

        Returns:
            The slices that came, each partition's in offset order, and the ends of partitions that were reached.

        Raises:
            TransientError: The broker is away; polling again may help.
            TerminalError: Authentication, a missing topic, a replaced member, or offsets that retention removed.
        """
        ...

    def commit(self, offsets: Offsets, *, done: Done) -> None:
        """Send a commit; a later `poll` tells how it went.

        Answers come in the order of the commits of a partition. An answer is never taken for another commit's, equal
        ones included. Where none comes for a minute, `done` hears `UNKNOWN_OUTCOME`. What can't even be sent is told
        to `done` as well. A partition whose assignment has ended leaves the offsets that `done` is called with, and
        `done` is not called where none is left: commits of an earlier assignment are silent.

        Args:
            offsets: The offset to read next and the metadata, by partition.
            done: Called once, from a later `poll`, with these offsets and the refusals.
        """
        ...

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:
        """Commit all of these in one request, and wait until each is committed or refused, or the time is up.

        Never waits longer than `timeout_s` by the monotonic clock, whatever the number of partitions and however
        silent the coordinator; calls no callback. `done` of earlier commits is called by a later `poll`, as ever.

        Args:
            offsets: Of partitions that are assigned.
            timeout_s: For all of them together.

        Returns:
            The refusals by partition: `UNKNOWN_OUTCOME` where the time was up, `FENCED` never for that reason.
        """
        ...

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop reading partitions until `resume` or the end of the assignment; one that is not assigned is ignored.

        Records that were fetched already and not polled are given after `resume`.
        """
        ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Read paused partitions again. One that is not assigned, or not paused, is ignored."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from here; nothing polled afterwards is older than this call. A pause stays; other partitions too.

        Args:
            partition: One that is not assigned is ignored.
            offset: The offset to read next.
        """
        ...

    def rejoin(self) -> None:
        """Leave the group and join it anew, with the next polls. All held partitions are revoked first."""
        ...

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        """The reading progress of each assigned partition. Asks no broker."""
        ...

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Last known end of each partition, from the consumer's cache: for lag."""
        ...

    def statistics(self) -> ClientSnapshot | None:
        """The Kafka client's latest view of itself; None before its first."""
        ...

    def close(self) -> None:
        """Leave the group. All held partitions are revoked first, so that `revoked` can store and commit.

        Beside what `revoked` takes, not longer than 20 seconds, also where no broker answers. A second call does
        nothing.
        """
        ...
