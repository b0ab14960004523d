"""This worker in Kafka's group protocol: which slots are its own. Knows slots only, neither connectors nor tasks.

A slot is a partition of the slots topic. The consumer is subscribed to that topic and never reads it: whom Kafka
gives a partition runs what is in that slot. Cooperative, so a rebalance leaves alone what stays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from streamsink.observe.vital import VitalThread

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition

POLL_S = 0.2
CLOSE_S = 15.0

_log = structlog.get_logger(__name__)

LetGo = Callable[[frozenset[int]], None]
"""Returns once nothing of these slots runs here any more, or the time for it is over."""


class GroupMember:
    """Runs in its own thread, from `start` to `stop`.

    Args:
        topic: The slots topic.
        group: The workers' group.
        properties: How to reach the brokers, how the group assigns (cooperatively), and the session's times, in
            librdkafka's words.
        let_go: Ends what runs in slots that go to others; called in the member's thread, which does not poll then.
    """

    def __init__(self, topic: str, group: str, properties: Mapping[str, str], let_go: LetGo) -> None:
        self._topic = topic
        self._group = group
        self._properties = dict(properties)
        self._let_go = let_go
        self._slots: frozenset[int] = frozenset()
        self._joined = False
        self._problem = "the worker has not joined its group yet"
        self._stop = threading.Event()
        self._thread = VitalThread(self._run, name="group-member", died=self._died)
        self._consumer: Consumer | None = None
        self.polled_at = time.monotonic()

    @property
    def slots(self) -> frozenset[int]:
        """The slots that are this worker's now."""
        return self._slots

    @property
    def problem(self) -> str:
        """Why it is not in the group, or ""."""
        return self._problem

    @property
    def dead(self) -> str:
        """Why its thread has died, or ""."""
        return self._thread.problem

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the group, once everything has been let go; bounded."""
        self._stop.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        from confluent_kafka import Consumer  # noqa: PLC0415 (heavy)

        from streamsink.consume.clients import make_client  # noqa: PLC0415
        from streamsink.consume.failures import words_of  # noqa: PLC0415

        consumer = make_client(
            Consumer,
            {
                **self._properties,
                "group.id": self._group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "latest",
                "reconnect.backoff.max.ms": "1000",
                "allow.auto.create.topics": False,
                "topic.metadata.refresh.interval.ms": "15000",
                "error_cb": self._erred,
            },
        )
        consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        while not self._stop.is_set():
            try:
                message = consumer.poll(POLL_S)
            except Exception as error:  # noqa: BLE001 (a worker that does not poll loses its slots)
                _log.warning("the group can't be polled", reason=words_of(error), hint="it is tried again")
                self._stop.wait(1.0)
                continue
            self.polled_at = time.monotonic()
            if message is not None and message.error() is not None:
                self._erred(message.error())
        consumer.close()
        self._slots = frozenset()

    def _died(self) -> None:
        """Who does not poll owns nothing: the group gives its slots to others once the session is over."""
        self._slots = frozenset()
        self._problem = self._thread.problem

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._slots |= {at.partition for at in partitions}
        self._problem = ""
        _log.info("slots assigned", new=len(partitions), slots=len(self._slots))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = frozenset(at.partition for at in partitions)
        self._slots -= gone
        _log.info("slots revoked", gone=len(gone), slots=len(self._slots))
        self._let_go(gone)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = frozenset(at.partition for at in partitions)
        self._slots -= gone
        self._problem = "the worker has been silent for too long and lost its slots"
        _log.warning("slots lost", gone=len(gone), hint="the brokers were away for longer than session.timeout.ms")
        consumer.incremental_unassign(partitions)

    def _erred(self, error: KafkaError | None) -> None:
        from confluent_kafka import KafkaError as Codes  # noqa: PLC0415 (heavy)

        if error is None:
            return
        if error.code() == Codes.INCONSISTENT_GROUP_PROTOCOL:
            self._problem = f"group {self._group} belongs to others, perhaps a Kafka Connect cluster that still runs"
        elif error.fatal():
            self._problem = f"the worker was fenced: {error.str()}"
            self._slots = frozenset()
        else:
            return
        _log.error("the worker can't join its group", reason=self._problem, hint="stop the others; see group.id")
