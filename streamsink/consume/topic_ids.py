"""Asks brokers for topics' ids (KIP-516; one made anew under an old name has another) and policies. Remembers no id."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from streamsink.consume.clients import make_client
from streamsink.consume.failures import explain, failure_of
from streamsink.consume.protocol import Failure

ASK_TIMEOUT_S = 10.0
"""For one call, whatever it asks for."""
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers without topic ids tell: sixteen zero bytes."""

_OF_THE_GROUP = ("group.", "auto.", "enable.", "isolation.", "fetch.", "queued.", "session.", "heartbeat.", "max.poll")


class TopicIds:
    """One client for all questions, made with the first. A call waits for the network: never make it in a callback.

    Args:
        properties: A consumer's, in librdkafka's words; only how to reach the brokers matters.
    """

    def __init__(self, properties: Mapping[str, str]) -> None:
        reach = {key: value for key, value in properties.items() if not key.startswith(_OF_THE_GROUP)}
        self._properties = {**reach, "log_level": "0"}
        self._client: AdminClient | None = None
        self._has_ids: bool | None = None

    def __call__(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids of those topics that have one, as Kafka writes them.

        Args:
            topics: Names.

        Raises:
            TransientError: No broker answers in time.
            TerminalError: The properties can't be used.
        """
        names = sorted(set(topics))
        if not names:
            return {}
        deadline_s = time.monotonic() + ASK_TIMEOUT_S
        admin = self._admin()
        if self._has_ids is None:
            self._has_ids = not _has_no_controller(admin, deadline_s)
        if not self._has_ids:
            return {}
        left_s = max(1.0, deadline_s - time.monotonic())
        asked = admin.describe_topics(TopicCollection(names), request_timeout=left_s)
        found: dict[str, str] = {}
        for name, answer in asked.items():
            try:
                topic_id = str(answer.result(max(0.1, deadline_s - time.monotonic()) + 1).topic_id)
            except KafkaException as error:
                failure = failure_of(error.args[0])
                if failure.may_pass:
                    raise explain(error.args[0], doing="asking for topics' ids") from error
                if failure is Failure.MISSING:
                    continue
                return found
            if topic_id != NO_ID:
                found[name] = topic_id
        return found

    def compacted(self, topics: Iterable[str]) -> dict[str, bool]:
        """Whether `cleanup.policy` of topics contains `compact`; topics whose policy brokers don't tell are left out.

        Args:
            topics: Names.

        Raises:
            TransientError: No broker answers in time.
            TerminalError: The properties can't be used.
        """
        names = sorted(set(topics))
        if not names or self._has_ids is False:
            return {}
        deadline_s = time.monotonic() + ASK_TIMEOUT_S
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        asked = self._admin().describe_configs(resources, request_timeout=ASK_TIMEOUT_S)
        found: dict[str, bool] = {}
        for resource, answer in asked.items():
            try:
                policy = answer.result(max(0.1, deadline_s - time.monotonic()) + 1).get("cleanup.policy")
            except KafkaException as error:
                if failure_of(error.args[0]).may_pass:
                    raise explain(error.args[0], doing="asking for topics' policies") from error
                continue
            if policy is not None and policy.value is not None:
                found[resource.name] = "compact" in policy.value
        return found

    def _admin(self) -> AdminClient:
        if self._client is None:
            self._client = make_client(AdminClient, self._properties)
        return self._client


def _has_no_controller(admin: AdminClient, deadline_s: float) -> bool:
    """Whether the cluster names a controller that it doesn't have, as librdkafka's mock cluster does: it keeps no ids.

    Asked for them, a client waits for that controller until its time is up. A real cluster without one says -1.
    """
    try:
        cluster = admin.list_topics(timeout=deadline_s - time.monotonic())
    except KafkaException as error:
        raise explain(error.args[0], doing="asking for topics' ids") from error
    return cluster.controller_id >= 0 and cluster.controller_id not in cluster.brokers
