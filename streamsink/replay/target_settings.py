"""Settings of a topic that would change records sent to it, or drop them. Asks brokers; changes only new topics.

Kafka takes records whose times are old, and its retention deletes them minutes later. A topic with LogAppendTime gives
each record a new time. Both are found here, before the first record is sent, from what objects say of their records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from streamsink.errors import TerminalError
from streamsink.replay.target import ASK_TIMEOUT_S, explain

UNLIMITED = "-1"
LONG_MAX = str(2**63 - 1)
HINT = "change the topic, choose another, or say --allow-target-changes (allow.target.changes=true)"
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class UnfitSetting:
    """A setting of the target that would change records or drop them.

    Attributes:
        setting: Its name.
        value: As it is.
        harmless: The value that would keep the records.
        reason: What it does to which records.
    """

    setting: str
    value: str
    harmless: str
    reason: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.setting}={self.value}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """Facts of the records to send, known before one is read. Times are milliseconds, None where unknown."""

    oldest_ms: int | None = None
    newest_ms: int | None = None
    partition_bytes_max: int = 0
    """The size of the largest partition as archived, compressed: it takes at least about as much in the topic."""


def find_unfit(settings: Mapping[str, str], facts: RecordFacts, *, now_ms: int) -> list[UnfitSetting]:
    """Compare a topic's settings with the records. Pure.

    Args:
        settings: The topic's, by name.
        facts: What is known of the records.
        now_ms: The time.

    Returns:
        The settings that would change or drop records, each with a value that is harmless.
    """
    found: list[UnfitSetting] = []
    stamped = settings.get("message.timestamp.type") == "LogAppendTime"
    if stamped:
        reason = "each record would get the time at which it is replayed"
        found.append(UnfitSetting("message.timestamp.type", "LogAppendTime", "CreateTime", reason))
    age_ms = 0 if facts.oldest_ms is None or stamped else now_ms - facts.oldest_ms
    ahead_ms = 0 if facts.newest_ms is None or stamped else facts.newest_ms - now_ms
    deletes = "delete" in settings.get("cleanup.policy", "delete")
    retention_ms = _number(settings, "retention.ms")
    if deletes and retention_ms is not None and 0 <= retention_ms < age_ms:
        reason = f"the oldest record is {_days(age_ms)} old, and records older than {_days(retention_ms)} are deleted"
        found.append(UnfitSetting("retention.ms", str(retention_ms), UNLIMITED, reason))
    retention_bytes = _number(settings, "retention.bytes")
    if deletes and retention_bytes is not None and 0 <= retention_bytes < facts.partition_bytes_max:
        reason = f"a partition has {facts.partition_bytes_max:,} bytes of objects, and the oldest records are deleted"
        found.append(UnfitSetting("retention.bytes", str(retention_bytes), UNLIMITED, reason))
    for setting, distance_ms, which in (
        ("message.timestamp.before.max.ms", age_ms, "the oldest is older by"),
        ("message.timestamp.after.max.ms", ahead_ms, "the newest is ahead by"),
        ("message.timestamp.difference.max.ms", max(age_ms, ahead_ms), "the farthest is away by"),
    ):
        limit_ms = _number(settings, setting)
        if limit_ms is not None and distance_ms > limit_ms:
            reason = f"the broker refuses records more than {_days(limit_ms)} away; {which} {_days(distance_ms)}"
            found.append(UnfitSetting(setting, str(limit_ms), LONG_MAX, reason))
    return found


def read_settings(admin: AdminClient, topic: str) -> dict[str, str] | None:
    """Ask for a topic's settings.

    Args:
        admin: A client of the target's brokers.
        topic: The target's name.

    Returns:
        Settings by name, None where the brokers don't tell this client.

    Raises:
        TransientError: No broker answers.
        TerminalError: They can't be read.
    """
    asked = ConfigResource(ResourceType.TOPIC, topic)
    try:
        cluster = admin.list_topics(timeout=ASK_TIMEOUT_S)
        if cluster.controller_id not in cluster.brokers:
            # The question goes to the controller, and librdkafka's mock cluster has none.
            return None
        found = _result(admin.describe_configs([asked], request_timeout=ASK_TIMEOUT_S))
    except KafkaException as error:
        if error.args[0].code() in _UNTOLD:
            return None
        raise explain(error, f"the settings of topic {topic} can't be read") from error
    return {name: str(entry.value) for name, entry in found.items()}


def mend_new_topic(admin: AdminClient, topic: str, unfit: Iterable[UnfitSetting]) -> None:
    """Give a topic that was just made the settings that keep the records.

    Args:
        admin: A client of the target's brokers.
        topic: The target's name.
        unfit: The settings to change; each becomes its harmless value.

    Raises:
        TerminalError: This client may not change it.
        TransientError: No broker answers.
    """
    entries = [ConfigEntry(one.setting, one.harmless, incremental_operation=AlterConfigOpType.SET) for one in unfit]
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    try:
        _result(admin.incremental_alter_configs([changed], request_timeout=ASK_TIMEOUT_S))
    except KafkaException as error:
        raise explain(error, f"topic {topic} was made, and can't be given settings that keep the records") from error


def refuse(topic: str, unfit: Iterable[UnfitSetting]) -> None:
    """Say what would happen to the records, where a setting is unfit.

    Args:
        topic: The target's name, for the message.
        unfit: What was found; nothing happens where there is none.

    Raises:
        TerminalError: A setting is unfit.
    """
    told = "; ".join(map(str, unfit))
    if told:
        raise TerminalError(f"topic {topic} would not keep the records as they are: {told}", hint=HINT)


def batch_bytes(settings: Mapping[str, str] | None, wanted: int) -> int:
    """Limit a producer's batches: a broker refuses one that is larger than the topic's `max.message.bytes`.

    Args:
        settings: The topic's settings by name; None where they aren't known.
        wanted: Bytes of a batch without that limit.

    Returns:
        Bytes of the largest batch, nine tenths of the topic's limit at most.
    """
    limit = _number(settings or {}, "max.message.bytes")
    return wanted if limit is None else max(1, min(wanted, limit * 9 // 10))


def _number(settings: Mapping[str, str], name: str) -> int | None:
    text = settings.get(name, "")
    return int(text) if text.lstrip("-").isdecimal() else None


def _days(span_ms: int) -> str:
    return f"{span_ms / _DAY_MS:,.1f} days" if span_ms >= _DAY_MS else f"{span_ms / 1000:,.0f} s"


def _result(asked: Mapping[ConfigResource, Future[Any]]) -> Any:
    (future,) = asked.values()
    return future.result(ASK_TIMEOUT_S)


_UNTOLD = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - librdkafka's own codes are named so
    }
)
