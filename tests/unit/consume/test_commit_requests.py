import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.consume import commit_requests
from streamsink.consume.commit_requests import CommitRequests
from streamsink.consume.protocol import CommittedOffset, Failure
from streamsink.record import TopicPartition

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class ScriptedConsumer:
    """Takes commits; `refuses` is raised by them, `looks` are what `committed` gives one after the other."""

    def __init__(self, *looks, refuses=None):
        self.looks, self.refuses, self.sent = list(looks), refuses, []

    def commit(self, *, offsets, asynchronous):
        assert asynchronous
        if self.refuses is not None:
            raise KafkaException(KafkaError(self.refuses))
        self.sent.append(offsets)

    def committed(self, _partitions, *, timeout):
        assert timeout > 0
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, int):
            raise KafkaException(KafkaError(look))
        return look


def told(partition, offset, metadata=""):
    return KafkaPartition(partition.topic, partition.partition, offset, metadata=metadata)


@pytest.fixture
def requests():
    return CommitRequests()


@pytest.fixture
def answers(requests):
    """Gives a list that an answer goes to, for a commit of an offset of one partition."""
    consumer = ScriptedConsumer()

    def send(*offsets, partition=A):
        heard = []
        for offset in offsets:
            requests.send(consumer, {partition: CommittedOffset(offset)}, lambda *answer: heard.append(answer))
        return heard

    return send


def test_equal_commits_are_answered_in_the_order_they_were_sent(requests, answers):
    first, second = answers(5), answers(5)
    requests.answered(KafkaError(KafkaError.REQUEST_TIMED_OUT), [told(A, 5)])
    assert (first[0][1][A].failure, second) == (Failure.UNKNOWN_OUTCOME, [])
    requests.answered(None, [told(A, 5)])
    assert (len(first), second) == (1, [({A: CommittedOffset(5)}, {})])


def test_the_answer_for_a_waiting_commit_is_not_taken_for_a_later_equal_one(requests, answers):
    offsets = {A: CommittedOffset(5)}
    refused = requests.send_and_wait(ScriptedConsumer([told(A, 4)]), offsets, 0.1)
    assert refused[A].failure is Failure.UNKNOWN_OUTCOME
    later = answers(5)
    requests.answered(KafkaError(KafkaError.NOT_COORDINATOR), [told(A, 5)])
    assert later == []
    requests.answered(None, [told(A, 5)])
    assert later == [(offsets, {})]


def test_an_answer_with_other_metadata_is_another_commits(requests):
    heard = []
    for metadata in ("old", "new"):
        requests.send(
            ScriptedConsumer(), {A: CommittedOffset(5, metadata)}, lambda offsets, _: heard.append(offsets[A].metadata)
        )
    requests.answered(None, [told(A, 5, "new")])
    assert heard == ["new"]


def test_an_answer_nobody_asked_for_is_let_go(requests, answers):
    heard = answers(5)
    requests.answered(None, [told(B, 5)])
    requests.answered(None, [told(A, 6)])
    assert heard == []


def test_a_commit_of_an_assignment_that_has_ended_is_silent_and_keeps_its_place(requests, answers):
    old = answers(5)
    requests.forget([A])
    new = answers(5)
    requests.answered(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), [told(A, 5)])
    assert (old, new, requests.fenced) == ([], [], False)
    requests.answered(None, [told(A, 5)])
    assert len(new) == 1


def test_of_several_partitions_those_that_have_gone_are_left_out(requests):
    heard = []
    requests.send(ScriptedConsumer(), {A: CommittedOffset(1), B: CommittedOffset(2)}, lambda *told: heard.append(told))
    requests.forget([A])
    requests.answered(None, [told(A, 1), told(B, 2)])
    assert heard == [({B: CommittedOffset(2)}, {})]


def test_a_fence_is_noted_for_the_consumer_to_join_anew(requests, answers):
    heard = answers(5)
    requests.answered(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), [told(A, 5)])
    assert heard[0][1][A].failure is Failure.FENCED
    assert requests.fenced


def test_a_commit_that_crossed_a_rebalance_is_no_fence(requests, answers):
    heard = answers(5)
    requests.answered(KafkaError(KafkaError.ILLEGAL_GENERATION), [told(A, 5)])
    assert heard[0][1][A].failure is Failure.REBALANCING
    assert not requests.fenced


def test_what_can_not_be_sent_is_told_later_and_once(requests):
    heard = []
    consumer = ScriptedConsumer(refuses=KafkaError.GROUP_AUTHORIZATION_FAILED)
    requests.send(consumer, {A: CommittedOffset(5)}, lambda _, refused: heard.append(refused[A].failure))
    assert heard == []
    requests.tell_overdue()
    requests.tell_overdue()
    assert heard == [Failure.DENIED]


def test_after_a_minute_without_an_answer_the_outcome_is_unknown(requests, answers, monkeypatch):
    heard = answers(5)
    requests.tell_overdue()
    assert heard == []
    later_s = time.monotonic() + commit_requests.ANSWER_TIMEOUT_S + 1
    monkeypatch.setattr("streamsink.consume.commit_requests.time.monotonic", lambda: later_s)
    requests.tell_overdue()
    requests.tell_overdue()
    assert [refused[A].failure for _, refused in heard] == [Failure.UNKNOWN_OUTCOME]
    requests.answered(None, [told(A, 5)])
    assert len(heard) == 1


def test_waiting_ends_once_all_of_one_request_show(requests):
    offsets = {A: CommittedOffset(1, "m"), B: CommittedOffset(2)}
    consumer = ScriptedConsumer([told(A, 1, "m"), told(B, 1)], [told(B, 2)])
    assert requests.send_and_wait(consumer, offsets, 5) == {}
    assert len(consumer.sent) == 1


def test_waiting_tells_a_denial_at_once_and_goes_on_looking_through_what_may_pass(requests):
    offsets = {A: CommittedOffset(1)}
    consumer = ScriptedConsumer(KafkaError.NOT_COORDINATOR, KafkaError.GROUP_AUTHORIZATION_FAILED)
    refused = requests.send_and_wait(consumer, offsets, 5)
    assert refused[A].failure is Failure.DENIED


def test_waiting_has_one_bound_for_all(requests):
    offsets = {TopicPartition("t", number): CommittedOffset(1) for number in range(100)}
    began_s = time.monotonic()
    refused = requests.send_and_wait(ScriptedConsumer(KafkaError._TIMED_OUT), offsets, 0.3)
    assert time.monotonic() - began_s < 1
    assert {each.failure for each in refused.values()} == {Failure.UNKNOWN_OUTCOME}
    assert refused.keys() == offsets.keys()
