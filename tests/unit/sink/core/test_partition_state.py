"""The example at the head of `partition_state.py`, step by step: what it says there is what happens."""

from streamsink.config.sink import Rotation
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.ledger import CommitMetadata
from tests.unit.sink.core.test_machine import Driver, P, kinds

ROTATION = Rotation(size_bytes=None, flush_size=3)
DRAINED = CommitMetadata("L", {}, True).encode()


def where(driver):
    """Position, frontier and what is committed: its offset, and the lanes stored ahead."""
    state = driver.machine.partitions[P]
    offset, metadata = state.commits.committed
    return state.ledger.position, state.ledger.frontier, offset, CommitMetadata.decode(metadata).ahead


def opened(effects):
    return [(order.lane.key, order.first_offset) for order in kinds(effects, do.Open)]


def test_the_worked_example_is_true():
    first = Driver(ROTATION, offset=0, metadata=DRAINED)
    assert [order.offset for order in first.of(do.Commit)] == [0]
    first.commit()
    assert where(first) == (0, 0, 0, {})
    assert opened(first.poll(0, "ababa")) == [("a", 0), ("b", 1)]
    assert [order.last_offset for order in first.of(do.Close)] == [4]
    assert where(first) == (5, 0, 0, {})
    first.tell(on.Uploaded(1))
    first.commit()
    assert where(first) == (5, 1, 1, {"a": 4})
    assert opened(first.poll(5, "ba")) == [("a", 6)]
    assert where(first) == (7, 1, 1, {"a": 4})

    second = Driver(ROTATION, offset=1, metadata=CommitMetadata("L", {"a": 4}).encode())
    assert opened(second.poll(1, "bababa")) == [("a", 6), ("b", 1)]
    assert where(second) == (7, 1, 1, {"a": 4})
    second.tell(on.Uploaded(2))
    second.commit()
    assert where(second) == (7, 6, 6, {})
    second.tell(on.Revoked((P,), second.now + 30))
    second.tell(on.Uploaded(1))
    assert [order.offset for order in second.of(do.Commit)][-1] == 7
    assert kinds(second.commit(), do.Released) == [do.Released(P, clean=True)]


def test_the_examples_conflict_reads_again_what_the_other_object_does_not_hold():
    second = Driver(ROTATION, offset=1, metadata=CommitMetadata("L", {"a": 4}).encode())
    second.poll(1, "bababa")
    assert kinds(second.tell(on.Conflict(2, 3)), do.Seek) == [do.Seek(P, 4)]
    assert where(second)[:2] == (4, 4)
    assert opened(second.poll(4, "aba")) == [("b", 5)]
