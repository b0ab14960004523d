"""Handles librdkafka's rebalance callbacks: takes partitions over and gives them back. Reads no records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.consume.assignments import FROM_THE_START, Assignments
from streamsink.consume.failures import explain
from streamsink.consume.protocol import CommittedOffset, RebalanceListener
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition

LOOK_AGAIN_S = 0.2

log = logging.getLogger("streamsink.consume")


class Rebalances:
    """Carries out the group's decisions, and tells the listener.

    Args:
        assignments: Kept up to date.
        listener: Is told, inside the callback.
        ended: Is told which assignments have ended.
        at_end: Whether a partition without a commit is read from its end.
        committed_timeout_s: How long to ask for committed offsets.
    """

    def __init__(
        self,
        assignments: Assignments,
        listener: RebalanceListener,
        *,
        ended: Callable[[Iterable[TopicPartition]], None],
        at_end: bool,
        committed_timeout_s: float,
    ) -> None:
        self._assignments = assignments
        self._listener = listener
        self._ended = ended
        self._start_offset = OFFSET_END if at_end else OFFSET_BEGINNING
        self._committed_timeout_s = committed_timeout_s
        self.starting = False
        """Whether the listener hears of an assignment that librdkafka hasn't yet."""
        self.leaving = False
        """Whether the listener hears of assignments that end."""
        self.failed: BaseException | None = None
        """The error of a callback, for the next poll to raise: librdkafka would swallow it."""
        self.wants_anew = False
        """Whether the group has to be joined anew, since partitions could not be taken over."""

    def assigned(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        """Take partitions over; librdkafka's `on_assign`. Raises nothing: an error is kept in `failed`.

        Args:
            consumer: The client.
            partitions: The partitions to take over, beside those held already.
        """
        try:
            self._take_over(consumer, partitions)
        except KafkaException as error:
            self.failed = explain(error.args[0], doing="taking over partitions")
            self.wants_anew = True
        except TransientError as error:
            self.failed = error
            self.wants_anew = True
        except Exception as error:  # noqa: BLE001 - librdkafka's callback would swallow it; poll raises it
            self.failed = error

    def _take_over(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        found: dict[TopicPartition, CommittedOffset] = {}
        for at in committed_offsets(consumer, partitions, self._committed_timeout_s):
            partition = TopicPartition(at.topic, at.partition)
            known = at.offset >= 0
            found[partition] = CommittedOffset(at.offset if known else None, at.metadata or "")
            self._assignments.begin(partition, at.offset if known else FROM_THE_START)
        self.starting = True
        try:
            self._listener.assigned(found)
        finally:
            self.starting = False
            self._start(consumer, found)

    def _start(self, consumer: Consumer, partitions: Iterable[TopicPartition]) -> None:
        starts: list[KafkaPartition] = []
        resting: list[KafkaPartition] = []
        for partition in partitions:
            held = self._assignments.get(partition)
            assert held is not None
            offset = self._start_offset if held.next_offset == FROM_THE_START else held.next_offset
            starts.append(KafkaPartition(partition.topic, partition.partition, offset))
            if held.paused:
                resting.append(KafkaPartition(partition.topic, partition.partition))
        consumer.incremental_assign(starts)
        # librdkafka keeps a pause for ever, and an earlier assignment of the partition may have ended with one.
        consumer.resume(starts)
        consumer.pause(resting)

    def begin_anew(self, consumer: Consumer, partitions: Iterable[TopicPartition]) -> None:
        """Have librdkafka ask at once where partitions begin that were paused before they had given anything.

        A pause makes the answer to its question outdated, and it asks again after half a second. Sought to the
        beginning, it asks now; an answer that overtakes the seek says the same. Not where the end is asked for: that
        has moved meanwhile.

        Args:
            consumer: librdkafka's.
            partitions: Those that were resumed.
        """
        if self.leaving or self._start_offset != OFFSET_BEGINNING:
            return
        starts = [
            KafkaPartition(partition.topic, partition.partition, OFFSET_BEGINNING)
            for partition in partitions
            if (held := self._assignments.get(partition)) is not None
            and not held.heard
            and held.next_offset == FROM_THE_START
        ]
        for start in starts:
            # Where it can't be sought in, librdkafka asks again by itself.
            with suppress(KafkaException):
                consumer.seek(start)

    def revoked(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        """Give partitions back; librdkafka's `on_revoke`. The listener may store and commit meanwhile.

        Args:
            consumer: The client.
            partitions: The partitions to give back.
        """
        self._leave(consumer, partitions, self._listener.revoked)

    def lost(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        """Let go of partitions that are another member's already; librdkafka's `on_lost`.

        Args:
            consumer: The client.
            partitions: The lost partitions; nothing can be committed for them.
        """
        self._leave(consumer, partitions, self._listener.lost)

    def _leave(
        self,
        consumer: Consumer,
        partitions: list[KafkaPartition],
        tell: Callable[[Iterable[TopicPartition]], None],
    ) -> None:
        leaving = [TopicPartition(at.topic, at.partition) for at in partitions]
        self.leaving = True
        try:
            tell([partition for partition in leaving if partition in self._assignments])
        except Exception as error:  # noqa: BLE001 - as above
            self.failed = error
        finally:
            self.leaving = False
            self._assignments.end(leaving)
            self._ended(leaving)
        try:
            consumer.incremental_unassign(partitions)
        except KafkaException as error:
            log.debug("partitions were gone already: %s", error)


def committed_offsets(consumer: Consumer, partitions: list[KafkaPartition], timeout_s: float) -> list[KafkaPartition]:
    """Ask for the group's commits; a coordinator that moves or loads is asked again until the time is up.

    Args:
        consumer: librdkafka's.
        partitions: The partitions to ask for; none asks nobody.
        timeout_s: For all attempts together, by the monotonic clock.

    Raises:
        TransientError: It did not answer in time.
        TerminalError: It refuses to answer.
    """
    if not partitions:
        return []
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            found = consumer.committed(partitions, timeout=max(0.001, deadline_s - time.monotonic()))
            failed = next((at.error for at in found if at.error is not None), None)
            if failed is None:
                return found
            error = explain(failed, doing="reading committed offsets")
        except KafkaException as raised:
            error = explain(raised.args[0], doing="reading committed offsets")
        if isinstance(error, TerminalError) or time.monotonic() + LOOK_AGAIN_S > deadline_s:
            raise error
        time.sleep(LOOK_AGAIN_S)
