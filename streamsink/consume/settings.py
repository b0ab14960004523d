"""librdkafka's settings for a sink's consumer: some for correctness, some for speed, some of the user's."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config.reading.group_protocol import for_protocol

FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "cooperative-sticky",
}
"""Correctness rests on these: a user's value is ignored, and that is said; `auto.offset.reset` is ours to do."""

DEFAULTS = {
    "isolation.level": "read_committed",
    "fetch.queue.backoff.ms": "5",
    "queued.max.messages.kbytes": "4096",
    "queued.min.messages": "100000",
    "fetch.wait.max.ms": "100",
    "fetch.message.max.bytes": "4194304",
    "receive.message.max.bytes": "2147483647",
    "session.timeout.ms": "45000",
    "max.poll.interval.ms": "300000",
    "socket.keepalive.enable": "true",
    "reconnect.backoff.max.ms": "5000",
    "topic.metadata.refresh.interval.ms": "15000",
    "allow.auto.create.topics": "false",
    "statistics.interval.ms": "10000",
    "client.id": "streamsink",
}
"""A full queue makes librdkafka wait `fetch.queue.backoff.ms`, a second by default, which starves a fast sink.

A broker sends a record however small the fetch is. Past `receive.message.max.bytes`, 100 MB by default, librdkafka
drops the connection, again and again: then the partition stands still for good.
"""

COMMITTED_TIMEOUT_S = 10.0
"""How long committed offsets are asked for when partitions are assigned, at most; then the group is joined anew."""


def consumer_settings(properties: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings for librdkafka.

    Args:
        properties: The user's, in librdkafka's words; for `auto.offset.reset` see `start_at_end`.

    Returns:
        The settings, and which of the user's are ignored, with the reason.
    """
    ours = "the sink's promise rests on its own value"
    ignored = {key: ours for key in FIXED if key in properties and key != "auto.offset.reset"}
    settings, left_out = for_protocol({**DEFAULTS, **properties, **FIXED})
    return settings, ignored | {key: why for key, why in left_out.items() if key in properties}


def start_at_end(properties: Mapping[str, str]) -> bool:
    """Whether a partition without a commit is read from its end, not, as Connect's sinks do, its beginning."""
    return properties.get("auto.offset.reset", "earliest") in {"latest", "largest", "end"}


def committed_timeout_s(settings: Mapping[str, str]) -> float:
    """The longest time to ask for committed offsets in a rebalance callback: neither session nor group wait for more.

    Where the brokers set the session's time, ours is a guess: theirs is not shorter by default.
    """
    session_s = int(settings.get("session.timeout.ms", DEFAULTS["session.timeout.ms"])) / 1000
    poll_s = int(settings.get("max.poll.interval.ms", DEFAULTS["max.poll.interval.ms"])) / 1000
    return min(COMMITTED_TIMEOUT_S, session_s / 2, poll_s / 4)
