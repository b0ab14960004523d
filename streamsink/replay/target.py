"""The topic that records go to: whether it is there, how many partitions it has, and which one a record gets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from streamsink.consume.clients import make_client
from streamsink.consume.failures import failure_of
from streamsink.consume.protocol import Failure
from streamsink.errors import ConfigError, Problem, StreamsinkError, TerminalError, TransientError

ASK_TIMEOUT_S = 10.0
CREATE_TIMEOUT_S = 30.0
VISIBLE_TIMEOUT_S = 5.0
ANY_PARTITION = -1
"""Lets the client choose, by the key."""


class Rule(StrEnum):
    """The way a record gets its partition."""

    KEEP = "keep"
    HASH = "hash"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Partitions:
    """The rule by which a source partition's records go to partitions of the target."""

    rule: Rule = Rule.KEEP
    pairs: Mapping[int, int] = field(default_factory=dict)

    def of(self, partition: int) -> int:
        """The target's partition, `ANY_PARTITION` where the key decides.

        Raises:
            ConfigError: The map doesn't name it.
        """
        if self.rule is Rule.HASH:
            return ANY_PARTITION
        if self.rule is Rule.KEEP:
            return partition
        if partition not in self.pairs:
            raise ConfigError([Problem("--partitions", f"the map does not say where partition {partition} goes")])
        return self.pairs[partition]

    def __str__(self) -> str:
        """As the option is written."""
        if self.rule is not Rule.MAP:
            return self.rule
        return ",".join(f"{source}:{target}" for source, target in sorted(self.pairs.items()))


def parse_partitions(text: str) -> Partitions:
    """`keep`, `hash`, or a map such as `0:2,1:0`.

    Raises:
        ConfigError: It is none of these.
    """
    word = text.strip().lower()
    if word in {Rule.KEEP, Rule.HASH}:
        return Partitions(Rule(word))
    pairs: dict[int, int] = {}
    for pair in word.split(","):
        source, colon, target = pair.strip().partition(":")
        if not (colon and source.strip().isdecimal() and target.strip().isdecimal()) or int(source) in pairs:
            problem = Problem("--partitions", f"{text!r} is not keep, hash, or a map such as 0:2,1:0")
            raise ConfigError([problem])
        pairs[int(source)] = int(target)
    return Partitions(Rule.MAP, pairs)


def make_admin(properties: Mapping[str, str]) -> AdminClient:
    """A client that asks for topics."""
    return make_client(AdminClient, {**plain_properties(properties), "log_level": 2})


def plain_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Keep the properties that reach the brokers, and leave out producers' properties."""
    prefixes = ("bootstrap.", "security.", "sasl.", "ssl.", "client.", "socket.", "broker.")
    return {key: value for key, value in properties.items() if key.startswith(prefixes)}


def partition_count(admin: AdminClient, topic: str, bootstrap: str) -> int | None:
    """Ask how many partitions a topic has.

    Args:
        admin: A client of the target's brokers.
        topic: The topic. Asking for it does not create it.
        bootstrap: The brokers' addresses, for errors.

    Returns:
        The number, None where there is no such topic.

    Raises:
        TransientError: No broker answers.
        TerminalError: It may not be asked.
    """
    try:
        # All topics are listed: asking for one by name could create it.
        found = admin.list_topics(timeout=ASK_TIMEOUT_S).topics.get(topic)
    except KafkaException as error:
        raise explain(error, f"topic {topic} can't be asked for at {bootstrap}") from error
    if found is not None and found.error is not None:
        raise explain(found.error, f"topic {topic} can't be asked for at {bootstrap}")
    return None if found is None else len(found.partitions)


