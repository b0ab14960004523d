"""A group member over the simulated broker: implements `SliceConsumer` clause by clause. The world decides its faults.

Fault model. A poll gives what the world chose, or nothing. Commits meet the fates of `commits.py`. A partition may
stop being fetched, until it is sought or assigned anew (a client's defect, or a broker's). The broker may be away:
polls raise, waiting commits take their whole time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from streamsink.consume.protocol import (
    CommittedOffset,
    Done,
    Failure,
    Offsets,
    PolledEnd,
    ReadProgress,
    RebalanceListener,
    Refusal,
    Refusals,
)
from streamsink.errors import TransientError
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition
from streamsink.testing.broken import LawBrokenError
from streamsink.testing.broker import SimBroker
from streamsink.testing.clock import SimClock
from streamsink.testing.commits import CommitFate, SimCommits
from streamsink.testing.records import raw_slice


class Wedge(StrEnum):
    """The events that let a stopped partition be fetched again."""

    NONE = ""
    SEEK = "seek"
    REJOIN = "rejoin"


@dataclass(slots=True)
class SimAssignment:
    """The consumer's state of one assignment of a partition."""

    generation: int
    next_offset: int | None
    fetch_at: int
    told_end: int = -1
    paused: bool = False
    wedge: Wedge = Wedge.NONE
    heard_at_s: float = 0.0
    idle_since_s: float = 0.0
    """Since when there is something to read from this offset, and nothing has been given."""


