"""The consumer groups that keep a replay's position: reads their offsets. Knows nothing of what the metadata say.

The first part of a position is in the group of the resume id, each further one in its own group.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streamsink.backoff import Backoff
from streamsink.consume.clients import make_client
from streamsink.consume.failures import FAILURES
from streamsink.consume.protocol import Failure
from streamsink.errors import TransientError
from streamsink.replay.position import parts_of
from streamsink.replay.target import explain

ATTEMPTS_MAX = 5
BACKOFF = Backoff(first_s=0.4, max_s=5.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A position to commit: on which partition of the target, which offset, and metadata, which alone count.

    `part` is 0 in the group of the resume id; others go to a further group each (`position.py`).
    """

    partition: int
    offset: int
    metadata: str
    part: int = 0


class PositionGroups:
    """The groups of one resume id. Their clients never join: they ask for offsets and commit them.

    Args:
        properties: How to reach the brokers, in librdkafka's words.
        resume_id: The first group's name.
    """

    def __init__(self, properties: Mapping[str, Any], resume_id: str) -> None:
        self._properties = properties
        self._resume_id = resume_id
        self._clients: dict[int, Consumer] = {0: self._make(0)}

    def name(self, part: int) -> str:
        """The group of a part."""
        return f"{self._resume_id}-lanes-{part}" if part else self._resume_id

    def client(self, part: int) -> Consumer:
        """The client of a part's group."""
        if part not in self._clients:
            self._clients[part] = self._make(part)
        return self._clients[part]

    def committed(self, topic: str, partitions: int) -> dict[int, list[str]]:
        """Read the metadata that are committed on a topic, by partition.

        Args:
            topic: The replay's target.
            partitions: How many it has.

        Returns:
            Metadata by target partition: the first part, and behind it the further parts that it names.

        Raises:
            TransientError: The brokers can't say now, or the client may not see a group.
            TerminalError: They refuse.
        """
        found = {partition: [text] for partition, text in self._committed(topic, 0, range(partitions)).items()}
        parts = {partition: parts_of(texts[0]) for partition, texts in found.items()}
        for part in range(1, max(parts.values(), default=0) + 1):
            asked = [partition for partition, count in parts.items() if count >= part]
            for partition, text in self._committed(topic, part, asked).items():
                found[partition].append(text)
        return found

    def _committed(self, topic: str, part: int, partitions: Iterable[int]) -> dict[int, str]:
        group = self.client(part)
        asked = [TopicPartition(topic, number) for number in partitions]
        found: list[TopicPartition] = []
        try:
            retry(lambda: found.extend(group.committed(asked, timeout=20)), "the position can't be read")
        except TransientError as error:
            # A client that may not see the group waits for its coordinator until its time is up.
            hint = f"is the broker up, and may the client use group {self.name(part)}?"
            raise TransientError(error.message, hint=hint) from error
        return {at.partition: at.metadata or "" for at in found if at.offset >= 0}

    def close(self) -> None:
        """Let go of all."""
        for client in self._clients.values():
            client.close()

    def _make(self, part: int) -> Consumer:
        settings = {**self._properties, "group.id": self.name(part), "enable.auto.commit": False, "log_level": 2}
        return make_client(Consumer, settings)


def retry(step: Callable[[], object], what: str) -> None:
    """Do a step; what may pass is tried again, with backoff, a few times.

    Args:
        step: Raises `KafkaException` where it fails.
        what: For the error's message.

    Raises:
        TransientError: It may work later.
        TerminalError: It won't.
    """
    for attempt in itertools.count(1):
        try:
            step()
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            may_pass = cause.retriable() or FAILURES.get(cause.code()) in {Failure.AWAY, Failure.BUSY}
            if not may_pass or cause.txn_requires_abort() or attempt == ATTEMPTS_MAX:
                raise explain(error, what) from error
            time.sleep(BACKOFF.delay_s(attempt, jitter=random.random()))  # noqa: S311 - spreads clients
        else:
            return
