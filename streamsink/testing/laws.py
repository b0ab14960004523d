"""The sink's laws, checked from outside: what the simulated store and broker hold, never what the machine believes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamsink.commit.ledger import CommitMetadata
from streamsink.testing.store import SimObject
from streamsink.testing.task import lane_of
from streamsink.testing.world import SimWorld


class LawBrokenError(AssertionError):
    """A law does not hold; the message says which, and where."""


def _require(holds: bool, law: str, what: str) -> None:  # noqa: FBT001 - the condition is the argument
    if not holds:
        raise LawBrokenError(f"{law}: {what}")


def never_commits_past_unstored(world: SimWorld) -> None:
    """Every record below a committed offset is in some object, and every record called ahead is too."""
    for partition, state in world.broker.partitions.items():
        if state.committed is None:
            continue
        offset, metadata = state.committed
        stored = world.stored[partition]
        checked = world.commits_checked.get(partition, 0)
        for missing in range(checked, offset):
            _require(
                state.log[missing] is None or missing in stored, "never_commits_past_unstored", f"{partition}@{missing}"
            )
        world.commits_checked[partition] = max(checked, offset)
        said = CommitMetadata.decode(metadata)
        for lane, last in (said.ahead if said else {}).items():
            for at in range(offset, last + 1):
                record = state.log[at]
                if record is not None and said is not None and lane_of(record, said.layout).key == lane:
                    _require(at in stored, "never_commits_past_unstored", f"{partition}@{at} is not ahead in {lane}")


def every_record_stored_once(world: SimWorld) -> None:
    """No record is in two objects; once settled, each is in one."""
    _require(not world.doubled, "every_record_stored_once", f"stored twice: {world.doubled[:3]}")
    if world.settled:
        for partition, state in world.broker.partitions.items():
            for offset, record in enumerate(state.log):
                _require(
                    record is None or offset in world.stored[partition],
                    "every_record_stored_once",
                    f"{partition}@{offset} is in no object",
                )


def _each_new_object(world: SimWorld, law: str, check: Callable[[SimObject], str]) -> None:
    for item in world.new_objects:
        problem = check(item)
        _require(not problem, law, f"{item.name}: {problem}")


def order_kept_within_object(world: SimWorld) -> None:
    """Rows stand in offset order."""

    def check(item: SimObject) -> str:
        offsets = [offset for offset, _ in item.rows]
        return "" if offsets == sorted(set(offsets)) else f"offsets {offsets}"

    _each_new_object(world, "order_kept_within_object", check)


def object_covers_its_range(world: SimWorld) -> None:
    """An object holds all of its lane's records between its first and last offset, and nothing else."""

    def check(item: SimObject) -> str:
        log = world.broker.partitions[item.topic_partition].log
        layout = item.lane.split("/", 1)[0]
        wanted = [
            offset
            for offset in range(item.first_offset, item.last_offset + 1)
            if (record := log[offset]) is not None and lane_of(record, layout).key == item.lane
        ]
        held = [offset for offset, _ in item.rows]
        return "" if held == wanted else f"holds {held}, its range has {wanted}"

    _each_new_object(world, "object_covers_its_range", check)


def names_follow_from_records(world: SimWorld) -> None:
    """A name is made of topic, partition, encoded partition and the first record's offset."""

    def check(item: SimObject) -> str:
        encoded = item.lane.split("#", 1)[0]
        wanted = f"{item.topic_partition}/{encoded}/{item.rows[0][0]}"
        return "" if item.name == wanted else f"should be {wanted}"

    _each_new_object(world, "names_follow_from_records", check)


def memory_below_ceiling(world: SimWorld) -> None:
    """What a task's files occupy, added up anew, stays below the ceiling."""
    for task in world.tasks:
        held = sum(file.memory_bytes for file in task.files.values())
        ceiling = task.machine.settings.memory_bytes_max
        _require(held <= ceiling, "memory_below_ceiling", f"member {task.member} holds {held} of {ceiling} bytes")


def silent_after_revoke(world: SimWorld) -> None:
    """No task writes, commits or seeks for a partition it has let go of."""
    for task in world.tasks:
        _require(not task.broken, "silent_after_revoke", "; ".join(task.broken))


def settles_when_faults_stop(world: SimWorld) -> None:
    """Without further faults, everything is stored and the group stands at the end."""
    if world.settled:
        for partition, state in world.broker.partitions.items():
            at = state.committed[0] if state.committed else 0
            _require(at == len(state.log), "settles_when_faults_stop", f"{partition} at {at} of {len(state.log)}")
    _require(not world.stuck, "settles_when_faults_stop", world.stuck)


def replay_equals_topic(world: SimWorld) -> None:
    """Once settled, the objects read in offset order give the topic back."""
    if not world.settled:
        return
    for partition, state in world.broker.partitions.items():
        rows = sorted(
            (row for item in world.store.objects.values() if item.topic_partition == partition for row in item.rows),
            key=lambda row: row[0],
        )
        wanted = [(offset, record) for offset, record in enumerate(state.log) if record is not None]
        _require(rows == wanted, "replay_equals_topic", f"{partition} differs")


def flush_answers_when_committed(world: SimWorld) -> None:
    """A flush is said to be complete only once all that was read is committed, and is answered in the end."""
    for task in world.tasks:
        _require(not task.unflushed, "flush_answers_when_committed", "; ".join(task.unflushed))
        waits = world.settled and task.flushing
        _require(not waits, "flush_answers_when_committed", f"member {task.member} never answered {task.flushing}")


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
    )
}
"""The nine laws of design section 3, and one more for flushes, by name."""


def judge(world: SimWorld, laws: Sequence[str] = tuple(LAWS)) -> None:
    """Hold laws, by name, against what the store and broker have now.

    Raises:
        LawBrokenError: One of them does not hold.
    """
    world.count_arrivals()
    for name in laws:
        LAWS[name](world)
