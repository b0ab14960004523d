"""The shell's commits: what is waited for and for how long, what a refusal means, what is sent with what."""

from __future__ import annotations

import pytest

from streamsink.config.sink import Rotation
from streamsink.consume.protocol import Failure, Refusal
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.sink.committer import what_follows
from streamsink.sink.core.events import Refusal as Follows
from streamsink.testing.store import StoreFault
from tests.unit.sink.scripted import Bench, assign, records

P, Q = TopicPartition("t", 0), TopicPartition("t", 1)


def refusing(failure, error):
    return lambda offsets, _timeout_s=0.0: dict.fromkeys(offsets, Refusal(failure, error))


def revoke(*partitions):
    return lambda consumer: consumer.listener.revoked(list(partitions))


class DeadLetters:
    def __init__(self):
        self.error = None
        self.sent = []

    def send(self, bad):
        self.sent += bad

    def flush(self, timeout_s):
        self.timeout_s = timeout_s
        if self.error is not None and self.sent:
            raise self.error

    def forget(self, partitions):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("count", [1, 12, 200])
def test_a_revoke_ends_within_the_drain_timeout_however_many_partitions_and_however_silent_the_coordinator(count):
    bench = Bench(drain_timeout_ms=3000)
    partitions = [TopicPartition("t", number) for number in range(count)]
    bench.turn(assign(*partitions), *(records(name, 0, 1) for name in partitions))

    def silent(offsets, timeout_s):
        bench.clock.advance(timeout_s)
        return refusing(Failure.UNKNOWN_OUTCOME, TransientError("no answer"))(offsets)

    bench.consumer.refuse = silent
    began_s = bench.clock.monotonic_s()
    bench.turn(revoke(*partitions))
    assert bench.clock.monotonic_s() - began_s <= 3.0 + 0.1
    assert not bench.machine.partitions


def test_the_group_is_polled_again_in_time_however_long_a_drain_may_be():
    bench = Bench(drain_timeout_ms=3_600_000)
    assert bench.config.revoke_timeout_ms == 180_000


def test_partitions_that_leave_together_are_committed_in_one_request():
    bench = Bench(rotation=Rotation(size_bytes=None))
    bench.turn(assign(P, Q), lambda consumer: consumer.answer(), records(P, 0, 2), records(Q, 0, 3))
    bench.store_while_waiting()
    bench.turn(revoke(P, Q))
    assert bench.consumer.of("commit_and_wait")[-1] == {"t-0": 2, "t-1": 3}
    assert not bench.machine.partitions


def test_a_commit_that_falls_due_while_another_partition_leaves_is_sent_afterwards():
    bench = Bench()
    bench.turn(assign(P, Q), lambda consumer: consumer.answer(), records(P, 0, 1))

    def store_while_revoking(consumer):
        bench.store_while_waiting()
        consumer.refuse = refusing(Failure.BUSY, TransientError("loading"))
        consumer.listener.revoked([Q])
        assert not any("t-0" in sent for sent in consumer.of("commit_and_wait"))

    bench.turn(store_while_revoking)
    bench.turn()
    assert bench.consumer.of("commit")[-1] == {"t-0": 1}


def test_a_denied_commit_ends_the_task_with_the_reason():
    bench = Bench()
    bench.turn(assign(P), records(P, 0, 1))
    denied = TerminalError("committing: Group authorization failed", hint="the user needs READ on the group")
    with pytest.raises(TerminalError, match="Group authorization failed"):
        bench.turn(lambda consumer: consumer.answer(refusing(Failure.DENIED, denied)([P])))


def test_a_fenced_member_lets_go_of_the_partition_and_joins_the_group_anew():
    bench = Bench()
    bench.turn(assign(P), records(P, 0, 1))
    bench.turn(lambda consumer: consumer.answer(refusing(Failure.FENCED, TerminalError("fenced"))([P])))
    assert not bench.machine.partitions
    assert len(bench.consumer.of("rejoin")) == 1


