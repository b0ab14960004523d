"""Translates Kafka's error codes into our errors, in one table for all who use a client. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException

from streamsink.consume.protocol import Failure, Refusal
from streamsink.errors import ClientLostError, StreamsinkError, TerminalError, TransientError

_CODES = {
    Failure.AWAY: """
        _ALL_BROKERS_DOWN _RESOLVE _WAIT_COORD _UNKNOWN_BROKER _NODE_UPDATE _DESTROY_BROKER
    """,
    Failure.UNKNOWN_OUTCOME: """
        _TRANSPORT _TIMED_OUT _TIMED_OUT_QUEUE _MSG_TIMED_OUT _BAD_MSG _PARTIAL REQUEST_TIMED_OUT
        NETWORK_EXCEPTION UNKNOWN NOT_ENOUGH_REPLICAS_AFTER_APPEND
    """,
    Failure.BUSY: """
        COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR LEADER_NOT_AVAILABLE
        BROKER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION REPLICA_NOT_AVAILABLE NOT_CONTROLLER
        UNSTABLE_OFFSET_COMMIT CONCURRENT_TRANSACTIONS THROTTLING_QUOTA_EXCEEDED KAFKA_STORAGE_ERROR
        NOT_ENOUGH_REPLICAS OFFSET_NOT_AVAILABLE UNKNOWN_LEADER_EPOCH FENCED_LEADER_EPOCH GROUP_MAX_SIZE_REACHED
        UNRELEASED_INSTANCE_ID REBOOTSTRAP_REQUIRED STALE_BROKER_EPOCH _QUEUE_FULL _RETRY _IN_PROGRESS
        _PREV_IN_PROGRESS _WAIT_CACHE
    """,
    Failure.REBALANCING: """
        REBALANCE_IN_PROGRESS ILLEGAL_GENERATION STALE_MEMBER_EPOCH MEMBER_ID_REQUIRED _MAX_POLL_EXCEEDED
    """,
    Failure.FENCED: """
        UNKNOWN_MEMBER_ID FENCED_INSTANCE_ID FENCED_MEMBER_EPOCH INVALID_PRODUCER_EPOCH
        PRODUCER_FENCED TRANSACTION_COORDINATOR_FENCED _ASSIGNMENT_LOST _FENCED
    """,
    Failure.DENIED: """
        TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED
        SASL_AUTHENTICATION_FAILED TRANSACTIONAL_ID_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTHORIZATION_FAILED
        DELEGATION_TOKEN_EXPIRED UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE SECURITY_DISABLED _AUTHENTICATION
        _SSL
    """,
    Failure.REJECTED: """
        OFFSET_METADATA_TOO_LARGE INVALID_COMMIT_OFFSET_SIZE INVALID_GROUP_ID INVALID_SESSION_TIMEOUT
        UNSUPPORTED_ASSIGNOR INCONSISTENT_GROUP_PROTOCOL INVALID_REGULAR_EXPRESSION UNSUPPORTED_VERSION
        UNSUPPORTED_FOR_MESSAGE_FORMAT UNSUPPORTED_COMPRESSION_TYPE INVALID_REQUEST INVALID_CONFIG
        MSG_SIZE_TOO_LARGE RECORD_LIST_TOO_LARGE INVALID_TIMESTAMP INVALID_RECORD POLICY_VIOLATION
        INVALID_REPLICATION_FACTOR INVALID_PARTITIONS INVALID_REQUIRED_ACKS INVALID_TRANSACTION_TIMEOUT
        INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING _INVALID_ARG _UNSUPPORTED_FEATURE _NOT_IMPLEMENTED
    """,
    Failure.MISSING: """
        UNKNOWN_TOPIC_OR_PART UNKNOWN_TOPIC_ID INCONSISTENT_TOPIC_ID TOPIC_EXCEPTION GROUP_ID_NOT_FOUND
        _UNKNOWN_TOPIC _UNKNOWN_PARTITION _UNKNOWN_GROUP
    """,
}
# ILLEGAL_GENERATION and STALE_MEMBER_EPOCH are no fence: a commit that crosses a rebalance meets them, and a member
# keeps partitions through one. Where they are lost, the listener hears of it.
FAILURES: Mapping[int, Failure] = {
    getattr(KafkaError, name): failure for failure, names in _CODES.items() for name in names.split()
}
"""The meaning by code. librdkafka tells the meaning of other codes: see `failure_of`."""

_CREDENTIALS = {
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - librdkafka's own codes have an underscore
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._SSL,  # noqa: SLF001
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.ILLEGAL_SASL_STATE,
    KafkaError.SECURITY_DISABLED,
}
_HINTS = {
    Failure.AWAY: "is the broker up, and bootstrap.servers right?",
    Failure.UNKNOWN_OUTCOME: "is the broker up, and bootstrap.servers right?",
    Failure.BUSY: "the cluster may be busy for a moment; if it lasts, look at its brokers",
    Failure.REBALANCING: "the group rebalances, which passes",
    Failure.FENCED: "another member has taken over; nothing is lost",
    Failure.DENIED: "the user needs READ on the topics and the group connect-<name>",
    Failure.REJECTED: "the brokers can't take it as it is: look at their limits, and at the keys for Kafka's clients",
    Failure.MISSING: "was it deleted?",
}
_CREDENTIALS_HINT = "look at security.protocol, the sasl.* and the ssl.* keys"
_UNRELEASED = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
"""A fatal error tells its cause in words only. With this one the group waits for the end of a killed member's session:
under its new protocol no other member takes over the same `group.instance.id` before."""
_FATAL_HINT = "restart the task; where it was fenced, no two may share one group.instance.id"


def words_of(error: Exception) -> str:
    """The text of an error, for people: a `KafkaException` wraps librdkafka's own words.

    Args:
        error: Any error.

    Returns:
        One line, without the code's representation.
    """
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return inner.str() if isinstance(inner, KafkaError) else str(error)


def failure_of(error: KafkaError) -> Failure:
    """Look up what an error means. A code that is not in the table may pass, unless librdkafka calls it fatal."""
    if _UNRELEASED in error.str():
        return Failure.BUSY
    known = FAILURES.get(error.code())
    if known is not None:
        return known
    return Failure.REJECTED if is_fatal(error) else Failure.BUSY


def is_fatal(error: KafkaError) -> bool:
    """Whether the client that met it can't be used any more."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001