@dataclass(slots=True)
class SimConsumer:
    """See `SliceConsumer`.

    Attributes:
        choose_fate: Says what becomes of a waiting commit.
        next_fetch: What the next poll gives: a partition, and how many offsets at most.
        broken: What the task did that its contract forbids.
    """

    member: int
    broker: SimBroker
    clock: SimClock
    listener: RebalanceListener
    choose_fate: Callable[[], CommitFate]
    revoke_timeout_s: float
    assignments: dict[TopicPartition, SimAssignment] = field(default_factory=dict)
    rebalances: list[tuple[str, tuple[TopicPartition, ...]]] = field(default_factory=list)
    next_fetch: tuple[TopicPartition, int] | None = None
    away: bool = False
    broken: list[str] = field(default_factory=list)
    late_drains: list[str] = field(default_factory=list)
    revoking_since_s: float | None = None
    overslept_s: float = 0.0
    closed: bool = False
    rejoining: bool = False
    commits: SimCommits = field(init=False)
    _raised: BaseException | None = None

    def __post_init__(self) -> None:
        self.commits = SimCommits(self.member, self.broker, self.clock)

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:  # noqa: ARG002 - time is the world's
        """See `SliceConsumer.poll`."""
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        if self.away:
            raise TransientError("the broker is away", hint="wait")
        if self.rejoining:
            self.rejoining = False
            self._leave(list(self.assignments))
        self._rebalance()
        self._answer()
        fetch, self.next_fetch = self.next_fetch, None
        return self._fetch(*fetch) if fetch is not None else ([], [])

    def _rebalance(self) -> None:
        while self.rebalances:
            kind, partitions = self.rebalances.pop(0)
            match kind:
                case "assigned":
                    self._assign(partitions)
                case _:
                    self._leave(partitions)

    def _assign(self, partitions: tuple[TopicPartition, ...]) -> None:
        """Assign partitions. One that was lost without a word in between is told to be lost first."""
        self._unassign([name for name in partitions if name in self.lost_without_word], self.listener.lost)
        found: dict[TopicPartition, CommittedOffset] = {}
        for partition in partitions:
            state = self.broker.partitions[partition]
            if state.owner != self.member or partition in self.assignments:
                continue
            offset, metadata = state.committed or (None, "")
            found[partition] = CommittedOffset(offset, metadata)
            self.assignments[partition] = SimAssignment(state.generation, offset, offset or 0)
            self._heard(partition)
        if found:
            self._call(self.listener.assigned, found)

    def _unassign(self, partitions: Iterable[TopicPartition], tell: Callable[[Iterable[TopicPartition]], None]) -> None:
        leaving = [partition for partition in partitions if partition in self.assignments]
        if not leaving:
            return
        self.revoking_since_s, self.overslept_s = self.clock.monotonic_s(), 0.0
        self._call(tell, leaving)
        took_s = self.clock.monotonic_s() - self.revoking_since_s - self.overslept_s
        self.revoking_since_s = None
        if took_s > self.revoke_timeout_s + 1.0:
            self.late_drains.append(f"member {self.member} drained for {took_s:.1f} of {self.revoke_timeout_s} s")
        for partition in leaving:
            generation = self.assignments.pop(partition).generation
            state = self.broker.partitions[partition]
            if (state.owner, state.generation) == (self.member, generation):
                self.broker.give(partition, None)

    def _call(self, callback: Callable[..., None], what: object) -> None:
        try:
            callback(what)
        except LawBrokenError:
            raise
        except Exception as error:  # noqa: BLE001 - the contract: the next poll raises it
            self._raised = error

    def _leave(self, partitions: Iterable[TopicPartition]) -> None:
        """Leave the group. Partitions that are another's by now are lost, the rest is revoked."""
        leaving = list(partitions)
        lost = self.lost_without_word
        self._unassign([name for name in leaving if name in lost], self.listener.lost)
        self._unassign([name for name in leaving if name not in lost], self.listener.revoked)

    def _owns(self, partition: TopicPartition, held: SimAssignment) -> bool:
        state = self.broker.partitions[partition]
        return (state.owner, state.generation) == (self.member, held.generation)

    @property
    def lost_without_word(self) -> list[TopicPartition]:
        """Partitions that are another's by now."""
        return [name for name, held in self.assignments.items() if not self._owns(name, held)]

    def _answer(self) -> None:
        for commit, refused in self.commits.answers():
            held = {
                name: at
                for name, at in commit.offsets.items()
                if name in self.assignments and self.assignments[name].generation == commit.generations[name]
            }
            if held:
                commit.done(held, {name: refusal for name, refusal in refused.items() if name in held})

    def _fetch(self, partition: TopicPartition, count: int) -> tuple[list[RawSlice], list[PolledEnd]]:
        held = self.assignments.get(partition)
        if held is None or held.paused or held.wedge:
            return [], []
        state = self.broker.partitions[partition]
        log, stop = state.log, state.fetched_to(held.fetch_at, count)
        rows = [(at, record) for at in range(held.fetch_at, stop) if (record := log[at]) is not None]
        at_end = stop == len(log) and held.told_end != stop
        held.fetch_at = stop
        slices: list[RawSlice] = []
        if rows:
            start = rows[0][0] if held.next_offset is None else held.next_offset
            slices.append(raw_slice(partition, start, rows))
            held.next_offset = slices[0].next_offset
            held.told_end = -1
            at_end = at_end or stop == len(log)
        ends = []
        if at_end:
            held.told_end = held.next_offset = stop
            ends.append(PolledEnd(partition, stop))
        if slices or ends:
            self._heard(partition)
        return slices, ends

    def _heard(self, partition: TopicPartition) -> None:
        held = self.assignments[partition]
        held.heard_at_s = held.idle_since_s = self.clock.monotonic_s()

    def commit(self, offsets: Offsets, *, done: Done) -> None:
        """See `SliceConsumer.commit`."""
        self.commits.send(offsets, self._generations(offsets), done)

    def _generations(self, offsets: Offsets) -> dict[TopicPartition, int]:
        for partition in offsets:
            if partition not in self.assignments:
                self.broken.append(f"commit for {partition}, which was let go of")
        return {name: held.generation for name in offsets if (held := self.assignments.get(name)) is not None}

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:
        """See `SliceConsumer.commit_and_wait`."""
        generations = self._generations(offsets)
        if self.away:
            self.clock.advance(timeout_s)
            return dict.fromkeys(offsets, Refusal(Failure.UNKNOWN_OUTCOME, TransientError("no answer", hint="wait")))
        fate = self.choose_fate()
        if fate is CommitFate.AFTER or fate is CommitFate.NEVER:
            self.clock.advance(timeout_s)
        return self.commits.carry_out(offsets, generations, fate)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.pause`."""
        for partition in partitions:
            if partition in self.assignments:
                self.assignments[partition].paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.resume`."""
        for partition in partitions:
            held = self.assignments.get(partition)
            if held is not None and held.paused:
                held.paused = False
                held.told_end = -1
                self._heard(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `SliceConsumer.seek`."""
        held = self.assignments.get(partition)
        if held is None:
            self.broken.append(f"seek in {partition}, which was let go of")
            return
        held.heard_at_s = self.clock.monotonic_s()
        if offset != held.next_offset:
            held.idle_since_s = held.heard_at_s
        held.next_offset = held.fetch_at = offset
        held.told_end = -1
        if held.wedge is Wedge.SEEK:
            held.wedge = Wedge.NONE

    def rejoin(self) -> None:
        """See `SliceConsumer.rejoin`."""
        self.rejoining = True

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        """See `SliceConsumer.progress`."""
        now = self.clock.monotonic_s()
        return {
            name: ReadProgress(
                held.next_offset,
                held.next_offset,
                at_end=held.told_end == held.next_offset,
                paused=held.paused,
                silent_s=now - held.heard_at_s,
            )
            for name, held in self.assignments.items()
        }

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See `SliceConsumer.end_offsets`: what was fetched last, which stays where nothing is fetched."""
        return {name: self.assignments[name].fetch_at for name in partitions if name in self.assignments}

    def statistics(self) -> ClientSnapshot | None:
        """There is no client."""
        return None

    def close(self) -> None:
        """See `SliceConsumer.close`."""
        if not self.closed:
            self.closed = True
            self._leave(list(self.assignments))
