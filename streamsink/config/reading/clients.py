"""Makes the properties of Kafka clients, in librdkafka's words, from worker and connector. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config.keys.definition import Values
from streamsink.config.reading.group_protocol import KEY as GROUP_PROTOCOL
from streamsink.config.reading.group_protocol import GroupProtocol, for_protocol, protocol_of
from streamsink.config.reading.java_clients import Translation, translate

COMMON_PREFIXES = ("security.", "sasl.", "ssl.", "client.dns.lookup")
"""Worker keys that every client of it gets."""

PRINCIPAL_KEYS = frozenset({"security.protocol", "sasl.jaas.config", "sasl.mechanism"})
"""What connectors may override where the policy is Principal."""


def read_clients(values: Values, worker: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Make the properties of a connector's consumer and producer.

    Args:
        values: The connector's map. Its `consumer.override.*` and `producer.override.*` win; problems go here.
        worker: The worker's flat map, secrets resolved: bootstrap servers, security and clients' defaults.

    Returns:
        The consumer's and the producer's properties in librdkafka's names. The consumer has a `group.id` in any case.
    """
    name = values.text("name")
    _check_policy(values, worker)
    consumer = _properties(values, worker, "consumer")
    producer = _properties(values, worker, "producer")
    group = values.raw.get("consumer.override.group.id", "").strip()
    consumer = _for_protocol(values, consumer)
    consumer["group.id"] = group or f"connect-{name}"
    consumer.setdefault("client.id", f"connector-consumer-{name}")
    producer.setdefault("client.id", f"connector-producer-{name}")
    return consumer, producer


def _for_protocol(values: Values, consumer: Mapping[str, str]) -> dict[str, str]:
    """The consumer's properties as its group's protocol takes them; the connector's that are left out are warned of."""
    override = "consumer.override."
    if protocol_of(consumer) is None:
        said = f"must be one of {', '.join(GroupProtocol)}"
        values.problem(f"{override}{GROUP_PROTOCOL}", said)
    taken, left_out = for_protocol(consumer)
    for key, why in left_out.items():
        if f"{override}{key}" in values.raw:
            values.warn(f"{override}{key}: without effect with {GROUP_PROTOCOL}={GroupProtocol.CONSUMER}: {why}")
    return taken


def as_member(consumer: Mapping[str, str], task_id: int) -> dict[str, str]:
    """Make a task's consumer properties. Tasks of one connector must not share a static member id (KIP-345).

    The id is the same on each worker that runs the task. A worker that takes over replaces the other in the group at
    once.

    Args:
        consumer: The connector's consumer properties, in librdkafka's names.
        task_id: The task's number. It is added to `group.instance.id`.

    Returns:
        A copy; without static membership nothing in it differs.
    """
    instance = consumer.get("group.instance.id", "").strip()
    return {**consumer, "group.instance.id": f"{instance}-{task_id}"} if instance else dict(consumer)


def worker_client_properties(worker: Mapping[str, str]) -> Translation:
    """Make the properties that the worker's clients need to reach Kafka: brokers and how to log in."""
    return translate(_common(worker))


def _common(worker: Mapping[str, str]) -> dict[str, str]:
    servers = worker.get("bootstrap.servers", "").strip()
    found = {"bootstrap.servers": servers} if servers else {}
    return found | {key: value for key, value in worker.items() if key.startswith(COMMON_PREFIXES)}


def _below(raw: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in raw.items() if key.startswith(prefix)}


def _properties(values: Values, worker: Mapping[str, str], kind: str) -> dict[str, str]:
    """Worker's common keys, then its keys for such clients, then the connector's."""
    override = f"{kind}.override."
    own = _below(values.raw, override)
    java = _common(worker) | _below(worker, f"{kind}.")
    if "group.id" in java:
        del java["group.id"]
    translated = translate(_without_clashes(java, own) | own)
    for key, wrong in translated.problems:
        source = f"{override}{key}" if key in own else key
        if source.startswith(override) or kind == "consumer":
            values.problem(source, wrong if source.startswith(override) else f"{wrong} (in the worker's configuration)")
    for key, said in translated.warnings:
        if key in own:
            values.warn(f"{override}{key}: {said}")
        elif kind == "consumer":
            values.warn(f"{key}, of the worker: {said}")
    return translated.properties


_LOGIN = ("sasl.jaas.config", "sasl.username", "sasl.password")


def _without_clashes(java: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The worker's properties without its login where the connector has its own, in whichever form."""
    replaced = any(key in own for key in _LOGIN)
    return {key: value for key, value in java.items() if not (replaced and key in _LOGIN)}


def _check_policy(values: Values, worker: Mapping[str, str]) -> None:
    policy = worker.get("connector.client.config.override.policy", "All").strip().lower()
    if policy not in {"none", "principal"}:
        return
    for key in values.raw:
        for prefix in ("consumer.override.", "producer.override.", "admin.override."):
            inner = key.removeprefix(prefix)
            if inner != key and not (policy == "principal" and inner in PRINCIPAL_KEYS):
                values.problem(key, f"the worker's connector.client.config.override.policy is {policy.capitalize()}")
