"""Counts what a task does, for its snapshots and its log. Decides nothing."""

from __future__ import annotations

from collections import Counter

import structlog

from streamsink.clock import SYSTEM_CLOCK, Clock
from streamsink.consume.protocol import SliceConsumer
from streamsink.observe.durations import Durations
from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.observe.traces import FileTraces
from streamsink.record import BadRecord, RawSlice, TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.uploads import StoredObject

log = structlog.get_logger("streamsink.sink")


class Tally:
    """Totals of one task; they only grow.

    Args:
        guarantee: The guarantee of configuration and store, in words.
        traces: Hear of each file.
        clock: Tells the time.
    """

    def __init__(self, guarantee: str, traces: FileTraces, clock: Clock = SYSTEM_CLOCK) -> None:
        self.guarantee = guarantee
        self._clock = clock
        self._traces = traces
        self.assigned = False
        self.troubles: dict[str, str] = {}
        """The reasons of present retries, by what failed (broker, registry, store)."""
        self.stalled = ""
        """Partitions that get nowhere, each with the reason."""
        self.warnings: dict[str, str] = {}
        """Warnings for the operator by topic, while the task goes on."""
        self.records_total = 0
        self.bytes_total = 0
        self.bad_records_total = 0
        self.objects_stored_total = 0
        self.bytes_stored_total = 0
        self.objects_adopted_total = 0
        self.upload_retries_total = 0
        self.commits_total = 0
        self.last_commit_ms: int | None = None
        self._committed: dict[TopicPartition, int] = {}
        self.uploads = Durations()
        self.commits = Durations()
        self._commit_began_s: dict[TopicPartition, float] = {}
        self._rotations: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def polled(self, raw: RawSlice, bad: tuple[BadRecord, ...]) -> None:
        """Count a slice.

        Args:
            raw: The slice as it was polled.
            bad: Its records that could not be decoded.
        """
        self.records_total += raw.rows.num_rows
        self.bytes_total += raw.value_bytes
        self.bad_records_total += len(bad)
        self.failed("record", len(bad))

    def opened(self, file_id: int) -> None:
        """A file opened."""
        self._traces.opened(file_id)

    def closed(self, close: do.Close) -> None:
        """A file closed."""
        self._rotations[str(close.reason)] += 1
        self._traces.closed(close.file_id)

    def discarded(self, file_id: int) -> None:
        """A file is done with, stored or not."""
        self._traces.discarded(file_id)

    def stored(self, outcome: StoredObject) -> None:
        """An upload ended well: our object is stored, or another's was met."""
        about = outcome.description
        self._traces.stored(outcome.event.file_id, about.topic, _span_attributes(outcome))
        if isinstance(outcome.event, on.Conflict):
            self.objects_adopted_total += 1
            return
        self.uploads = self.uploads.took(outcome.seconds)
        self.objects_stored_total += 1
        self.bytes_stored_total += about.size_bytes or 0
        log.info(
            "object stored",
            object=about.name,
            records=about.record_count,
            bytes=about.size_bytes,
            offsets=f"{about.first_offset}-{about.last_offset}",
            reason=about.reason,
        )

    def warned(self, topic: str, said: str) -> None:
        """Take note of a topic that needs an operator's eye.

        Args:
            topic: The topic's name.
            said: The warning; empty takes the topic's last one back.
        """
        if said and self.warnings.get(topic) != said:
            log.warning("topic needs a look", topic=topic, reason=said)
        self.warnings = {**self.warnings, topic: said}

    def upload_failed(self) -> None:
        """An upload will be tried again."""
        self.upload_retries_total += 1
        self.failed("store")

    def failed(self, what: str, count: int = 1) -> None:
        """Count failures.

        Args:
            what: The place: `broker`, `store`, `manifest`, `commit` or `record`.
            count: How many there were; 0 counts nothing.
        """
        if count:
            self._failures[what] += count

    def commit_begins(self, partition: TopicPartition) -> None:
        """The machine orders a commit; it lasts until the group has it, manifest included."""
        self._commit_began_s[partition] = self._clock.monotonic_s()

    def committed(self, partition: TopicPartition, offset: int) -> None:
        """Count a commit. A partition's first only claims it, and only one that moves its offset is progress.

        Args:
            partition: The partition that the commit was for.
            offset: The committed offset.
        """
        began_s = self._commit_began_s.pop(partition, None)
        if began_s is not None:
            self.commits = self.commits.took(self._clock.monotonic_s() - began_s)
        self.commits_total += 1
        if offset > self._committed.get(partition, offset):
            self.last_commit_ms = int(self._clock.wall_s() * 1000)
        self._committed[partition] = offset

    def noticed(self, effect: do.Effect) -> None:
        """Something worth a line in the log."""
        match effect:
            case do.Adopted(partition, lane, last_offset):
                log.warning(
                    "took over another writer's object",
                    topic=partition.topic,
                    partition=partition.partition,
                    lane=lane.key,
                    last_offset=last_offset,
                )
            case do.LayoutChanged(partition, before):
                log.warning(
                    "layout changed with records uncommitted, some may be stored twice",
                    topic=partition.topic,
                    partition=partition.partition,
                    layout_before=before,
                )
            case do.Retrying(what, error, delay_s):
                self.troubles[what] = f"{what.words}: {error}"
                log.warning("failed, trying again", what=what.words, error=str(error), delay_s=round(delay_s, 2))
            case do.Untried(what):
                self.troubles.pop(what, None)
            case do.Recovered(what):
                self.troubles.pop(what, None)
                log.info("works again", what=what.words)
            case _:
                raise AssertionError(effect)

    def close(self) -> None:
        """Send the last traces."""
        self._traces.close()

    def snapshot(self, machine: SinkMachine, consumer: SliceConsumer) -> TaskSnapshot:
        """Describe where the task stands.

        Args:
            machine: Has the partitions, their files and their memory.
            consumer: Has the partitions' ends and the client's statistics.
        """
        ends = consumer.end_offsets(list(machine.partitions))
        now_s, close_at_s = self._clock.monotonic_s(), machine.next_close_at_s
        return TaskSnapshot(
            assigned=self.assigned,
            guarantee=self.guarantee,
            records_total=self.records_total,
            bytes_total=self.bytes_total,
            bad_records_total=self.bad_records_total,
            objects_stored_total=self.objects_stored_total,
            bytes_stored_total=self.bytes_stored_total,
            objects_adopted_total=self.objects_adopted_total,
            upload_retries_total=self.upload_retries_total,
            commits_total=self.commits_total,
            last_commit_ms=self.last_commit_ms,
            memory_bytes=machine.memory.bytes,
            memory_bytes_max=machine.memory.bytes_max,
            uploads=self.uploads,
            commits=self.commits,
            failures=dict(self._failures),
            client=consumer.statistics(),
            rotations=dict(self._rotations),
            retrying="; ".join(self.troubles.values()),
            stalled=self.stalled,
            warning="; ".join(sorted(filter(None, self.warnings.values()))),
            next_close_s=None if close_at_s is None else max(0.0, close_at_s - now_s),
            partitions={
                name: _partition_snapshot(state, ends.get(name), paused=machine.paused, now=now_s)
                for name, state in machine.partitions.items()
                if state.ledger is not None
            },
        )


