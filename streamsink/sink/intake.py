"""Takes polled slices in: decodes and sorts them, puts bad records aside, and sets back slices that must wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from streamsink.clock import Clock
from streamsink.config.sink import SinkConfig
from streamsink.consume.protocol import SliceConsumer
from streamsink.errors import TransientError
from streamsink.observe.points import Point, reached
from streamsink.record import RawSlice, TopicPartition
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.core import events as on
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.lanes import LaneSorter, cut_slice
from streamsink.sink.outage import Outage
from streamsink.sink.tally import Tally

PAUSE_S_MAX = 1.0
"""How long the task waits before it polls again while something can't be taken."""
SLICE_BYTES_MAX = 32 * 1024 * 1024

log = structlog.get_logger("streamsink.sink")


class Intake:
    """The way of slices to the machine.

    A slice waits for a Schema Registry or for dead letters by being read again: its partition is set back to it, so
    that the other partitions, uploads, commits and rebalances go on.

    Args:
        config: How large a slice may be, how long to wait for a registry.
        consumer: Is set back.
        machine: Asked which partitions are held.
        sorter: Decodes and partitions.
        bad_records: Take records that can't be stored.
        tally: Counts.
        clock: Tells the time and waits.
        tell: Takes the machine's events, and carries out the effects.
    """

    def __init__(
        self,
        config: SinkConfig,
        *,
        consumer: SliceConsumer,
        machine: SinkMachine,
        sorter: LaneSorter,
        bad_records: BadRecords,
        tally: Tally,
        clock: Clock,
        tell: Callable[[on.Event], None],
    ) -> None:
        self._consumer = consumer
        self._machine = machine
        self._sorter = sorter
        self._bad_records = bad_records
        self._tally = tally
        self._clock = clock
        self._tell = tell
        errors = config.errors
        limit_ms = config.upload_retry_timeout_ms
        self._registry = Outage(
            "registry",
            tally,
            clock,
            said="records can't be decoded now, trying again",
            limit_ms=limit_ms if errors.retry_timeout_ms is None else errors.retry_timeout_ms,
            delay_max_ms=errors.retry_delay_max_ms,
        )
        self._dead_letters = Outage(
            "bad records", tally, clock, said="bad records can't be put aside now, trying again", limit_ms=limit_ms
        )
        self._waits: dict[TopicPartition, Outage] = {}
        size_bytes = config.rotation.size_bytes
        self._slice_bytes_max = SLICE_BYTES_MAX if size_bytes is None else max(1, size_bytes // 4)

    def take(self, slices: Sequence[RawSlice]) -> set[TopicPartition]:
        """Take slices in; give the partitions to read again from where a slice could not be taken.

        Raises:
            TransientError: The registry or the store that a slice waits for has been away for too long.
        """
        set_back: dict[TopicPartition, Outage] = {}
        for raw in slices:
            partition = raw.topic_partition
            if partition in set_back:
                continue
            waits_for = self._waits.get(partition)
            if waits_for is not None and waits_for.wait_s and partition in self._machine.partitions:
                self._consumer.seek(partition, raw.start)
                set_back[partition] = waits_for
                continue
            outage = self._take(raw)
            if outage is None:
                self._waits.pop(partition, None)
            else:
                set_back[partition] = self._waits[partition] = outage
        self._waits = {name: outage for name, outage in self._waits.items() if name in self._machine.partitions}
        if set_back:
            self._clock.wait(min(PAUSE_S_MAX, *(outage.wait_s for outage in set_back.values())))
        elif not self._waits and (slices or not self._machine.partitions):
            self._registry.over()
            self._dead_letters.over()
        return set(set_back)

    def _take(self, raw: RawSlice) -> Outage | None:
        """Decode a slice and tell the machine of it; give the error that it has to wait for, None where it is taken."""
        reached(Point.POLLED)
        for part in cut_slice(raw, self._slice_bytes_max):
            if raw.topic_partition not in self._machine.partitions:
                self._unheld(raw.topic_partition)
                return None
            try:
                polled, bad = self._sorter.sort(part, now_ms=int(self._clock.wall_s() * 1000))
            except TransientError as error:
                return self._set_back(part, self._registry, error)
            reached(Point.DECODED)
            try:
                if bad:
                    self._bad_records.put_aside(bad)
            except TransientError as error:
                return self._set_back(part, self._dead_letters, error)
            self._tally.polled(part, bad)
            self._tell(polled)
        return None

    def _set_back(self, part: RawSlice, outage: Outage, error: TransientError) -> Outage:
        self._consumer.seek(part.topic_partition, part.start)
        outage.met(error)
        return outage

    def _unheld(self, partition: TopicPartition) -> None:
        """A slice of a partition that the machine has let go of, though the consumer has it still.

        Dropped in silence, its records would stay unread for as long as the assignment lasts.
        """
        if not self._machine.stopping:
            log.warning("read, but not held: joining the group anew", partition=str(partition))
            self._consumer.rejoin()
