"""A world to run sink tasks in: broker, store, clock, members that crash and come back. Every choice is made outside.

The tasks are real: `SinkTask` with its committer, intake and files (`member.py`). Broker, store and time are not.

Fault model. Any task may crash at any moment, its uploads on their way may still arrive. A partition may move to
another member while the one before does not know (a zombie), until a commit of it is refused. A member may lose
partitions, have them revoked inside a poll, and get the same ones back. Uploads and commits may fail before or after
they took effect, and commits may never be answered. While a task drains inside a rebalance, its uploads go on ending
well or badly, and time passes, sometimes much more than was waited for. The layout changes only while no zombie
lives: a store can't tell a late writer's layout from the present one. An operator may set the group back, lose its
metadata, and delete an object. Time jumps, and the wall clock is set. Faults stop when the world settles.

Compaction takes superseded records, also records that members hold. `min.compaction.lag.ms` is taken for longer than a
writer may be late: nothing vanishes while a zombie lives, no upload comes that was ordered before the partition became
another's and whose first record has vanished, and the first record of one that came so is not taken.
"""

from __future__ import annotations

from random import Random

from streamsink.record import TopicPartition
from streamsink.testing.broken import LawBrokenError
from streamsink.testing.broker import SimBroker
from streamsink.testing.clock import SimClock
from streamsink.testing.commits import CommitFate
from streamsink.testing.consumer import Wedge
from streamsink.testing.member import SimMember, WorldSettings
from streamsink.testing.pool import Job
from streamsink.testing.records import SimRecord
from streamsink.testing.store import SimObject, SimStore, StoreFault

RECORDS_POLLED_MAX = 6
MEMBERS_MAX = 5
STUCK_S = 600.0
"""A drain that has lasted for so much longer than it may is taken for endless."""

WAITING_FATES = (CommitFate.TAKEN,) * 4 + (CommitFate.BEFORE, CommitFate.AFTER, CommitFate.NEVER)
UPLOAD_FAULTS = (StoreFault.NONE,) * 3 + (StoreFault.BEFORE, StoreFault.AFTER, StoreFault.BUSY)