def _span_attributes(outcome: StoredObject) -> dict[str, str | int | bool]:
    """OpenTelemetry's names for messaging where it has them."""
    about = outcome.description
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": about.topic,
        "messaging.destination.partition.id": str(about.partition),
        "messaging.batch.message_count": about.record_count,
        "messaging.kafka.offset": about.first_offset,
        "streamsink.offset.last": about.last_offset,
        "streamsink.object": about.name,
        "streamsink.bytes": about.size_bytes or 0,
        "streamsink.reason": about.reason,
        "streamsink.adopted": isinstance(outcome.event, on.Conflict),
    }


def _partition_snapshot(state: PartitionState, end: int | None, *, paused: bool, now: float) -> PartitionSnapshot:
    assert state.ledger is not None
    opened = [file.opened_at_s for lane in state.filing.lanes.values() for file in lane.files()]
    return PartitionSnapshot(
        position=state.ledger.position,
        frontier=state.ledger.frontier,
        committed=state.commits.committed[0] if state.commits.committed else None,
        end=end,
        open_files=sum(lane.open is not None for lane in state.filing.lanes.values()),
        waiting_files=sum(len(lane.waiting) for lane in state.filing.lanes.values()),
        paused=paused,
        oldest_unstored_s=max(0.0, now - min(opened)) if opened else None,
    )
