"""When open files close, and which of them is next."""

from streamsink.config.sink import Rotation
from streamsink.record import TopicPartition
from streamsink.sink.core import events as on
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.settings import MachineSettings

T = TopicPartition("t", 0)


def machine_with(rotation):
    machine = SinkMachine(MachineSettings(rotation, layout="L"))
    machine.handle(on.Assigned(T, 0, CommitMetadata("L").encode()), now=0.0, wall_s=0.0)
    return machine


def poll(machine, offset, path, now):
    machine.handle(
        on.Polled(T, offset, offset + 1, (on.LaneRun(Lane(path), "s", [offset], None, None),)), now=now, wall_s=now
    )
    list(machine.effects())


def test_a_file_that_has_closed_for_another_reason_is_not_the_next_one():
    machine = machine_with(Rotation(size_bytes=None, flush_size=2, age_ms=600_000))
    assert machine.next_close_at_s is None
    poll(machine, 0, "a", 10.0)
    poll(machine, 1, "b", 20.0)
    assert machine.next_close_at_s == 610.0
    poll(machine, 2, "a", 30.0)
    assert machine.next_close_at_s == 620.0


def test_files_that_close_by_count_alone_have_no_time():
    machine = machine_with(Rotation(size_bytes=None, flush_size=2, age_ms=None))
    poll(machine, 0, "a", 10.0)
    assert machine.next_close_at_s is None
