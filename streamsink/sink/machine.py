"""The sink's promise as a machine: facts go in with the time, orders come out. Pure: no I/O, no clock, no threads.

Theory of operation. The shell polls slices and tells the machine (`Polled`); the machine puts their rows into files
(`Open`, `Append`), closes files by the rotation rules (`Close`), has them stored one at a time per lane (`Upload`) and
commits the frontier (`Commit`). A file's object is named by its first record, creates never overwrite, and where a
create meets another writer's object the machine takes over what that one stored (`Conflict`, `Adopted`), going back to
read again what its own file held beyond it (`Seek`). Nothing a lane stored is ever taken twice: every lane remembers
the last offset it has seen, and what is stored beyond the frontier travels in the commit's metadata.

A partition's first act is a commit of where it stands, under the present layout (the claim); uploads wait for it, so
an object is only ever written by a member the group knows, and a later start under another layout can tell.

`handle` takes one event; `effects` gives the orders it led to, in order; `next_deadline` says when to send a `Tick`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from streamsink.batch.file import OpenFile
from streamsink.batch.rotation import Reason, wall_deadline
from streamsink.config.sink import Rotation
from streamsink.errors import TerminalError
from streamsink.record import TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.flushes import Flushes
from streamsink.sink.lane_state import LaneState
from streamsink.sink.memory import MemoryBudget
from streamsink.sink.partition_state import PartitionState
from streamsink.sink.retries import Retries
from streamsink.sink.upload_queue import UploadQueue

_NEVER = 2**63


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What a machine runs by. `layout_strict` refuses uncommitted records under another layout (rule 8)."""

    rotation: Rotation
    layout: str
    layout_strict: bool = False
    memory_bytes_max: int = 256 * 1024 * 1024
    uploads_max: int = 4
    retry_timeout_s: float = 600.0
    retry_delay_s_max: float = 30.0
    drain_timeout_s: float = 30.0


@dataclass(slots=True)
class _Slot:
    """Where a file belongs, as long as it lives."""

    partition: PartitionState
    lane: LaneState
    file: OpenFile


