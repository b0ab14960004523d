import ast
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

import streamsink
from streamsink.consume.failures import FAILURES, explain, failure_of, refusal, words_of
from streamsink.consume.protocol import Failure
from streamsink.errors import ClientLostError, TerminalError, TransientError
from streamsink.replay.target import explain as explain_replay


@pytest.mark.parametrize(
    "code",
    [
        *(KafkaError.FENCED_INSTANCE_ID, KafkaError.UNKNOWN_MEMBER_ID),
        *(KafkaError.FENCED_MEMBER_EPOCH, KafkaError._FENCED, KafkaError._ASSIGNMENT_LOST),
    ],
)
def test_what_the_group_says_of_a_member_that_is_none_of_it_is_fenced(code):
    assert failure_of(KafkaError(code)) is Failure.FENCED
    assert isinstance(explain(KafkaError(code), doing="committing"), TerminalError)


@pytest.mark.parametrize(
    "code",
    [
        *(KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED),
        *(KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION, KafkaError._SSL),
    ],
)
def test_missing_permission_is_denied_never_fenced_and_names_what_an_operator_can_do(code):
    refused = refusal(KafkaError(code), doing="committing")
    assert refused.failure is Failure.DENIED
    assert isinstance(refused.error, TerminalError)
    assert refused.error.hint


@pytest.mark.parametrize("code", [KafkaError.STALE_MEMBER_EPOCH, KafkaError.ILLEGAL_GENERATION])
def test_a_commit_that_crosses_a_rebalance_is_not_fenced(code):
    refused = refusal(KafkaError(code), doing="committing")
    assert refused.failure is Failure.REBALANCING
    assert refused.failure.may_pass
    assert isinstance(refused.error, TransientError)


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT, KafkaError._TRANSPORT])
def test_no_answer_leaves_the_outcome_unknown(code):
    assert failure_of(KafkaError(code)) is Failure.UNKNOWN_OUTCOME


def test_what_can_never_be_taken_is_rejected():
    assert failure_of(KafkaError(KafkaError.OFFSET_METADATA_TOO_LARGE)) is Failure.REJECTED


def test_errors_that_may_pass_are_transient_and_the_others_terminal():
    for code, failure in FAILURES.items():
        passes = failure.may_pass or failure is Failure.MISSING
        assert isinstance(explain(KafkaError(code), doing="x"), TransientError if passes else TerminalError)


def test_a_client_is_lost_that_the_group_refuses_until_the_session_before_it_ends():
    unreleased = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID)
    for error in (
        KafkaError(KafkaError.UNRELEASED_INSTANCE_ID, unreleased.str(), True),
        KafkaError(KafkaError._FATAL, f"Fatal error: {unreleased.str()}: ConsumerGroupHeartbeat fatal error", True),
    ):
        assert failure_of(error) is Failure.BUSY
        assert type(explain(error, doing="reading")) is ClientLostError
    other = KafkaError(KafkaError._FATAL, "Fatal error: Broker: Static consumer fenced", True)
    assert isinstance(explain(other, doing="reading"), TerminalError)


def test_a_code_nobody_knows_may_pass_unless_librdkafka_calls_it_fatal():
    assert failure_of(KafkaError(KafkaError.ELECTION_NOT_NEEDED)) is Failure.BUSY
    assert failure_of(KafkaError(KafkaError.ELECTION_NOT_NEEDED, "", True)) is Failure.REJECTED
    assert isinstance(explain(KafkaError(KafkaError._TIMED_OUT, "", True), doing="x"), TerminalError)


@pytest.mark.parametrize("code", sorted(FAILURES))
def test_replay_reads_the_same_table(code):
    error = KafkaError(code)
    passes = FAILURES[code].may_pass
    explained = explain_replay(error, "x")
    assert isinstance(explained, TransientError if passes else TerminalError)
    assert explained.hint


def test_an_exception_of_kafkas_is_told_in_words():
    error = KafkaError(KafkaError._TRANSPORT, "Connection refused")
    assert words_of(KafkaException(error)) == words_of(error) == "Connection refused"
    assert words_of(ValueError("no Kafka")) == "no Kafka"


def test_no_hint_promises_another_try_that_the_caller_may_not_make():
    for code in FAILURES:
        assert "tried again" not in explain(KafkaError(code), doing="asking").hint


def test_nothing_prints_an_exception_of_kafkas_with_its_representation():
    """`str(KafkaException)` reads KafkaError{code=...}: it is told by `words_of` or `.str()`, never by itself."""
    found = []
    for path in Path(streamsink.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.ExceptHandler)
                and node.type is not None
                and "KafkaException" in ast.dump(node.type)
            ):
                found += [f"{path.name}:{each.lineno}" for each in ast.walk(node) if _told(each, node.name)]
    assert not found


def _told(node, name):
    match node:
        case ast.FormattedValue(value=ast.Name(id=each)):
            return each == name
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=each)]):
            return each == name
    return False
