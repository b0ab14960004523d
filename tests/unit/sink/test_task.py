"""The shell, turn by turn, on a consumer that does what a script says."""

from __future__ import annotations

import pytest

from streamsink.errors import ClientLostError, TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.testing.store import StoreFault
from tests.unit.sink.scripted import Bench, assign, records

P, Q = TopicPartition("t", 0), TopicPartition("t", 1)


class Guard:
    def __init__(self):
        self.error = None
        self.checks = []

    def check(self, topics):
        self.checks.append(set(topics))
        if self.error is not None:
            raise self.error

    def compacted(self, topics):
        return set()

    def check_again(self, topics):
        pass


def raising(error):
    def step(_consumer):
        raise error

    return step


def test_a_partition_rests_until_its_topic_is_known_and_is_read_then():
    guard = Guard()
    bench = Bench(guard=guard)
    guard.error = TransientError("the brokers don't tell topics' ids")

    def assigned_without_a_question(consumer):
        assign(P)(consumer)
        assert guard.checks == []

    bench.turn(assigned_without_a_question)
    assert bench.consumer.of("pause") == [["t-0"]]
    assert not bench.machine.partitions
    assert "topics" in bench.task.tally.troubles
    guard.error = None
    bench.clock.advance(1.0)
    bench.turn()
    assert bench.consumer.of("resume") == [["t-0"]]
    assert P in bench.machine.partitions
    assert bench.task.tally.troubles == {}


def test_a_partition_that_leaves_before_its_topic_is_known_never_reaches_the_machine():
    guard = Guard()
    bench = Bench(guard=guard)
    guard.error = TransientError("away")
    bench.turn(assign(P, Q), lambda consumer: consumer.listener.revoked([P]))
    guard.error = None
    bench.clock.advance(1.0)
    bench.turn()
    assert list(bench.machine.partitions) == [Q]


def test_a_topic_made_anew_ends_the_task_before_anything_is_claimed():
    guard = Guard()
    bench = Bench(guard=guard)
    guard.error = TerminalError("topic t was made anew")
    with pytest.raises(TerminalError, match="made anew"):
        bench.turn(assign(P))
    assert bench.consumer.of("commit") == []


def test_records_of_a_partition_that_the_machine_has_let_go_of_are_not_dropped_in_silence():
    bench = Bench()
    bench.turn(records(P, 0, 1))
    assert len(bench.consumer.of("rejoin")) == 1


def test_a_seek_that_fails_is_made_before_the_next_poll():
    bench = Bench()
    bench.turn(assign(P))
    failures = [TransientError("can't seek now")]
    sought = []

    def seek(partition, offset):
        if failures:
            raise failures.pop()
        sought.append((partition, offset))

    bench.consumer.seek = seek
    bench.task._seeks.seek(P, 7)
    assert sought == []
    bench.turn(lambda _consumer: None if sought == [(P, 7)] else pytest.fail("polled before the seek"))
    bench.turn()
    assert sought == [(P, 7)]


def test_what_a_registry_can_not_decode_now_is_read_again_and_other_partitions_go_on():
    bench = Bench()
    bench.turn(assign(P, Q), lambda consumer: consumer.answer())
    bench.decoder.away = True
    bench.turn(records(P, 0, 3))
    assert bench.consumer.of("seek") == [("t-0", 0)]
    assert "registry" in bench.task.tally.troubles
    bench.decoder.away = False
    bench.turn(records(Q, 0, 3))
    bench.clock.advance(1.0)
    bench.turn(records(P, 0, 3))
    assert {name.partition: state.ledger.position for name, state in bench.machine.partitions.items()} == {0: 3, 1: 3}
    assert bench.task.tally.troubles == {}


def test_a_registry_is_no_trouble_of_a_member_that_has_lost_its_last_partition():
    bench = Bench()
    bench.turn(assign(P), lambda consumer: consumer.answer())
    bench.decoder.away = True
    bench.turn(records(P, 0, 3))
    assert "registry" in bench.task.tally.troubles
    bench.turn(lambda consumer: consumer.listener.lost([P]))
    assert bench.task.tally.troubles == {}


def test_unknown_topics_are_no_trouble_of_a_member_that_has_lost_its_last_partition():
    guard = Guard()
    bench = Bench(guard=guard)
    guard.error = TransientError("away")
    bench.turn(assign(P))
    assert "topics" in bench.task.tally.troubles
    bench.turn(lambda consumer: consumer.listener.lost([P]))
    assert bench.task.tally.troubles == {}


def test_bad_records_that_can_not_be_put_aside_now_are_read_again():
    bench = Bench()
    bench.turn(assign(P), lambda consumer: consumer.answer())
    put_aside, bench.bad_records.put_aside = bench.bad_records.put_aside, raising(TransientError("the queue is full"))
    bench.turn(records(P, 0, 1, "bad"))
    assert bench.consumer.of("seek") == [("t-0", 0)]
    assert bench.machine.partitions[P].ledger.position == 0
    bench.bad_records.put_aside = put_aside
    bench.clock.advance(1.0)
    bench.turn(records(P, 0, 1, "bad"))
    assert bench.machine.partitions[P].ledger.position == 1


def test_brokers_that_are_away_are_waited_for_and_given_up_after_the_limit():
    bench = Bench(upload_retry_timeout_ms=60_000)
    bench.turn(assign(P))
    began_s = bench.clock.monotonic_s()
    with pytest.raises(TransientError, match="no broker"):
        bench.turn(*[raising(TransientError("no broker"))] * 1000)
    assert 60 <= bench.clock.monotonic_s() - began_s < 65


def test_a_task_ends_for_a_new_start_when_its_client_is_lost():
    bench = Bench()
    with pytest.raises(ClientLostError):
        bench.turn(raising(ClientLostError("the instance id is still used")))


def test_setting_the_wall_clock_moves_no_deadline():
    bench = Bench(upload_retry_timeout_ms=60_000)
    bench.turn(assign(P), raising(TransientError("no broker")))
    bench.clock.set_wall(86_400.0)
    bench.turn(raising(TransientError("no broker")))
    bench.clock.set_wall(-2 * 86_400.0)
    bench.turn(raising(TransientError("no broker")))
    assert "broker" in bench.task.tally.troubles


def test_a_task_that_is_stopped_stores_and_commits_and_ends():
    bench = Bench()
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 2))
    bench.orders.set()
    bench.turn()
    for _ in range(10):
        bench.store_all()
        if not bench.task.turn(bench.orders, bench.snapshots.append):
            break
        bench.turn(lambda consumer: consumer.answer())
    assert bench.consumer.of("commit")[-1] == {"t-0": 2}
    assert [item.last_offset for item in bench.store.objects.values()] == [0, 1]


def test_a_store_that_denies_ends_the_task_and_closing_leaves_the_group():
    bench = Bench()
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1))
    bench.store_all(StoreFault.DENIED)
    with pytest.raises(TerminalError, match="403"):
        bench.turn()
    bench.task.close()
    assert bench.consumer.closed


def test_the_first_records_are_reported_at_once():
    bench = Bench()
    bench.turn(assign(P))
    before = len(bench.snapshots)
    bench.turn(records(P, 0, 3))
    assert len(bench.snapshots) == before + 1
    bench.turn(records(P, 3, 3))
    assert len(bench.snapshots) == before + 1