def test_an_outage_is_no_trouble_of_a_member_that_has_lost_its_last_partition():
    bench = Bench()
    bench.turn(assign(P), records(P, 0, 1))
    bench.turn(lambda consumer: consumer.answer(refusing(Failure.REBALANCING, TransientError("rebalance"))([P])))
    assert "coordinator" in bench.task.tally.troubles
    bench.turn(lambda consumer: consumer.listener.lost([P]))
    assert bench.task.tally.troubles == {}


def test_a_commit_that_may_pass_is_sent_again():
    bench = Bench()
    bench.turn(assign(P), records(P, 0, 1))
    bench.turn(lambda consumer: consumer.answer(refusing(Failure.REBALANCING, TransientError("rebalance"))([P])))
    bench.clock.advance(2.0)
    bench.turn()
    assert bench.consumer.of("commit") == [{"t-0": 0}, {"t-0": 0}]
    assert "coordinator" in bench.task.tally.troubles
    bench.turn(lambda consumer: consumer.answer())
    assert bench.task.tally.troubles == {}


def test_the_answer_to_an_old_commit_is_not_taken_for_the_new_one():
    bench = Bench()
    bench.turn(assign(P), records(P, 0, 1))
    (old_offsets, old_done) = bench.consumer.done[0]
    bench.turn(lambda consumer: consumer.answer())
    bench.store_all()
    bench.turn()
    bench.store_all()
    bench.turn()
    assert bench.consumer.of("commit")[-1] == {"t-0": 1}
    bench.turn(lambda _consumer: old_done(old_offsets, {}))
    state = bench.machine.partitions[P].commits
    assert (state.committed[0], state.committing[0]) == (0, 1)
    bench.turn(lambda _consumer: old_done(old_offsets, refusing(Failure.DENIED, TerminalError("old"))(old_offsets)))
    assert state.committing[0] == 1


def test_dead_letters_that_are_away_while_a_partition_leaves_cost_no_assertion_and_the_partition_comes_back():
    letters = DeadLetters()
    bench = Bench(dead_letters=letters)
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1, "bad"))
    letters.error = TransientError("1 records still wait for the dead letter topic")
    bench.turn(revoke(P))
    assert not bench.machine.partitions
    assert letters.timeout_s <= 3.0
    letters.error = None
    bench.turn(assign(P), records(P, 0, 2))
    assert bench.machine.partitions[P].ledger.position == 2


def test_dead_letters_that_are_away_delay_a_commit_and_are_said():
    letters = DeadLetters()
    bench = Bench(dead_letters=letters)
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1, "bad"))
    letters.error = TransientError("away")
    bench.clock.advance(2.0)
    bench.turn()
    assert [sent for sent in bench.consumer.of("commit") if sent["t-0"]] == []
    assert "dead_letters" in bench.task.tally.troubles
    letters.error = None
    bench.clock.advance(2.0)
    bench.turn()
    bench.turn(lambda consumer: consumer.answer())
    assert bench.consumer.of("commit")[-1] == {"t-0": 1}
    assert bench.task.tally.troubles == {}


def test_dead_letters_that_are_refused_end_the_task():
    letters = DeadLetters()
    bench = Bench(dead_letters=letters)
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1, "bad"))
    letters.error = TerminalError("the topic takes no records")
    bench.clock.advance(2.0)
    with pytest.raises(TerminalError, match="takes no records"):
        bench.turn()


def test_a_commit_goes_out_though_its_manifest_could_not_be_written():
    bench = Bench()
    bench.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1))
    bench.store_all()
    bench.turn()
    bench.store_all(StoreFault.BEFORE)
    bench.turn()
    assert bench.consumer.of("commit")[-1] == {"t-0": 1}
    assert bench.task.tally.snapshot(bench.machine, bench.consumer).failures == {"manifest": 1}


@pytest.mark.parametrize("failure", Failure)
def test_only_what_the_group_says_is_fenced_is_fenced_and_only_what_can_pass_is_tried_again(failure):
    follows = what_follows(failure)
    assert (follows is Follows.FENCED) == (failure is Failure.FENCED)
    assert (follows is Follows.TERMINAL) == (failure in {Failure.DENIED, Failure.REJECTED})
