"""Reads a distributed worker's settings: names of topics, times of sessions. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.config.keys.worker import WORKER
from streamsink.config.reading.clients import worker_client_properties
from streamsink.config.reading.group_protocol import KEY as GROUP_PROTOCOL
from streamsink.config.reading.group_protocol import for_protocol
from streamsink.worker.distributed.topics import InternalTopic

REBALANCE_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class DistributedSettings:
    """`client` reaches the brokers, `member` also keeps the session; both in librdkafka's words."""

    group: str
    config: InternalTopic
    status: InternalTopic
    slots: InternalTopic
    client: Mapping[str, str]
    member: Mapping[str, str]
    let_go_s: float


def read_settings(worker: Mapping[str, str]) -> DistributedSettings:
    """Settings of a worker's flat map that has been checked, secrets resolved."""
    values = WORKER.read(worker)
    group = values.text("group.id").strip()

    def topic(prefix: str, name: str, partitions: int, *, exact: bool = False) -> InternalTopic:
        key = f"{prefix}.topic"
        # Connect's files know nothing of topics of ours: these have as many replicas as that of connectors.
        said = f"{prefix}.replication.factor"
        replication = values.whole(said if values.given(said) else "config.storage.replication.factor")
        return InternalTopic(key, values.text(key).strip() or f"{group}-{name}", partitions, replication, exact)

    session_ms, rebalance_ms = values.whole("session.timeout.ms"), values.whole("rebalance.timeout.ms")
    client = dict(worker_client_properties(worker).properties)
    member = {
        **client,
        "session.timeout.ms": str(session_ms),
        "heartbeat.interval.ms": str(values.whole("heartbeat.interval.ms")),
        "max.poll.interval.ms": str(max(rebalance_ms, session_ms)),
    }
    protocol = values.text(GROUP_PROTOCOL)
    member, _ = for_protocol(
        {**member, GROUP_PROTOCOL: protocol, "partition.assignment.strategy": "cooperative-sticky"}
    )
    if instance := values.text("group.instance.id").strip():
        member["group.instance.id"] = instance
    return DistributedSettings(
        group,
        topic("config.storage", "configs", 1, exact=True),
        topic("status.storage", "status", values.whole("status.storage.partitions")),
        topic("slots.storage", "slots", values.whole("slots.storage.partitions")),
        client,
        member,
        max(1.0, max(rebalance_ms, session_ms) / 1000 - REBALANCE_MARGIN_S),
    )


def with_sessions(worker: Mapping[str, str]) -> dict[str, str]:
    """The worker's flat map for its tasks: their consumers' sessions are as short as its own, unless it says else.

    A worker that dies takes its tasks along, and what they read waits for their sessions too.
    """
    named = ("session.timeout.ms", "heartbeat.interval.ms")
    defaults = {f"consumer.{key}": worker.get(key) or WORKER[key].default_text or "" for key in named}
    return defaults | dict(worker)