def explain(error: KafkaError, *, doing: str, hints: Mapping[Failure, str] | None = None) -> StreamsinkError:
    """Our error for one of Kafka's: transient where it may pass.

    A missing topic may be made, so that is transient too.

    Args:
        error: Kafka's, or librdkafka's.
        doing: The call that failed, for the message, as "committing".
        hints: Hints for the operator by meaning, where the client is not the sink's consumer.
    """
    said = "no broker answers" if error.code() == KafkaError._ALL_BROKERS_DOWN else error.str()  # noqa: SLF001
    failure, message = failure_of(error), f"{doing}: {said}"
    hint = {**_HINTS, **(hints or {})}[failure]
    if error.code() in _CREDENTIALS:
        hint = _CREDENTIALS_HINT
    elif is_fatal(error):
        hint = _FATAL_HINT
    if is_fatal(error) and _UNRELEASED in error.str():
        return ClientLostError(message, hint="the task starts again by itself")
    passes = (failure.may_pass or failure is Failure.MISSING) and not is_fatal(error)
    return TransientError(message, hint=hint) if passes else TerminalError(message, hint=hint)


def refusal(error: KafkaError, *, doing: str) -> Refusal:
    """Turn a refused commit into its failure and the error to show.

    Args:
        error: Kafka's.
        doing: The call that failed, for the message, as "committing".
    """
    return Refusal(failure_of(error), explain(error, doing=doing))
