"""Of many partitions, only those are asked that an event touched or whose time has come."""

from __future__ import annotations

from streamsink.config.sink import Rotation
from streamsink.errors import TransientError
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.flushes import Flushes
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.core.settings import MachineSettings

NAMES = [TopicPartition("t", number) for number in range(200)]
NOW = 1000.0
CLAIM = CommitMetadata("L").encode()


def assigned(metadata: str = CLAIM) -> SinkMachine:
    machine = SinkMachine(MachineSettings(Rotation(size_bytes=None), layout="L"))
    for name in NAMES:
        tell(machine, on.Assigned(name, 0, metadata))
    return machine


def tell(machine: SinkMachine, event: on.Event, now: float = NOW) -> list[do.Effect]:
    machine.handle(event, now=now, wall_s=now)
    return list(machine.effects())


def polled(name: TopicPartition) -> on.Polled:
    return on.Polled(name, 0, 1, (on.LaneRun(Lane("a"), "s", [0], None, None),))


def test_a_slice_asks_its_own_partition_only(monkeypatch):
    machine = assigned()
    tell(machine, on.Tick())
    asked = []
    original = PartitionState.commit_due

    def commit_due(self, now):
        asked.append(self.topic_partition)
        return original(self, now)

    monkeypatch.setattr(PartitionState, "commit_due", commit_due)
    tell(machine, polled(NAMES[7]))
    assert asked == [NAMES[7]]


def test_holes_of_many_partitions_are_committed_when_the_nearest_deadline_says_so():
    machine = assigned()
    tell(machine, on.Polled(NAMES[3], 0, 5, ()), NOW)
    tell(machine, on.Polled(NAMES[4], 0, 5, ()), NOW + 0.5)
    assert machine.next_deadline() == NOW + 1.0
    first = tell(machine, on.Tick(), NOW + 1.0)
    assert [effect.topic_partition for effect in first if isinstance(effect, do.Commit)] == [NAMES[3]]
    assert machine.next_deadline() == NOW + 1.5


def test_a_refused_commit_is_sent_again_at_its_deadline_though_nothing_else_happens():
    machine = assigned()
    tell(machine, on.Polled(NAMES[3], 0, 5, ()))
    (commit,) = [each for each in tell(machine, on.Tick(), NOW + 1) if isinstance(each, do.Commit)]
    refused = TransientError("away", hint="wait")
    tell(machine, on.CommitFailed(NAMES[3], commit.offset, commit.metadata, refused), NOW + 1)
    again_at_s = machine.next_deadline()
    assert again_at_s is not None
    assert again_at_s > NOW + 1
    assert [type(effect) for effect in tell(machine, on.Tick(), again_at_s)] == [do.Commit]


def test_once_the_last_layout_is_decided_all_other_partitions_claim():
    machine = SinkMachine(MachineSettings(Rotation(size_bytes=None), layout="L"))
    tell(machine, on.Assigned(NAMES[0], 0, CommitMetadata("other").encode()))
    claims = [effect for name in NAMES[1:5] for effect in tell(machine, on.Assigned(name, 0, ""))]
    assert claims == []
    claimed = [effect.topic_partition for effect in tell(machine, on.ReachedEnd(NAMES[0], 0))]
    assert sorted(claimed) == NAMES[:5]


def test_of_many_that_leave_one_is_asked_again_only_once_something_happened_to_it(monkeypatch):
    machine = assigned()
    for name in NAMES[:5]:
        tell(machine, polled(name))
    tell(machine, on.Revoked(tuple(NAMES[:5]), NOW + 30))
    asked = []
    original = PartitionState.commit_due

    def commit_due(self, now):
        asked.append(self.topic_partition)
        return original(self, now)

    monkeypatch.setattr(PartitionState, "commit_due", commit_due)
    for _ in range(3):
        tell(machine, on.Tick())
    assert len(asked) <= len(NAMES[:5])
    asked.clear()
    tell(machine, on.Uploaded(1))
    assert set(asked) == {NAMES[0]}


def test_a_flush_closes_files_of_partitions_that_were_touched_alone(monkeypatch):
    machine = assigned()
    for name in NAMES[:5]:
        tell(machine, polled(name))
    closed = [type(each) for each in tell(machine, on.Flush(1))]
    assert closed.count(do.Close) == 5
    tell(machine, on.Tick())
    asked = []
    monkeypatch.setattr(Flushes, "target", lambda _self, name: asked.append(name) or 0)
    tell(machine, polled(NAMES[9]))
    assert asked == [NAMES[9]]


def test_a_partition_that_left_is_asked_no_more():
    machine = assigned()
    tell(machine, on.Polled(NAMES[3], 0, 5, ()))
    tell(machine, on.Lost((NAMES[3],)))
    assert machine.next_deadline() is None
    assert tell(machine, on.Tick(), NOW + 10) == []
