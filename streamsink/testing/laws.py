"""Checks the sink's laws from outside: by the simulated store and broker, never by what the machine believes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.stalls import SILENT
from streamsink.testing.broken import require
from streamsink.testing.records import SimRecord, lane_key
from streamsink.testing.store import SimObject
from streamsink.testing.world import SimWorld


def _to_be_stored(record: SimRecord | None) -> bool:
    """Whether a record belongs into an object: holes and bad records don't."""
    return record is not None and not record.bad


def never_commits_past_unstored(world: SimWorld) -> None:
    """Every record below a committed offset is in some object, and every record called ahead is too."""
    for partition, state in world.broker.partitions.items():
        checked = world.commits_checked.get(partition, (0, ""))
        if state.committed is None or state.committed == checked:
            continue
        offset, metadata = state.committed
        stored = world.stored[partition]
        for missing in range(checked[0], offset):
            require(
                not _to_be_stored(state.log[missing]) or missing in stored,
                "never_commits_past_unstored",
                f"{partition}@{missing}",
            )
        world.commits_checked[partition] = state.committed
        said = CommitMetadata.decode(metadata)
        for lane, last in (said.ahead if said else {}).items():
            for at in range(offset, last + 1):
                record = state.log[at]
                if record is not None and not record.bad and said is not None and lane_key(record, said.layout) == lane:
                    require(at in stored, "never_commits_past_unstored", f"{partition}@{at} is not ahead in {lane}")


def every_record_stored_once(world: SimWorld) -> None:
    """No record is in two objects; once settled, each is in one."""
    require(not world.doubled, "every_record_stored_once", f"stored twice: {world.doubled[:3]}")
    if world.settled:
        for partition, state in world.broker.partitions.items():
            for offset, record in enumerate(state.log):
                require(
                    not _to_be_stored(record) or offset in world.stored[partition],
                    "every_record_stored_once",
                    f"{partition}@{offset} is in no object",
                )


def _each_new_object(world: SimWorld, law: str, check: Callable[[SimObject], str]) -> None:
    for item in world.new_objects:
        problem = check(item)
        require(not problem, law, f"{item.name}: {problem}")


def order_kept_within_object(world: SimWorld) -> None:
    """Rows stand in offset order."""

    def check(item: SimObject) -> str:
        offsets = [offset for offset, _ in item.rows]
        return "" if offsets == sorted(set(offsets)) else f"offsets {offsets}"

    _each_new_object(world, "order_kept_within_object", check)


def object_covers_its_range(world: SimWorld) -> None:
    """An object holds all of its lane's records between its first and last offset, and nothing else.

    Those that an object of another layout holds, or that compaction has taken since, may be left out or not.
    """

    def check(item: SimObject) -> str:
        state = world.broker.partitions[item.topic_partition]
        layout = item.lane.split("/", 1)[0]
        elsewhere = {
            offset
            for other in world.store.objects.values()
            if other.topic_partition == item.topic_partition and other.lane.split("/", 1)[0] != layout
            for offset, _ in other.rows
        }
        wanted = [
            offset
            for offset in range(item.first_offset, item.last_offset + 1)
            if (record := state.log[offset]) is not None
            and not record.bad
            and lane_key(record, layout) == item.lane
            and offset not in elsewhere
        ]
        held = [
            offset
            for offset, record in item.rows
            if offset not in state.superseded or lane_key(record, layout) != item.lane
        ]
        return "" if held == wanted else f"holds {held}, its range has {wanted}"

    _each_new_object(world, "object_covers_its_range", check)


def names_follow_from_records(world: SimWorld) -> None:
    """A name is made of topic, partition, encoded partition and the first record's offset."""

    def check(item: SimObject) -> str:
        encoded = item.lane.split("#", 1)[0]
        at = item.topic_partition
        wanted = f"topics/{at.topic}/{encoded}/{at.topic}+{at.partition}+{item.rows[0][0]:010d}.sim"
        return "" if item.name == wanted else f"should be {wanted}"

    _each_new_object(world, "names_follow_from_records", check)


def memory_below_ceiling(world: SimWorld) -> None:
    """A task's files, added up anew, stay below the ceiling."""
    for member in world.members:
        held, ceiling = member.files.memory_bytes, world.settings.memory_bytes_max
        require(held <= ceiling, "memory_below_ceiling", f"member {member.member} holds {held} of {ceiling} bytes")


def silent_after_revoke(world: SimWorld) -> None:
    """No task begins to write, commits or seeks for a partition it has let go of."""
    for member in world.members:
        broken = member.consumer.broken + member.uploads.broken
        require(not broken, "silent_after_revoke", "; ".join(broken))