class SinkMachine:
    """Decides everything a sink task does. See the module's theory of operation."""

    def __init__(self, settings: MachineSettings) -> None:
        self.settings = settings
        self.partitions: dict[TopicPartition, PartitionState] = {}
        self.memory = MemoryBudget(settings.memory_bytes_max)
        self._effects: deque[do.Effect] = deque()
        self._files: dict[int, _Slot] = {}
        self._file_ids = count(1)
        self._uploads = UploadQueue(settings.uploads_max)
        self._retries = Retries(delay_s_max=settings.retry_delay_s_max, limit_s=settings.retry_timeout_s)
        self._close_at: list[tuple[float, int, Reason]] = []
        self._flushes = Flushes()
        self._stopping = False
        self._clean = True
        self._paused = False
        self._ended = False
        self._refusal: TerminalError | None = None

    def effects(self) -> Iterator[do.Effect]:
        """The orders given since the last call, in the order to carry them out."""
        while self._effects:
            yield self._effects.popleft()

    def next_deadline(self) -> float | None:
        """When the machine next wants a `Tick`, or None."""
        deadlines = [self._close_at[0][0] if self._close_at else None, self._uploads.next_at_s]
        for partition in self.partitions.values():
            deadlines += [partition.commits.next_at_s, partition.release_deadline_s]
        return min((at for at in deadlines if at is not None), default=None)

    def handle(self, event: on.Event, *, now: float) -> None:  # noqa: C901, PLR0912 - one case an event
        """Take one fact; `now` is wall-clock time in seconds and never runs backwards by more than a clock step."""
        if self._ended:
            return
        match event:
            case on.Polled():
                self._polled(event, now)
            case on.Measured():
                self._measured(event)
            case on.Uploaded(file_id):
                self._uploaded(file_id)
            case on.Conflict(file_id, last_offset):
                self._conflict(file_id, last_offset)
            case on.UploadFailed():
                self._upload_failed(event, now)
            case on.Committed():
                self._committed(event)
            case on.CommitFailed():
                self._commit_failed(event, now)
            case on.ReachedEnd(topic_partition, next_offset):
                self._reached_end(topic_partition, next_offset)
            case on.Assigned():
                self._assigned(event)
            case on.Revoked(partitions, deadline_s):
                self._release(partitions, deadline_s, Reason.REVOKED)
            case on.Lost(partitions):
                self._lost(partitions)
            case on.Flush(flush_id):
                self._flush(flush_id)
            case on.Stop(deadline_s):
                self._stopping = True
                self._release(tuple(self.partitions), deadline_s, Reason.STOPPING)
            case on.Tick():
                pass
        self._settle(event, now)

    def _settle(self, event: on.Event, now: float) -> None:
        """Everything that follows from the state and the time, whatever the event was."""
        self._close_due(now)
        self._close_for_flushes()
        self._relieve_memory()
        self._retry_due(now)
        self._effects.extend(do.Upload(*begun) for begun in self._uploads.begin())
        if isinstance(event, on.Measured):
            return
        for partition in list(self.partitions.values()):
            partition.commit_due(now)
            self._release_due(partition, now)
        self._effects.extend(do.Flushed(*told) for told in self._flushes.answered())
        if self._stopping and not self.partitions and not self._ended:
            self._ended = True
            self._effects.append(do.Fail(self._refusal) if self._refusal else do.Stopped(clean=self._clean))

    def _assigned(self, event: on.Assigned) -> None:
        assert event.topic_partition not in self.partitions, "a partition is assigned once"
        if self._stopping:
            return
        partition = PartitionState(
            event.topic_partition,
            self.settings.rotation,
            self.settings.layout,
            emit=self._effects.append,
            file_ids=self._file_ids,
            opened=self._file_opened,
            closed=self._file_closed,
        )
        partition.assigned(event.offset, event.metadata)
        self.partitions[event.topic_partition] = partition
        if self._paused:
            self._effects.append(do.Pause((event.topic_partition,)))

    def _polled(self, event: on.Polled, now: float) -> None:
        partition = self.partitions.get(event.topic_partition)
        if partition is None or partition.release_deadline_s is not None:
            return
        if partition.layout_before is not None and event.runs and not self._accept_layout(partition, now):
            return
        partition.take(event, now)

    def _accept_layout(self, partition: PartitionState, now: float) -> bool:
        """Go on under a new layout, or refuse, draining the other partitions so that the old one can be restored."""
        before = str(partition.layout_before)
        if not self.settings.layout_strict:
            partition.layout_before = None
            self._effects.append(do.LayoutChanged(partition.topic_partition, before))
            return True
        self._refusal = TerminalError(
            f"{partition.topic_partition} may hold uncommitted records stored under layout {before}, "
            f"and the configuration now has layout {self.settings.layout}",
            hint="restore the former partitioner, topics.dir, format and transforms until the connector has caught up "
            "and been stopped, or set exactly.once=preferred to go on and perhaps store some records twice",
        )
        self._stopping = True
        self._let_go(partition, clean=False)
        self._release(tuple(self.partitions), now + self.settings.drain_timeout_s, Reason.STOPPING)
        return False

    def _reached_end(self, topic_partition: TopicPartition, next_offset: int) -> None:
        partition = self.partitions.get(topic_partition)
        if partition is None or partition.release_deadline_s is not None:
            return
        partition.layout_before = None
        partition.reached_end(next_offset)

    def _flush(self, flush_id: int) -> None:
        targets = {name: _flush_target(state) for name, state in self.partitions.items() if state.ledger is not None}
        self._flushes.begin(flush_id, targets)
        for name in targets:
            committed = self.partitions[name].commits.committed
            self.partitions[name].commits.urgent = True
            self._flushes.committed(name, committed[0] if committed else -1)

    def _close_for_flushes(self) -> None:
        """Close what a flush waits for, also files opened anew because another writer's object sent us back."""
        for name, target in self._flushes.targets.items():
            for lane in list(self.partitions[name].lanes.values()):
                if lane.open is not None and lane.open.first_offset < target:
                    self.partitions[name].rotate(lane, Reason.FLUSH)

    def _file_opened(self, partition: PartitionState, lane: LaneState, file: OpenFile) -> None:
        self._files[file.file_id] = _Slot(partition, lane, file)
        deadline = wall_deadline(self.settings.rotation, file.opened_at_s)
        if deadline is not None:
            heapq.heappush(self._close_at, (deadline[0], file.file_id, deadline[1]))

    def _file_closed(self, partition: PartitionState, lane: LaneState, file: OpenFile) -> None:
        self.memory.closed(file)
        self._enqueue(partition, lane)

    def _measured(self, event: on.Measured) -> None:
        slot = self._files.get(event.file_id)
        if slot is None:
            return
        self.memory.measured(slot.file, event.size_bytes, event.memory_bytes, event.pending_bytes)
        limit = self.settings.rotation.size_bytes
        if limit is not None and slot.file.reason is None and event.size_bytes >= limit:
            slot.partition.rotate(slot.lane, Reason.BYTES)

    def _close_due(self, now: float) -> None:
        while self._close_at and self._close_at[0][0] <= now:
            _, file_id, reason = heapq.heappop(self._close_at)
            slot = self._files.get(file_id)
            if slot is not None and slot.file.reason is None:
                slot.partition.rotate(slot.lane, reason)

    def _relieve_memory(self) -> None:
        flush, close = self.memory.relief()
        self._effects.extend(do.Flush(file.file_id) for file in flush)
        for file in close:
            slot = self._files[file.file_id]
            slot.partition.close(slot.lane, Reason.MEMORY)
        if self.memory.full and not self._paused:
            self._paused = True
            self._effects.append(do.Pause(tuple(self.partitions)))
        elif self._paused and self.memory.roomy:
            self._paused = False
            held = [p for p, state in self.partitions.items() if state.release_deadline_s is None]
            self._effects.append(do.Resume(tuple(held)))

    @property
    def paused(self) -> bool:
        """Whether polling rests because memory is full."""
        return self._paused

    def _enqueue(self, partition: PartitionState, lane: LaneState) -> None:
        if partition.commits.claimed:
            self._uploads.add(lane)

    def _upload_ended(self, file_id: int) -> _Slot | None:
        self._uploads.ended(file_id)
        slot = self._files.get(file_id)
        if slot is not None:
            slot.lane.uploading = False
        return slot

    def _uploaded(self, file_id: int) -> None:
        self._retries.succeeded()
        slot = self._upload_ended(file_id)
        if slot is None:
            return
        slot.lane.attempts = 0
        slot.partition.stored(slot.lane)
        self._forget(slot.file)
        self._enqueue(slot.partition, slot.lane)

    def _conflict(self, file_id: int, last_offset: int) -> None:
        self._retries.succeeded()
        slot = self._upload_ended(file_id)
        if slot is None:
            return
        assert last_offset >= slot.file.first_offset, "an object covers the offset it is named by"
        slot.lane.attempts = 0
        for file in slot.partition.adopt(slot.lane, last_offset):
            self._forget(file)
        self._effects.append(do.Adopted(slot.partition.topic_partition, slot.lane.lane, last_offset))
        self._enqueue(slot.partition, slot.lane)

    def _upload_failed(self, event: on.UploadFailed, now: float) -> None:
        slot = self._upload_ended(event.file_id)
        if slot is None:
            return
        if event.terminal:
            self._fail(event.error)
            return
        slot.lane.attempts += 1
        delay_s = self._retries.delay_s(slot.lane.attempts, event.file_id)
        self._uploads.again(event.file_id, now + delay_s)
        self._failed("store", event.error, delay_s, now)

    def _retry_due(self, now: float) -> None:
        for file_id in self._uploads.due(now):
            slot = self._files.get(file_id)
            if slot is not None:
                self._enqueue(slot.partition, slot.lane)

    def _failed(self, what: str, error: Exception, delay_s: float, now: float) -> None:
        meaning = self._retries.failed(what, error, delay_s, now)
        if meaning is not None:
            self._ended = isinstance(meaning, do.Fail)
            self._effects.append(meaning)

    def _forget(self, file: OpenFile) -> None:
        del self._files[file.file_id]
        self.memory.freed(file)
        self._effects.append(do.Discard(file.file_id))

    def _committed(self, event: on.Committed) -> None:
        partition = self.partitions.get(event.topic_partition)
        if partition is None or not partition.commits.taken((event.offset, event.metadata)):
            return
        self._flushes.committed(event.topic_partition, event.offset)
        if not partition.commits.claimed:
            partition.commits.claimed = True
            for lane in partition.lanes.values():
                self._enqueue(partition, lane)

    def _commit_failed(self, event: on.CommitFailed, now: float) -> None:
        partition = self.partitions.get(event.topic_partition)
        if partition is None:
            return
        if event.fenced:
            self._lost((event.topic_partition,))
            return
        delay_s = self._retries.delay_s(partition.commits.failed(), event.topic_partition.partition + 1)
        partition.commits.next_at_s = now + delay_s
        self._failed("group coordinator", event.error, delay_s, now)

    def _release(self, partitions: tuple[TopicPartition, ...], deadline_s: float, reason: Reason) -> None:
        leaving = [self.partitions[p] for p in partitions if p in self.partitions]
        for partition in leaving:
            if partition.release_deadline_s is None:
                partition.release_deadline_s = deadline_s
            partition.release_deadline_s = min(deadline_s, partition.release_deadline_s)
            partition.close_all(reason)
        if leaving:
            self._effects.append(do.Pause(tuple(partition.topic_partition for partition in leaving)))

    def _release_due(self, partition: PartitionState, now: float) -> None:
        if partition.release_deadline_s is None:
            return
        nothing_held = partition.ledger is None or partition.ledger.files == 0
        if nothing_held and partition.commits.committing is None and partition.commit_wanted() is None:
            self._let_go(partition, clean=True)
        elif now >= partition.release_deadline_s:
            self._let_go(partition, clean=False)

    def _lost(self, partitions: tuple[TopicPartition, ...]) -> None:
        for topic_partition in partitions:
            if topic_partition in self.partitions:
                self._let_go(self.partitions[topic_partition], clean=False)

    def _let_go(self, partition: PartitionState, *, clean: bool) -> None:
        for file in partition.discard_all():
            self._forget(file)
        del self.partitions[partition.topic_partition]
        self._flushes.left(partition.topic_partition)
        self._clean = self._clean and clean
        self._effects.append(do.Released(partition.topic_partition, clean))

    def _fail(self, error: Exception) -> None:
        self._ended = True
        self._effects.append(do.Fail(error))


def _flush_target(partition: PartitionState) -> int:
    """Up to where a flush must commit; never reached by a partition that leaves, for it may have given records up."""
    assert partition.ledger is not None
    return partition.ledger.position if partition.release_deadline_s is None else _NEVER
