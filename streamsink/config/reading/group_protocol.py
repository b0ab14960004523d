"""Kafka's two group protocols (KIP-848), and which of a member's properties only the classic one takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

KEY = "group.protocol"


class GroupProtocol(StrEnum):
    """The protocol by which the members of a group share partitions."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    """The brokers assign, and set the session's times. Needs Kafka 4.0."""


SET_BY_BROKERS = {
    "session.timeout.ms": "the brokers set it: group.consumer.session.timeout.ms, or consumer.session.timeout.ms "
    "of the group",
    "heartbeat.interval.ms": "the brokers set it: group.consumer.heartbeat.interval.ms, or "
    "consumer.heartbeat.interval.ms of the group",
    "partition.assignment.strategy": "the brokers assign: see group.remote.assignor",
    "group.protocol.type": "only classic groups have it",
}
"""Properties that librdkafka refuses together with `group.protocol=consumer`, and what decides instead."""


def protocol_of(properties: Mapping[str, str]) -> GroupProtocol | None:
    """The protocol that a member's properties ask for; None where there is no such protocol."""
    said = properties.get(KEY, "").strip().lower() or GroupProtocol.CLASSIC
    return GroupProtocol(said) if said in set(GroupProtocol) else None


def for_protocol(properties: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """A member's properties as its protocol takes them.

    Args:
        properties: librdkafka's.

    Returns:
        The properties, and each property that is left out with the thing that decides instead.
    """
    if protocol_of(properties) is not GroupProtocol.CONSUMER:
        return dict(properties), {}
    left_out = {key: why for key, why in SET_BY_BROKERS.items() if key in properties}
    kept = {key: value for key, value in properties.items() if key not in left_out}
    return {**kept, KEY: GroupProtocol.CONSUMER.value}, left_out
