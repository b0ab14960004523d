"""Keeps commits on their way until their answers come, or the time is up. Decides nothing about what to commit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.backoff import Backoff
from streamsink.consume.failures import refusal
from streamsink.consume.protocol import CommittedOffset, Done, Failure, Offsets, Refusal, Refusals
from streamsink.errors import TransientError
from streamsink.record import TopicPartition

ANSWER_TIMEOUT_S = 60.0
"""How long a commit may stay without an answer before its sender is told that none came."""
FORGET_S = 600.0
"""How long a commit that nobody waits for is remembered, so that its late answer is not taken for another's."""
LOOK_AGAIN = Backoff(first_s=0.05, max_s=2.0, spread=0.0)
"""How long until the next look. No jitter: a rebalance waits for it."""


@dataclass(slots=True)
class _Request:
    """One commit that librdkafka has not answered.

    Attributes:
        offsets: The offsets to commit, by partition.
        sent_at_s: When, by the monotonic clock.
        done: Who waits for the answer, if anybody does still.
        silent: Partitions whose assignment has ended since.
        unsent: Why it could not be sent.
    """

    offsets: Offsets
    sent_at_s: float
    done: Done | None
    silent: set[TopicPartition] = field(default_factory=set)
    unsent: Refusals = field(default_factory=dict)

    def is_told_by(self, told: Mapping[TopicPartition, KafkaPartition]) -> bool:
        """Whether an answer names the partitions and offsets of this commit."""
        return told.keys() == self.offsets.keys() and all(_is(told[name], at) for name, at in self.offsets.items())

    def tell(self, refused: Refusals) -> None:
        """Tell, once, of the partitions that are assigned still."""
        done, self.done = self.done, None
        left = {name: at for name, at in self.offsets.items() if name not in self.silent}
        if done is not None and left:
            done(left, {name: why for name, why in refused.items() if name in left})


class CommitRequests:
    """The commits of one consumer. `answered` is its `on_commit` callback.

    librdkafka's answer names offsets, not the request, so every request stays here until its answer has come, also
    those that nobody waits for: equal ones are answered in the order they were sent.
    """

    def __init__(self) -> None:
        self._requests: list[_Request] = []
        self.fenced = False
        """Whether the group has answered a commit of assigned partitions by saying that this member is fenced."""

    def send(self, consumer: Consumer, offsets: Offsets, done: Done | None) -> Refusals:
        """Send a commit, and keep it until its answer comes.

        Args:
            consumer: The client that sends it.
            offsets: The offsets and metadata to commit, by partition.
            done: Called with the answer, once; None where nobody waits for it.

        Returns:
            The refusals by partition where it could not even be sent, else nothing.
        """
        request = _Request(dict(offsets), time.monotonic(), done)
        self._requests.append(request)
        try:
            consumer.commit(offsets=_kafka_partitions(offsets), asynchronous=True)
        except KafkaException as error:
            request.unsent = dict.fromkeys(offsets, refusal(error.args[0], doing="committing"))
        return request.unsent

    def send_and_wait(self, consumer: Consumer, offsets: Offsets, timeout_s: float) -> Refusals:
        """Commit, and look until it is so, but not for ever: librdkafka's own waiting commit has no bound.

        A rebalance callback can't poll for the answer. A look has a bound, and the coordinator answers in order.

        Args:
            consumer: librdkafka's.
            offsets: The offsets to commit, by partition.
            timeout_s: For all partitions together.
        """
        if not offsets:
            return {}
        deadline_s = time.monotonic() + timeout_s
        refused = dict(self.send(consumer, offsets, None))
        missing = {name: at for name, at in offsets.items() if name not in refused}
        looks = 0
        while missing and (left_s := deadline_s - time.monotonic()) > 0:
            unread = _look(consumer, missing, left_s)
            refused |= {name: why for name, why in unread.items() if why is not None and not why.failure.may_pass}
            missing = {name: at for name, at in missing.items() if name in unread and name not in refused}
            if missing:
                looks += 1
                time.sleep(max(0.0, min(LOOK_AGAIN.delay_s(looks, jitter=0.0), deadline_s - time.monotonic())))
        return {**refused, **dict.fromkeys(missing, _unanswered("the commit does not show"))}

    def answered(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        """Match an answer with the oldest commit of these offsets, and tell how it went.

        Args:
            error: The whole request's error; None where each partition has an error or success instead.
            partitions: The committed offsets, each with its error.
        """
        told = {TopicPartition(at.topic, at.partition): at for at in partitions}
        for request in self._requests:
            if not request.unsent and request.is_told_by(told):
                self._requests.remove(request)
                failed = {name: error or told[name].error for name in request.offsets}
                refused = {name: refusal(why, doing="committing") for name, why in failed.items() if why}
                self.fenced |= any(
                    why.failure is Failure.FENCED for name, why in refused.items() if name not in request.silent
                )
                request.tell(refused)
                return

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """The assignment of these has ended: nobody is told of commits that were for them."""
        gone = set(partitions)
        for request in self._requests:
            request.silent |= gone

    def tell_overdue(self) -> None:
        """Tell of commits that could not be sent, or that have no answer in time."""
        now_s = time.monotonic()
        for request in list(self._requests):
            if request.unsent or now_s - request.sent_at_s > FORGET_S:
                self._requests.remove(request)
            if request.unsent:
                request.tell(request.unsent)
            elif now_s - request.sent_at_s > ANSWER_TIMEOUT_S:
                request.tell(dict.fromkeys(request.offsets, _unanswered("the coordinator does not answer")))


def _look(consumer: Consumer, offsets: Offsets, timeout_s: float) -> dict[TopicPartition, Refusal | None]:
    """The partitions for which the group has something else, with why that can't be known."""
    try:
        found = consumer.committed(_kafka_partitions(offsets), timeout=timeout_s)
    except KafkaException as error:
        return dict.fromkeys(offsets, refusal(error.args[0], doing="committing"))
    unread: dict[TopicPartition, Refusal | None] = {}
    for at in found:
        name = TopicPartition(at.topic, at.partition)
        if at.error is not None:
            unread[name] = refusal(at.error, doing="committing")
        elif not _is(at, offsets[name]):
            unread[name] = None
    return unread


def _is(told: KafkaPartition, at: CommittedOffset) -> bool:
    return (told.offset, told.metadata or "") == (at.offset, at.metadata)


def _unanswered(what: str) -> Refusal:
    return Refusal(
        Failure.UNKNOWN_OUTCOME, TransientError(f"committing: {what}", hint="is the group's coordinator up?")
    )


def _kafka_partitions(offsets: Offsets) -> list[KafkaPartition]:
    return [
        KafkaPartition(partition.topic, partition.partition, at.offset or 0, metadata=at.metadata)
        for partition, at in offsets.items()
    ]
