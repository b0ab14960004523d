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

from collections import deque
from collections.abc import Iterator
from itertools import count

from streamsink.errors import TerminalError
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.due import DuePartitions
from streamsink.sink.core.flushes import Flushes
from streamsink.sink.core.layouts import UndecidedLayouts, layout_refused
from streamsink.sink.core.looking import Looks
from streamsink.sink.core.outages import Outages
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.core.storing import Storing


class SinkMachine:
    """Decides everything a sink task does. See the module's theory of operation."""

    def __init__(self, settings: MachineSettings) -> None:
        self.settings = settings
        self.partitions: dict[TopicPartition, PartitionState] = {}
        self._effects: deque[do.Effect] = deque()
        self._file_ids = count(1)
        self._outages = Outages(
            delay_s_max=settings.retry_delay_s_max, limit_s=settings.retry_timeout_s, emit=self._effects.append
        )
        self._looks = Looks(self._outages, self._effects.append)
        self._storing = Storing(
            settings.rotation,
            memory_bytes_max=settings.memory_bytes_max,
            uploads_max=settings.uploads_max,
            outages=self._outages,
            emit=self._effects.append,
        )
        self.memory = self._storing.memory
        self.uploads = self._storing.uploads
        self._flushes = Flushes()
        self._due = DuePartitions()
        self._undecided = UndecidedLayouts()
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
        """The time when the machine next wants a `Tick`, or None; a clock that is set forward may make it earlier."""
        deadlines = (self._storing.next_at_s, self._due.next_at_s)
        return min((at for at in deadlines if at is not None), default=None)

    @property
    def next_close_at_s(self) -> float | None:
        """The monotonic time when an open file closes next by age or schedule; None where none is open."""
        return self._storing.next_close_at_s

    def handle(self, event: on.Event, *, now: float, wall_s: float) -> None:  # noqa: C901, PLR0912 - one case an event
        """Take one fact.

        Args:
            event: The fact.
            now: Monotonic time in seconds: ages, retries and deadlines are counted by it.
            wall_s: Unix time in seconds, which may be set back or forward: only schedules follow it.
        """
        if self._ended:
            return
        self._storing.wall_s = wall_s
        match event:
            case on.Polled():
                self._polled(event, now)
            case on.Measured():
                self._storing.measured(event)
            case on.Uploaded():
                self._touched(self._storing.uploaded(event))
            case on.Conflict():
                self._touched(self._storing.conflict(event))
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
            case on.Looked():
                self._looked(event)
            case on.LookFailed():
                self._look_failed(event, now)
            case on.Revoked(partitions, deadline_s):
                self._release(partitions, deadline_s, Reason.REVOKED)
            case on.Lost(partitions):
                self._lost(partitions)
            case on.FlushOrdered(flush_id):
                self._flushes.order(flush_id, self.partitions)
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
        self._storing.close_due(now)
        self._close_for_flushes()
        self._relieve_memory()
        self._storing.retry_due(now)
        self._storing.begin_uploads()
        if isinstance(event, on.Measured):
            return
        # No claim under a new layout while another partition may be refused for it: each could hold the other back.
        if self._undecided.look(self._due.touched, self.partitions):
            for name in self.partitions:
                self._due.touch(name)
        for partition in [self.partitions[name] for name in self._due.take(now)]:
            self._looks.due(partition, now)
            if (partition.commits.claimed or not self._undecided) and partition.commit_due(now):
                self._due.touch(partition.topic_partition)
            self._due.waits(partition)
            self._release_due(partition, now)
        self._effects.extend(do.Flushed(*told) for told in self._flushes.answered())
        if self._stopping and not self.partitions and not self._ended:
            self._ended = True
            self._effects.append(do.Fail(self._refusal) if self._refusal else do.Stopped(clean=self._clean))

    def _touched(self, topic_partition: TopicPartition | None) -> PartitionState | None:
        """The partition that an event is about, which is looked at next; None where it has left."""
        partition = None if topic_partition is None else self.partitions.get(topic_partition)
        if partition is not None:
            self._due.touch(partition.topic_partition)
        return partition

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
            opened=self._storing.opened,
            closed=self._storing.closed,
        )
        partition.assigned(event.offset, event.metadata, compacted=event.compacted)
        self.partitions[event.topic_partition] = partition
        self._due.touch(event.topic_partition)
        refused = partition.layout_before is not None and self.settings.layout_strict
        partition.looking.wanted &= self.settings.look_before_writing and not refused
        if self._paused or partition.looking.wanted:
            self._effects.append(do.Pause((event.topic_partition,)))

    def _looked(self, event: on.Looked) -> None:
        partition = self._touched(event.topic_partition)
        if partition is None or not self._looks.answered(partition.looking, event):
            return
        partition.looked(event.stored)
        if not self._paused and partition.release_deadline_s is None:
            self._effects.append(do.Resume((event.topic_partition,)))

    def _look_failed(self, event: on.LookFailed, now: float) -> None:
        partition = self._touched(event.topic_partition)
        if partition is None or partition.looking.asked != event.look_id:
            return
        if event.terminal:
            self._fail(event.error)
        else:
            self._ended = self._looks.failed(partition.looking, event, now)

    def _polled(self, event: on.Polled, now: float) -> None:
        partition = self._touched(event.topic_partition)
        if partition is None or partition.release_deadline_s is not None:
            return
        if partition.looking.wanted:
            partition.looking.drop(event.start)
            return
        if partition.layout_before is not None and event.runs and not self._accept_layout(partition, now):
            return
        partition.take(event, now)

    @property
    def stopping(self) -> bool:
        """Whether everything is being let go of for good, or the machine has ended."""
        return self._stopping or self._ended

    def _accept_layout(self, partition: PartitionState, now: float) -> bool:
        """Go on under a new layout, or refuse, draining the other partitions so that the old one can be restored."""
        before = str(partition.layout_before)
        if not self.settings.layout_strict:
            partition.layout_before = None
            self._effects.append(do.LayoutChanged(partition.topic_partition, before))
            return True
        self._refusal = layout_refused(partition.topic_partition, before, self.settings.layout)
        self._stopping = True
        for unclaimed in [each for each in self.partitions.values() if not each.commits.claimed]:
            # Nothing of it is stored, so that it need not be claimed either.
            self._let_go(unclaimed, clean=False)
        self._release(tuple(self.partitions), now + self.settings.drain_timeout_s, Reason.STOPPING)
        return False

    def _reached_end(self, topic_partition: TopicPartition, next_offset: int) -> None:
        partition = self._touched(topic_partition)
        if partition is None or partition.release_deadline_s is not None:
            return
        if partition.looking.wanted:
            partition.looking.drop(next_offset)
            return
        partition.layout_before = None
        partition.reached_end(next_offset)

    def _flush(self, flush_id: int) -> None:
        for name in self._flushes.begin(flush_id, self.partitions):
            self.partitions[name].commits.urgent = True
            self._due.touch(name)

    def _close_for_flushes(self) -> None:
        """Close the files that a flush waits for, also files opened anew since another writer's object sent us back."""
        for name in self._due.touched:
            target = self._flushes.target(name)
            for lane in list(self.partitions[name].filing.lanes.values()) if target else ():
                if lane.open is not None and lane.open.first_offset < target:
                    self.partitions[name].filing.rotate(lane, Reason.FLUSH)

    def _relieve_memory(self) -> None:
        self._storing.relieve_memory()
        if self.memory.full and not self._paused:
            self._paused = True
            self._effects.append(do.Pause(tuple(self.partitions)))
        elif self._paused and self.memory.roomy:
            self._paused = False
            self._effects.append(do.Resume(tuple(name for name, state in self.partitions.items() if state.reads)))

    @property
    def paused(self) -> bool:
        """Whether polling rests because memory is full."""
        return self._paused

    @property
    def looking(self) -> set[TopicPartition]:
        """The partitions that rest until their stored ranges are known."""
        return {name for name, state in self.partitions.items() if state.looking.wanted}

    def _upload_failed(self, event: on.UploadFailed, now: float) -> None:
        if event.terminal and self._storing.holds(event.file_id):
            self._fail(event.error)
        else:
            self._ended = self._storing.failed(event, now)

    def _committed(self, event: on.Committed) -> None:
        self._outages.works(Dependency.COORDINATOR)
        partition = self._touched(event.topic_partition)
        if partition is None or not partition.commits.taken((event.offset, event.metadata)):
            return
        self._outages.works(Dependency.DEAD_LETTERS)
        self._flushes.committed(event.topic_partition, event.offset)
        if not partition.commits.claimed:
            partition.commits.claimed = True
            for lane in partition.filing.lanes.values():
                self._storing.enqueue(partition, lane)

    def _commit_failed(self, event: on.CommitFailed, now: float) -> None:
        partition = self._touched(event.topic_partition)
        if partition is None or partition.commits.committing != (event.offset, event.metadata):
            return
        if event.refusal is on.Refusal.TERMINAL:
            self._fail(event.error)
            return
        if event.refusal is on.Refusal.FENCED:
            self._lost((event.topic_partition,))
            self._effects.append(do.Rejoin())
            return
        commits = partition.commits
        seed = event.topic_partition.partition + 1
        delay_s = self._outages.delay_s(event.dependency, commits.failed(now), seed, event.error)
        commits.next_at_s = now + delay_s
        assert commits.failing_since_s is not None
        self._ended = self._outages.failed(
            event.dependency, event.error, delay_s, now=now, since_s=commits.failing_since_s
        )

    def _release(self, partitions: tuple[TopicPartition, ...], deadline_s: float, reason: Reason) -> None:
        leaving = [self.partitions[p] for p in partitions if p in self.partitions]
        for partition in leaving:
            if partition.release_deadline_s is None:
                partition.release_deadline_s = deadline_s
            partition.release_deadline_s = min(deadline_s, partition.release_deadline_s)
            partition.filing.close_all(reason)
            self._due.touch(partition.topic_partition)
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
            self._storing.forget(file)
        del self.partitions[partition.topic_partition]
        self._due.left(partition.topic_partition)
        self._flushes.left(partition.topic_partition)
        self._clean = self._clean and clean
        self._effects.append(do.Released(partition.topic_partition, clean))
        self._outages.released(partitions_left=len(self.partitions))

    def _fail(self, error: Exception) -> None:
        self._ended = True
        self._effects.append(do.Fail(error))