def create_topic(admin: AdminClient, topic: str, partitions: int, bootstrap: str) -> None:
    """Make a topic with the brokers' default replication, and wait until it is listed.

    Args:
        admin: A client of the target's brokers.
        topic: The topic. One that exists is left as it is.
        partitions: How many it gets.
        bootstrap: The brokers' addresses, for errors.

    Raises:
        TransientError: It can't be made now.
        TerminalError: It can't be made.
    """
    try:
        admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1)])[topic].result(
            CREATE_TIMEOUT_S
        )
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise explain(error, f"topic {topic} can't be created") from error
    deadline = time.monotonic() + CREATE_TIMEOUT_S
    while partition_count(admin, topic, bootstrap) is None:
        if time.monotonic() > deadline:
            raise TransientError(f"topic {topic} was created and is not listed", hint="try again")
        time.sleep(0.1)


def wait_until_visible(admin: AdminClient, topic: str, partitions: Iterable[int]) -> None:
    """Wait until readers of committed records see what was committed, for `VISIBLE_TIMEOUT_S` at most.

    A commit is answered before its markers are written; a reader that compares at once would miss the last records.

    Args:
        admin: A client of the target's brokers.
        topic: The target topic.
        partitions: The partitions to wait for.
    """
    asked = [TopicPartition(topic, partition) for partition in partitions]
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while asked and time.monotonic() < deadline:
        ends = [_ends(admin, asked, level) for level in (_COMMITTED, _UNCOMMITTED)]
        asked = [at for at in asked if ends[0].get(at.partition) != ends[1].get(at.partition)]
        if asked:
            time.sleep(0.02)


def _ends(admin: AdminClient, asked: list[TopicPartition], level: IsolationLevel) -> dict[int, int]:
    wanted = {at: OffsetSpec.latest() for at in asked}  # type: ignore[no-untyped-call]
    found = admin.list_offsets(wanted, isolation_level=level, request_timeout=ASK_TIMEOUT_S)
    try:
        return {at.partition: future.result(ASK_TIMEOUT_S).offset for at, future in found.items()}
    except KafkaException:
        return {}


_COMMITTED, _UNCOMMITTED = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED

_HINTS = {
    Failure.AWAY: "is the broker up, and reachable from here?",
    Failure.UNKNOWN_OUTCOME: "is the broker up, and reachable from here?",
    Failure.BUSY: "try again",
    Failure.REBALANCING: "try again",
    Failure.FENCED: "that replay goes on where this one stood; nothing is lost or doubled",
    Failure.DENIED: "give the client permission, or other credentials (--command-config)",
    Failure.REJECTED: "the brokers can't take it as it is: look at their limits, and the topic's",
    Failure.MISSING: "was it deleted?",
}
_CODES = {
    KafkaError._UNKNOWN_PARTITION: "the topic has too few partitions",  # noqa: SLF001 - librdkafka's own codes are so named
    KafkaError.MSG_SIZE_TOO_LARGE: "raise max.message.bytes of the topic",
    KafkaError._MSG_TIMED_OUT: "is the broker up, and has its disk room?",  # noqa: SLF001
    KafkaError.INVALID_TIMESTAMP: "the topic's message.timestamp limits refuse the records' own times",
    KafkaError.INVALID_RECORD: "the topic refuses such records: is it compacted, and they have no keys?",
    KafkaError.POLICY_VIOLATION: "the brokers' policy refuses it",
}
"""What more there is to say of some codes."""


def explain(error: KafkaException | KafkaError, what: str) -> StreamsinkError:
    """Turn an error of Kafka's into one of ours, with a hint.

    Args:
        error: Kafka's error.
        what: What can't be done, as the start of the message.

    Returns:
        A `TransientError` where it may pass by itself, else a `TerminalError`.
    """
    cause: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    failure = failure_of(cause)
    if failure is Failure.FENCED:
        return TerminalError(f"{what}: another replay with the same resume id has begun", hint=_HINTS[failure])
    kind = TransientError if failure.may_pass else TerminalError
    return kind(f"{what}: {cause.str()}", hint=_CODES.get(cause.code(), _HINTS[failure]))
