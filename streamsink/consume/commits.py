"""Commits on their way: who waits for which answer, and for how long. Decides nothing about what to commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.consume.failures import REBALANCING, explain
from streamsink.consume.protocol import CommittedOffset
from streamsink.errors import StreamsinkError, TransientError
from streamsink.record import TopicPartition

COMMIT_TIMEOUT_S = 10.0
"""How long to wait for a commit in a rebalance."""
LOOK_AGAIN_S = 0.05
"""How long until the second look; doubled for each after it."""

Offsets = Mapping[TopicPartition, CommittedOffset]
Done = Callable[[Offsets, Exception | None], None]


class Commits:
    """The commits of one consumer. `answered` is its `on_commit` callback."""

    def __init__(self) -> None:
        self._sent: list[tuple[Offsets, Done]] = []

    def send(self, consumer: Consumer, offsets: Offsets, done: Done) -> None:
        """Commit, and have `done` called from a later poll.

        Raises:
            TransientError: It could not even be sent.
            TerminalError: The member is fenced.
        """
        try:
            consumer.commit(offsets=_kafka_partitions(offsets), asynchronous=True)
        except KafkaException as error:
            raise explain(error.args[0], doing="committing") from error
        self._sent.append((offsets, done))

    def wait(self, consumer: Consumer, offsets: Offsets) -> None:
        """Commit, and look until it is so, but not for ever: librdkafka's own waiting commit has no bound.

        A rebalance callback can't poll for the answer. A look has a bound, and the coordinator answers in order.

        Raises:
            TransientError: It is not so in time, or another member's commit stands instead.
            TerminalError: The member is fenced.
        """
        wanted = _kafka_partitions(offsets)
        deadline_s = time.monotonic() + COMMIT_TIMEOUT_S
        try:
            consumer.commit(offsets=wanted, asynchronous=True)
            pause_s = LOOK_AGAIN_S
            while not _stands(consumer.committed(wanted, timeout=max(0.1, deadline_s - time.monotonic())), offsets):
                if time.monotonic() + pause_s > deadline_s:
                    raise TransientError("committing: the commit does not show", hint="this is tried again")
                time.sleep(pause_s)
                pause_s *= 2
        except KafkaException as error:
            raise explain(error.args[0], doing="committing") from error

    def answered(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        """Tell whoever sent this commit how it went."""
        told = {TopicPartition(at.topic, at.partition): at for at in partitions}
        for index, (offsets, done) in enumerate(self._sent):
            if all(name in told and told[name].offset == at.offset for name, at in offsets.items()):
                del self._sent[index]
                failed = error or next((told[name].error for name in offsets if told[name].error), None)
                done(offsets, _refusal(failed) if failed else None)
                return


def _refusal(error: KafkaError) -> StreamsinkError:
    if error.code() in REBALANCING:
        return TransientError(f"committing: {error.str()}", hint="the group rebalances; this is tried again")
    return explain(error, doing="committing")


def _kafka_partitions(offsets: Offsets) -> list[KafkaPartition]:
    return [
        KafkaPartition(partition.topic, partition.partition, at.offset or 0, metadata=at.metadata)
        for partition, at in offsets.items()
    ]


def _stands(told: list[KafkaPartition], offsets: Offsets) -> bool:
    found = {TopicPartition(at.topic, at.partition): (at.offset, at.metadata or "") for at in told if not at.error}
    return all(found.get(partition) == (at.offset, at.metadata) for partition, at in offsets.items())
