"""Makes the worker's topics where they are missing, and checks them where they exist. Keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from streamsink.errors import ConfigError, Problem, TransientError

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

ASK_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A compacted topic of the worker's. `key` is the configuration key that names it."""

    key: str
    name: str
    partitions: int
    replication: int
    partitions_exact: bool = False


def ensure_topics(topics: list[InternalTopic], properties: Mapping[str, str]) -> dict[str, int]:
    """Make the topics that are missing, and check the others.

    Args:
        topics: The worker's topics, with the partitions that they need.
        properties: How to reach the brokers, in librdkafka's words.

    Returns:
        Partitions by topic.

    Raises:
        ConfigError: One that is there can't be used.
        TerminalError: The settings of the client can't be used.
        TransientError: Kafka does not answer, or can't make it now.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415 (heavy)
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    from streamsink.consume.clients import make_client  # noqa: PLC0415

    admin = make_client(AdminClient, {**properties, "log_level": "2"})
    try:
        known = admin.list_topics(timeout=ASK_S).topics
        missing = [topic for topic in topics if topic.name not in known]
        _create(admin, missing)
        if missing:
            known = admin.list_topics(timeout=ASK_S).topics
        policies = _policies(admin, [topic.name for topic in topics])
    except KafkaException as error:
        raise TransientError(f"Kafka does not answer: {error.args[0].str()}", hint="check bootstrap.servers") from None
    problems = []
    for topic in topics:
        if topic.name not in known or not known[topic.name].partitions:
            raise TransientError(f"topic {topic.name} was made and is not there yet", hint="it is looked for again")
        found = len(known[topic.name].partitions)
        if topic.partitions_exact and found != topic.partitions:
            problems.append(Problem(topic.key, f"topic {topic.name} has {found} partitions, not {topic.partitions}"))
        if policies.get(topic.name, "compact") != "compact":
            problems.append(
                Problem(topic.key, f"topic {topic.name} has cleanup.policy={policies[topic.name]}, which loses records")
            )
    if problems:
        raise ConfigError(problems, hint="set cleanup.policy=compact on it, or name another topic")
    return {topic.name: len(known[topic.name].partitions) for topic in topics}


def _create(admin: AdminClient, missing: list[InternalTopic]) -> None:
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 (heavy)
    from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415

    if not missing:
        return
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication,
            config={"cleanup.policy": "compact"},
        )
        for topic in missing
    ]
    for name, answer in admin.create_topics(wanted, request_timeout=ASK_S).items():
        try:
            answer.result(ASK_S + 1)
            _log.info("topic made", topic=name)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise TransientError(
                f"topic {name} can't be made: {error.args[0].str()}",
                hint="with fewer than three brokers, set its replication.factor; or make it yourself, compacted",
            ) from None


def _policies(admin: AdminClient, names: list[str]) -> dict[str, str]:
    """Each topic's cleanup.policy, where we may know it."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 (heavy)
    from confluent_kafka.admin._config import ConfigResource  # noqa: PLC0415
    from confluent_kafka.admin._resource import ResourceType  # noqa: PLC0415

    from streamsink.consume.failures import words_of  # noqa: PLC0415

    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=ASK_S)
    found = {}
    for resource, answer in asked.items():
        try:
            found[resource.name] = str(answer.result(ASK_S + 1)["cleanup.policy"].value)
        except (KafkaException, KeyError) as error:
            _log.warning("a topic's cleanup.policy is not known", topic=resource.name, reason=words_of(error))
    return found
