"""Asks the brokers for topics' ids (KIP-516): a topic made anew under an old name has another. Remembers nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamsink.consume.failures import AWAY, explain
from streamsink.consume.quiet import librdkafka_log

ASK_TIMEOUT_S = 15.0
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers without topic ids tell: sixteen zero bytes."""

_OF_THE_GROUP = ("group.", "auto.", "enable.", "isolation.", "fetch.", "queued.", "session.", "heartbeat.", "max.poll")
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001


def ask_topic_ids(properties: Mapping[str, str], topics: Iterable[str]) -> dict[str, str]:
    """The ids of those topics that have one, as Kafka writes them.

    Args:
        properties: A consumer's, in librdkafka's words; only how to reach the brokers matters.
        topics: Names.

    Raises:
        TransientError: No broker answers in time.
    """
    names = sorted(set(topics))
    if not names:
        return {}
    reach = {key: value for key, value in properties.items() if not key.startswith(_OF_THE_GROUP)}
    admin = AdminClient({**reach, "log_level": "0"}, logger=librdkafka_log())
    if _has_no_controller(admin):
        return {}
    asked = admin.describe_topics(TopicCollection(names), request_timeout=ASK_TIMEOUT_S)
    found: dict[str, str] = {}
    for name, answer in asked.items():
        try:
            topic_id = str(answer.result(ASK_TIMEOUT_S + 1).topic_id)
        except KafkaException as error:
            if error.args[0].code() in AWAY:
                raise explain(error.args[0], doing="asking for topics' ids") from error
            if error.args[0].code() in _GONE:
                continue
            return found
        if topic_id != NO_ID:
            found[name] = topic_id
    return found


def _has_no_controller(admin: AdminClient) -> bool:
    """Whether the cluster names a controller that it doesn't have, as librdkafka's mock cluster does: it keeps no ids.

    Asked for them, a client waits for that controller until its time is up. A real cluster without one says -1.
    """
    try:
        cluster = admin.list_topics(timeout=ASK_TIMEOUT_S)
    except KafkaException as error:
        raise explain(error.args[0], doing="asking for topics' ids") from error
    return cluster.controller_id >= 0 and cluster.controller_id not in cluster.brokers
