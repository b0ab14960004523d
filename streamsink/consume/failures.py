"""What Kafka's errors mean for a task: wait, stop, or fenced. Pure: codes in, our errors out."""

from __future__ import annotations

from confluent_kafka import KafkaError

from streamsink.errors import StreamsinkError, TerminalError, TransientError

FENCED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - librdkafka's own codes have an underscore
    KafkaError._FENCED,  # noqa: SLF001
}

REBALANCING = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001
}
"""What a commit meets that crosses a rebalance. A cooperative member keeps its partitions through one, so this says
nothing about them: where they are lost, a callback tells."""

_AUTHENTICATION = {
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._SSL,  # noqa: SLF001
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
}
_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
AWAY = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
}


def explain(error: KafkaError, *, doing: str) -> StreamsinkError:
    """Our error for one of Kafka's.

    Args:
        error: Kafka's, or librdkafka's.
        doing: What was being done, for the message.
    """
    code, text = error.code(), error.str()
    if code in _AUTHENTICATION:
        return TerminalError(f"{doing}: {text}", hint="look at security.protocol, the sasl.* and the ssl.* keys")
    if code in _DENIED:
        return TerminalError(f"{doing}: {text}", hint="the user needs READ on the topics and the group connect-<name>")
    if code in FENCED:
        return TerminalError(f"{doing}: {text}", hint="another member has taken over; nothing is lost")
    if code in AWAY:
        return TransientError(f"{doing}: {text}", hint="is the broker up, and bootstrap.servers right?")
    if error.fatal() or code == KafkaError._FATAL:  # noqa: SLF001
        return TerminalError(
            f"{doing}: {text}", hint="restart the task; where it was fenced, no two may share one group.instance.id"
        )
    return TransientError(f"{doing}: {text}", hint="the cluster may be busy; this is tried again")
