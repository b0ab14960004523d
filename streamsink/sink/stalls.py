"""Notices partitions that don't get on and are behind their end, and sets them back. Reads nothing itself.

The consumer knows a partition's end only while it is fetched. So a partition that has been silent at its end is set to
where it stands: the broker then has to say the end again, or give records. One that owes an answer for
`stall.timeout.ms` is stalled. That is said, and the partition is set back to where it stands; after as long again the
group is joined anew, which begins new assignments; after as long again the task fails, to be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from streamsink.clock import Clock
from streamsink.consume.protocol import ReadProgress, SliceConsumer
from streamsink.errors import TransientError
from streamsink.record import TopicPartition
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.tally import Tally

ATTEMPTS_MAX = 2
"""After so many the task is started again: the first is a seek, the second joins the group anew."""

SILENT = "neither records nor the end have come"
PAUSED = "paused, though memory is free"
NOT_HELD = "assigned, but not held by the task"

log = structlog.get_logger("streamsink.sink")


@dataclass(slots=True)
class _Stall:
    """One stalled partition: why, since when, what was tried."""

    reason: str
    since_s: float
    again_at_s: float
    tried: int = 0
    from_offset: int | None = None
    """Where reading was to go on after the last attempt; None where the first look tells."""


class Stalls:
    """The stalled partitions of a task.

    Args:
        consumer: Asked how far partitions are read, and told to read on.
        machine: Asked how far they are taken, and whether memory is full.
        tally: Is told.
        clock: Tells the time.
        timeout_s: How long a partition may owe an answer.
    """

    def __init__(
        self, consumer: SliceConsumer, *, machine: SinkMachine, tally: Tally, clock: Clock, timeout_s: float
    ) -> None:
        self._consumer = consumer
        self._machine = machine
        self._tally = tally
        self._clock = clock
        self._timeout_s = timeout_s
        self._stalls: dict[TopicPartition, _Stall] = {}
        self._behind: dict[TopicPartition, float] = {}

    def look(self, resting: Iterable[TopicPartition], seek: Callable[[TopicPartition, int], None]) -> None:
        """Look at every partition; call it each second or so.

        Args:
            resting: Partitions that rest on purpose.
            seek: Reads on from an offset.

        Raises:
            TransientError: Nothing helped.
        """
        if self._machine.stopping:
            return
        at_rest = set(resting)
        progress = self._consumer.progress()
        for partition, read in progress.items():
            reason = "" if partition in at_rest else self._reason(partition, read, seek)
            if reason:
                self._stalled(partition, reason, read, seek)
            elif partition in self._stalls and self._moves(self._stalls[partition], read):
                log.info("partition goes on", partition=str(partition))
                del self._stalls[partition]
        self._stalls = {name: stall for name, stall in self._stalls.items() if name in progress}
        self._behind = {name: since_s for name, since_s in self._behind.items() if name in progress}
        now = self._clock.monotonic_s()
        self._tally.stalled = "; ".join(
            f"{name}: {stall.reason}, for {now - stall.since_s:.0f} s" for name, stall in sorted(self._stalls.items())
        )

    def _moves(self, stall: _Stall, read: ReadProgress) -> bool:
        """Whether something has come since the last attempt: where nothing has, it may be stalled still."""
        if stall.from_offset is None:
            stall.from_offset = read.next_offset
        return read.at_end or read.next_offset != stall.from_offset or self._machine.paused

    def _reason(
        self, partition: TopicPartition, read: ReadProgress, seek: Callable[[TopicPartition, int], None]
    ) -> str:
        """Why a partition is stalled; "" where it isn't, or where that has to be found out first."""
        if self._machine.paused:
            self._behind.pop(partition, None)
            return ""
        held = partition in self._machine.partitions
        taken = self._taken(partition)
        if taken is not None and read.next_offset is not None and read.next_offset > taken:
            now = self._clock.monotonic_s()
            if now - self._behind.setdefault(partition, now) > self._timeout_s:
                return f"read to {read.next_offset}, taken to {taken}"
        else:
            self._behind.pop(partition, None)
        if read.silent_s <= self._timeout_s:
            return ""
        if held and not read.paused and read.at_end and read.next_offset is not None:
            seek(partition, read.next_offset)
            return ""
        return SILENT if held and not read.paused else PAUSED if held else NOT_HELD

    def _taken(self, partition: TopicPartition) -> int | None:
        """Up to where the machine has taken a partition in."""
        state = self._machine.partitions.get(partition)
        return state.ledger.position if state is not None and state.ledger is not None else None

    def _stalled(
        self,
        partition: TopicPartition,
        reason: str,
        read: ReadProgress,
        seek: Callable[[TopicPartition, int], None],
    ) -> None:
        now = self._clock.monotonic_s()
        stall = self._stalls.get(partition)
        if stall is None:
            stall = self._stalls[partition] = _Stall(reason, now - self._timeout_s, now, from_offset=read.next_offset)
            self._tally.failed("stall")
        stall.reason = reason
        if now < stall.again_at_s or "broker" in self._tally.troubles:
            return
        stall.tried += 1
        stall.again_at_s = now + self._timeout_s
        log.warning("partition is stalled", partition=str(partition), reason=reason, attempt=stall.tried)
        taken = self._taken(partition)
        offset = read.next_offset if taken is None else taken
        if stall.tried == 1 and offset is not None:
            self._consumer.resume([partition])
            seek(partition, offset)
            stall.from_offset = offset
        elif stall.tried <= ATTEMPTS_MAX:
            self._consumer.rejoin()
            stall.from_offset = None
        else:
            raise TransientError(
                f"{partition} is stalled: {reason}, for {now - stall.since_s:.0f} s",
                hint="the task starts anew; look at the brokers that lead this partition",
            )
