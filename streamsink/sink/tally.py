"""What a task has done so far, for its snapshots and its log. Counts and tells; decides nothing."""

from __future__ import annotations

import time
from collections import Counter

import structlog

from streamsink.consume.protocol import SliceConsumer
from streamsink.observe.durations import Durations
from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.observe.traces import FileTraces
from streamsink.record import BadRecord, RawSlice, TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.machine import SinkMachine
from streamsink.sink.partition_state import PartitionState
from streamsink.sink.uploads import StoredObject

log = structlog.get_logger("streamsink.sink")


class Tally:
    """Totals of one task; they only grow.

    Args:
        guarantee: What the configuration and the store guarantee, in words.
        traces: Hear of each file.
    """

    def __init__(self, guarantee: str, traces: FileTraces) -> None:
        self.guarantee = guarantee
        self._traces = traces
        self.assigned = False
        self.troubles: dict[str, str] = {}
        """What is tried again now: by what failed (broker, registry, store), why."""
        self.records_total = 0
        self.bytes_total = 0
        self.bad_records_total = 0
        self.objects_stored_total = 0
        self.bytes_stored_total = 0
        self.objects_adopted_total = 0
        self.upload_retries_total = 0
        self.commits_total = 0
        self.last_commit_ms: int | None = None
        self.uploads = Durations()
        self.commits = Durations()
        self._commit_began_s: dict[TopicPartition, float] = {}
        self._rotations: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def polled(self, raw: RawSlice, bad: tuple[BadRecord, ...]) -> None:
        """A slice was taken."""
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
        self.troubles.pop("store", None)
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

    def upload_failed(self) -> None:
        """An upload will be tried again."""
        self.upload_retries_total += 1
        self.failed("store")

    def failed(self, what: str, count: int = 1) -> None:
        """Something went wrong: broker, store, manifest, commit or record."""
        if count:
            self._failures[what] += count

    def commit_begins(self, partition: TopicPartition) -> None:
        """The machine orders a commit; it lasts until the group has it, manifest included."""
        self._commit_began_s[partition] = time.monotonic()

    def committed(self, partition: TopicPartition) -> None:
        """A commit was taken."""
        began_s = self._commit_began_s.pop(partition, None)
        if began_s is not None:
            self.commits = self.commits.took(time.monotonic() - began_s)
        self.commits_total += 1
        self.last_commit_ms = int(time.time() * 1000)

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
                self.troubles["store"] = f"{what}: {error}"
                log.warning("failed, trying again", what=what, error=str(error), delay_s=round(delay_s, 2))
            case _:
                raise AssertionError(effect)

    def close(self) -> None:
        """Send the last traces."""
        self._traces.close()

    def snapshot(self, machine: SinkMachine, consumer: SliceConsumer) -> TaskSnapshot:
        """Where the task stands."""
        ends = consumer.end_offsets(list(machine.partitions))
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
            partitions={
                name: _partition_snapshot(state, ends.get(name), paused=machine.paused)
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


def _partition_snapshot(state: PartitionState, end: int | None, *, paused: bool) -> PartitionSnapshot:
    assert state.ledger is not None
    opened = [file.opened_at_s for lane in state.lanes.values() for file in lane.files()]
    return PartitionSnapshot(
        position=state.ledger.position,
        frontier=state.ledger.frontier,
        committed=state.commits.committed[0] if state.commits.committed else None,
        end=end,
        open_files=sum(lane.open is not None for lane in state.lanes.values()),
        waiting_files=sum(len(lane.waiting) for lane in state.lanes.values()),
        paused=paused,
        oldest_unstored_s=max(0.0, time.time() - min(opened)) if opened else None,
    )
