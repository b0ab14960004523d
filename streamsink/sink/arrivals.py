"""Lets assigned partitions rest until their topics are known to be the archive's and ours to write. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog

from streamsink.clock import Clock
from streamsink.consume.protocol import CommittedOffset, SliceConsumer
from streamsink.errors import TransientError
from streamsink.record import TopicPartition
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.core import events as on
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.outage import Outage
from streamsink.sink.tally import Tally

log = structlog.get_logger("streamsink.sink")


class Arrivals:
    """Asks for topics' ids, owners and policies after the rebalance, never within: the group would wait for the answer.

    Args:
        guard: Tells which topics may be written.
        tally: Is told.
        clock: Tells the time.
        limit_ms: How long may be asked in vain.
    """

    def __init__(self, guard: ArchiveGuard, tally: Tally, clock: Clock, *, limit_ms: int) -> None:
        self._guard = guard
        self._waiting: dict[TopicPartition, CommittedOffset] = {}
        self._outage = Outage("topics", tally, clock, said="topics are not known, asking again", limit_ms=limit_ms)

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset], consumer: SliceConsumer) -> None:
        """Let new partitions rest until `admit`. Called inside `poll`, so nothing is asked here.

        Args:
            committed: The group's commits, by assigned partition.
            consumer: Pauses them.
        """
        self._waiting.update(committed)
        consumer.pause(committed)

    @property
    def waiting(self) -> Iterable[TopicPartition]:
        """Partitions that rest."""
        return self._waiting

    def gone(self, partitions: Iterable[TopicPartition]) -> None:
        """These have left."""
        for partition in partitions:
            self._waiting.pop(partition, None)

    def admit(self, consumer: SliceConsumer, tell: Callable[[on.Event], None]) -> None:
        """Hand waiting partitions to the machine, once their topics are known to be the archive's and ours.

        Args:
            consumer: Resumes them.
            tell: Takes an `Assigned` event for each.

        Raises:
            TransientError: Nobody answers, for too long.
            TerminalError: A topic was made anew, or is another group's: nothing of it must be stored here.
        """
        if not self._waiting:
            self._outage.over()
            return
        if self._outage.wait_s:
            return
        try:
            self._guard.check(self._waiting)
            compacted = self._guard.compacted({partition.topic for partition in self._waiting})
        except TransientError as error:
            self._outage.met(error)
            return
        self._outage.over()
        admitted, self._waiting = self._waiting, {}
        consumer.resume(admitted)
        for partition, at in admitted.items():
            log.info("partition assigned", topic=partition.topic, partition=partition.partition, committed=at.offset)
            tell(on.Assigned(partition, at.offset, at.metadata, partition.topic in compacted))

    def look_again(self, held: Mapping[TopicPartition, PartitionState]) -> None:
        """Look whether a topic that is read was made anew or has another owner, if the last look was a while ago.

        Raises:
            TerminalError: One was, or has.
        """
        try:
            self._guard.check_again(held)
        except TransientError as error:
            log.info("topics are not known now", reason=error.message)