class SimWorld:
    """One history. Its methods are the moves, `interventions.py` has an operator's; `laws.py` judges the outcome.

    Args:
        settings: What it runs with.
        random: Decides what happens while a task waits; the moves are chosen outside.
    """

    def __init__(self, settings: WorldSettings, random: Random) -> None:
        self.settings = settings
        self.random = random
        self.calm = False
        self.clock = SimClock()
        self.clock.waiting = self._while_waiting
        self.store = SimStore(atomic=settings.atomic)
        names = [TopicPartition("t", number) for number in range(settings.partitions)]
        self.broker = SimBroker(names)
        self.layout = "A"
        self.members_started = 0
        self.flushes = 0
        self.members: list[SimMember] = []
        self.ghosts: list[Job] = []
        self.dead_letters: set[tuple[TopicPartition, int]] = set()
        self.stored: dict[TopicPartition, set[int]] = {name: set() for name in names}
        self.doubled: list[str] = []
        self.new_objects: list[SimObject] = []
        self.commits_checked: dict[TopicPartition, tuple[int, str]] = {}
        self.dead_letters_checked: dict[TopicPartition, int] = {}
        self.settled = False
        self.stuck = ""
        self._active: SimMember | None = None
        self.start_member(names)

    @property
    def zombies(self) -> list[SimMember]:
        """Members that hold partitions which are somebody else's by now."""
        return [member for member in self.members if member.consumer.lost_without_word]

    def start_member(self, partitions: list[TopicPartition]) -> SimMember:
        """A new member takes these partitions over; the members that had them are not told."""
        self.members_started += 1
        member = SimMember(
            self.members_started,
            self.settings,
            self.layout,
            broker=self.broker,
            store=self.store,
            clock=self.clock,
            dead_letters=self.dead_letters,
            choose_fate=self._waiting_fate,
        )
        self.members.append(member)
        self.give(partitions, member)
        self.turn(member)
        return member

    def give(self, partitions: list[TopicPartition], member: SimMember) -> None:
        """The group gives partitions to a member, which hears of it in its next poll.

        Args:
            partitions: Topic partitions. The members before are not told.
            member: The new owner.
        """
        for partition in partitions:
            self.broker.give(partition, member.member)
        member.consumer.rebalances.append(("assigned", tuple(partitions)))

    def produce(self, partition: TopicPartition, record: SimRecord | None) -> None:
        """A producer appends.

        Args:
            partition: The topic partition.
            record: The record; None for a hole.
        """
        now = self.clock.monotonic_s()
        for member in self.members:
            held = member.consumer.assignments.get(partition)
            if held is not None and held.fetch_at >= len(self.broker.partitions[partition].log):
                held.idle_since_s = now
        self.broker.append(partition, record)

    def compact(self, partition: TopicPartition, until: int) -> None:
        """Records of a compacted topic vanish below an offset, where a later one has the same key.

        Args:
            partition: The topic partition. Nothing vanishes while a zombie holds it.
            until: Only offsets below it are compacted.
        """
        if self.settings.compacted and not any(
            partition in zombie.consumer.lost_without_word for zombie in self.zombies
        ):
            self.broker.compact(partition, until)

    def turn(self, member: SimMember) -> None:
        """A task polls once, and does what follows from it."""
        self._active = member
        try:
            member.turn()
        finally:
            self._active = None
        self._bury(member)

    def poll(self, member: SimMember, partition: TopicPartition, records_max: int) -> None:
        """A task polls, and records of a partition come.

        Args:
            member: Whose task.
            partition: The topic partition.
            records_max: Records at most.
        """
        member.consumer.next_fetch = (partition, records_max)
        self.turn(member)

    def finish_upload(self, member: SimMember, index: int, fault: StoreFault) -> None:
        """An upload of a task ends, or a manifest's. The task hears of it in its next turn.

        Args:
            member: Whose task.
            index: The upload's place among the waiting ones.
            fault: How the store fails.
        """
        member.pool.run(index, self.store, fault)

    def finish_commit(self, member: SimMember, index: int, fate: CommitFate) -> None:
        """A commit of a task ends. The task hears of it in its next poll.

        Args:
            member: Whose task.
            index: The commit's place among those on their way.
            fate: Whether the group takes it, and whether the answer comes.
        """
        member.consumer.commits.finish(index, fate)

    def pass_time(self, seconds: float) -> None:
        """Time passes, and every task has a turn."""
        self.clock.advance(seconds)
        for member in list(self.members):
            self.turn(member)

    def set_clock(self, seconds: float) -> None:
        """An operator sets the wall clock forward, or back."""
        self.clock.set_wall(seconds)

    def _while_waiting(self, seconds: float) -> None:
        """Time passes while a task waits, sometimes more than it asked for; meanwhile its uploads go on."""
        member = self._active
        oversleeps = 0.0 if self.calm else self.random.choice((0.0, 0.0, 0.0, 0.5, 2.0))
        self.clock.advance(seconds + oversleeps)
        if member is None:
            return
        since_s = member.consumer.revoking_since_s
        if since_s is not None:
            member.consumer.overslept_s += oversleeps
            if self.clock.monotonic_s() - since_s > self.settings.drain_timeout_ms / 1000 + STUCK_S:
                raise LawBrokenError(f"drains_in_time: member {member.member} drains without end")
        if member.pool.jobs and (self.calm or self.random.random() < 0.6):
            fault = StoreFault.NONE if self.calm else self.random.choice(UPLOAD_FAULTS)
            self.finish_upload(member, self.random.randrange(len(member.pool.jobs)), fault)

    def _waiting_fate(self) -> CommitFate:
        return CommitFate.TAKEN if self.calm else self.random.choice(WAITING_FATES)

    def crash(self, member: SimMember, ghosts: int) -> None:
        """A task's process dies.

        Args:
            member: Whose task.
            ghosts: Its first uploads, so many of them, may arrive later.
        """
        self.ghosts += member.pool.jobs[:ghosts]
        self.remove(member)

    def ghost_arrives(self, index: int) -> None:
        """An upload of a dead process reaches the store."""
        self.ghosts.pop(index)()

    def take_over(self, partition: TopicPartition) -> None:
        """The group gives a partition to a new member; the one before does not hear of it."""
        self.start_member([partition])

    def revoke(self, member: SimMember, partition: TopicPartition) -> None:
        """The group asks a task for a partition back. The task drains it inside its next poll.

        Args:
            member: Whose task.
            partition: The topic partition.
        """
        member.consumer.rebalances.append(("revoked", (partition,)))
        self.turn(member)

    def lose(self, member: SimMember) -> None:
        """A zombie hears that its partitions are gone."""
        member.consumer.rebalances.append(("lost", tuple(member.consumer.lost_without_word)))
        self.turn(member)

    def rejoin(self, member: SimMember) -> None:
        """A member leaves the group for a moment: all it has is revoked."""
        member.consumer.rejoin()
        self.turn(member)

    def wedge(self, member: SimMember, partition: TopicPartition, wedge: Wedge) -> None:
        """A partition is not fetched any more.

        Args:
            member: Whose task.
            partition: The topic partition; nothing happens where the member doesn't hold it.
            wedge: What ends it: a seek, or another assignment.
        """
        held = member.consumer.assignments.get(partition)
        if held is not None:
            held.wedge = wedge

    def flush(self, member: SimMember) -> None:
        """Somebody wants everything a task has read to be stored and committed now."""
        self.flushes += 1
        member.orders.flush(self.flushes)
        self.turn(member)

    def stop(self, member: SimMember) -> None:
        """A task is asked to stop in good order."""
        member.orders.set()
        self.turn(member)

    def adopt_orphans(self) -> None:
        """The group gives partitions without a living owner to a member: a new one, or one that lives."""
        living = {member.member: member for member in self.members}
        orphans = [name for name, state in self.broker.partitions.items() if state.owner not in living]
        if not orphans:
            return
        candidates = [member for member in self.members if not member.orders.is_set()]
        if candidates and (len(self.members) >= MEMBERS_MAX or self.random.random() < 0.7):
            member = self.random.choice(candidates)
            self.give(orphans, member)
            self.turn(member)
        else:
            self.start_member(orphans)

    def _bury(self, member: SimMember) -> None:
        if not member.ended or member not in self.members:
            return
        self.remove(member)
        if member.failed is not None and "layout" in str(member.failed):
            self.layout = "B" if self.layout == "A" else "A"
            self.stop_everyone()

    def stop_everyone(self) -> None:
        """The operator stops the connector in good order, before a change of its configuration. Zombies are killed."""
        for member in self.zombies:
            self.remove(member)
        calm, self.calm = self.calm, True
        for member in list(self.members):
            member.orders.set()
            for _ in range(100):
                if member not in self.members:
                    break
                self.finish_all(member)
                self.turn(member)
            if member in self.members:
                self.remove(member)
        self.calm = calm

    def finish_all(self, member: SimMember) -> None:
        """All of a task's uploads and commits end well."""
        while member.pool.jobs:
            self.finish_upload(member, 0, StoreFault.NONE)
        for index in reversed(range(len(member.consumer.commits.sent))):
            self.finish_commit(member, index, CommitFate.TAKEN)

    def remove(self, member: SimMember) -> None:
        """A task's process is gone, without a word to anybody."""
        self.members.remove(member)

    def count_arrivals(self) -> None:
        """Note which records the objects that came since the last call hold, and which of them for a second time."""
        self.new_objects, self.store.arrivals = self.store.arrivals, []
        for item in self.new_objects:
            held = self.stored[item.topic_partition]
            self.doubled += [f"{item.topic_partition}@{offset}" for offset, _ in item.rows if offset in held]
            held.update(offset for offset, _ in item.rows)

    def go_on(self) -> None:
        """Faults may come again after the world has settled."""
        self.calm = self.settled = False