def drains_in_time(world: SimWorld) -> None:
    """A partition that a rebalance asks back is drained within the time for it, whatever store and coordinator do."""
    for member in world.members:
        require(not member.consumer.late_drains, "drains_in_time", "; ".join(member.consumer.late_drains))


def dead_letters_safe_before_commit(world: SimWorld) -> None:
    """Every bad record below a committed offset is where dead letters go."""
    for partition, state in world.broker.partitions.items():
        for offset in range(world.dead_letters_checked.get(partition, 0), (state.committed or (0, ""))[0]):
            record = state.log[offset]
            safe = record is None or not record.bad or (partition, offset) in world.dead_letters
            require(safe, "dead_letters_safe_before_commit", f"{partition}@{offset} is in no dead letter")
            world.dead_letters_checked[partition] = offset + 1


def stalls_are_said(world: SimWorld) -> None:
    """A task that is behind the end of a partition and has been given nothing says so, unless it rests for memory."""
    for member in world.members:
        task = member.task
        if member.machine.paused or member.machine.stopping or member.snapshot is None or task.tally.troubles:
            continue
        for partition, held in member.consumer.assignments.items():
            behind = held.fetch_at < len(world.broker.partitions[partition].log)
            behind = behind and partition not in member.machine.looking
            if behind and member.has_looked_twice_since(held.idle_since_s):
                said = str(partition) in member.snapshot.stalled
                since_s = world.clock.monotonic_s() - held.idle_since_s
                require(
                    said, "stalls_are_said", f"{partition} of {member.member} got nothing for {since_s:.0f} s: {held}"
                )


def stalls_come_from_outside(world: SimWorld) -> None:
    """Where nothing is read, that is the broker's doing or the client's, never the task's own."""
    for member in world.members:
        own = [stall for stall in member.task.tally.stalled.split("; ") if stall and SILENT not in stall]
        require(not own, "stalls_come_from_outside", f"member {member.member}: {own}")


def settles_when_faults_stop(world: SimWorld) -> None:
    """Without further faults, everything is stored and the group stands at the end."""
    if world.settled:
        for partition, state in world.broker.partitions.items():
            at = state.committed[0] if state.committed else 0
            require(at == len(state.log), "settles_when_faults_stop", f"{partition} at {at} of {len(state.log)}")
    require(not world.stuck, "settles_when_faults_stop", world.stuck)


def replay_equals_topic(world: SimWorld) -> None:
    """Once settled, the objects read in offset order give the topic back, perhaps with what compaction has taken."""
    if not world.settled:
        return
    for partition, state in world.broker.partitions.items():
        rows = sorted(
            (row for item in world.store.objects.values() if item.topic_partition == partition for row in item.rows),
            key=lambda row: row[0],
        )
        taken = [row for row in state.superseded.items() if row in rows]
        there = [(offset, record) for offset, record in enumerate(state.log) if record is not None and not record.bad]
        wanted = sorted(there + taken, key=lambda row: row[0])
        require(rows == wanted, "replay_equals_topic", f"{partition} differs")


def flush_answers_when_committed(world: SimWorld) -> None:
    """A flush is said to be complete only once all that was read is committed, and is answered in the end."""
    for member in world.members:
        require(not member.unflushed, "flush_answers_when_committed", "; ".join(member.unflushed))
        waits = world.settled and member.flushing
        require(not waits, "flush_answers_when_committed", f"member {member.member} never answered {member.flushing}")


LAWS: dict[str, Callable[[SimWorld], None]] = {
    law.__name__: law
    for law in (
        never_commits_past_unstored,
        every_record_stored_once,
        order_kept_within_object,
        object_covers_its_range,
        names_follow_from_records,
        memory_below_ceiling,
        silent_after_revoke,
        settles_when_faults_stop,
        replay_equals_topic,
        flush_answers_when_committed,
        drains_in_time,
        stalls_are_said,
        stalls_come_from_outside,
        dead_letters_safe_before_commit,
    )
}
"""The laws of ARCHITECTURE.md's rules, and of flushes, drains and dead letters, by name."""


def judge(world: SimWorld, laws: Sequence[str] = tuple(LAWS)) -> None:
    """Hold laws against what store and broker have now.

    Args:
        world: Its store and broker are looked at, and its tasks' memory.
        laws: The laws' names; all of them if not given.

    Raises:
        LawBrokenError: One of them does not hold.
    """
    world.count_arrivals()
    for name in laws:
        LAWS[name](world)
