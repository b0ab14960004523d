"""librdkafka's settings for a sink's consumer: what correctness rests on, what speed does, what users may change."""

from __future__ import annotations

from collections.abc import Mapping

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
    "session.timeout.ms": "45000",
    "max.poll.interval.ms": "300000",
    "socket.keepalive.enable": "true",
    "reconnect.backoff.max.ms": "5000",
    "topic.metadata.refresh.interval.ms": "15000",
    "allow.auto.create.topics": "false",
    "statistics.interval.ms": "10000",
    "client.id": "streamsink",
}
"""A full queue makes librdkafka wait `fetch.queue.backoff.ms`, a second by default, which starves a fast sink."""


def consumer_settings(properties: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Settings for librdkafka, and which of the user's are ignored; for `auto.offset.reset` see `start_at_end`."""
    ignored = [key for key in FIXED if key in properties and key != "auto.offset.reset"]
    return {**DEFAULTS, **properties, **FIXED}, ignored


def start_at_end(properties: Mapping[str, str]) -> bool:
    """Whether a partition without a commit is read from its end, not, as Connect's sinks do, its beginning."""
    return properties.get("auto.offset.reset", "earliest") in {"latest", "largest", "end"}
