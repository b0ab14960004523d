"""One replay under way: reads, paces, sends and commits, until its plan is done. Decides nothing else.

The position of a source partition is its next source offset (`position.py`). It is committed to the group of the resume
id, on the target topic's partitions, in the same transaction as the records: a replay that was killed goes on behind
the last committed transaction, and the brokers abort what came after it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.errors import StreamsinkError
from streamsink.replay import lanes
from streamsink.replay.committed import Place
from streamsink.replay.groups import Anchors, move_groups
from streamsink.replay.job import GroupMove, Progress, ReplayJob, ReplayReport
from streamsink.replay.pace import Pace
from streamsink.replay.plan import Position, ReplayPlan
from streamsink.replay.position import Kept, to_metadata
from streamsink.replay.registry_value import ValueEncoder
from streamsink.replay.send import Sender
from streamsink.replay.stream import Batch, PartitionStream, Reading, Where
from streamsink.replay.target import make_admin, plain_properties, wait_until_visible
from streamsink.replay.timed import by_time, rising_times

COMMIT_INTERVAL_S = 1.0
COMMIT_RECORDS_MAX = 500_000
"""A transaction is committed after so much time or so many records."""

Report = Callable[[Progress], None]


class Run:
    """One replay under way."""

    def __init__(
        self,
        archive: Archive,
        job: ReplayJob,
        plan: ReplayPlan,
        sender: Sender,
        kept: Kept,
        of: str,
        partitions: int,
        where: Where | None,
        moves: list[GroupMove],
    ) -> None:
        self._archive = archive
        self._job = job
        self._plan = plan
        self._sender = sender
        self._where = where
        self._positions = Positions(kept, of, partitions, plan if job.growing else None)
        if job.growing:
            self._positions.refresh()
        self._anchors = Anchors(moves, kept.groups, {source: at.offset for source, at in kept.next.items()})
        self._reading = Reading(
            skip_corrupt=job.skip_corrupt, encode=ValueEncoder(archive.store, job.to, job.register_schemas)
        )
        self._pace = Pace(job.rate, job.speed)
        self._uncommitted = 0
        self._due_s = time.monotonic() + COMMIT_INTERVAL_S
        self._progress = Progress(records_total=_total(plan))

    def to_end(self, report: Report, stop: threading.Event) -> ReplayReport:
        """Send everything, or all until it is stopped. What was sent is committed either way.

        Args:
            report: Told the progress, at each batch.
            stop: Ends the run behind the batch under way.

        Returns:
            What was sent and left out, and the positions.
        """
        began = time.monotonic()
        for batch in self._batches():
            if stop.is_set():
                break
            self._send(batch, stop)
            if self._uncommitted >= COMMIT_RECORDS_MAX or time.monotonic() >= self._due_s:
                self._commit()
            report(self._progress)
        self._commit()
        if self._job.transactional and self._progress.records:
            wait_until_visible(make_admin(self._job.properties), self._job.to, range(self._positions.partitions))
        self._progress.done = not stop.is_set()
        report(self._progress)
        moves = self._anchors.moves()
        if moves and not stop.is_set():
            moves = move_groups(plain_properties(self._job.properties), self._job.to, moves)
        return ReplayReport(
            self._plan,
            self._job.to,
            self._job.resume_id,
            records=self._progress.records,
            seconds=time.monotonic() - began,
            resumed=self._positions.resumed,
            stopped=stop.is_set(),
            made_of=frozenset(self._reading.made_of),
            timestamps_moved=self._sender.timestamps_moved,
            left_out=self._reading.left_out,
            moves=moves,
            positions=self._positions.all(),
        )

    def _batches(self) -> Iterator[Batch]:
        streams = [
            PartitionStream(self._archive, partition, self._job.selection, self._reading, self._where)
            for partition in self._plan.partitions
            if partition.objects
        ]
        sources = [self._to_its_end(stream) for stream in streams]
        try:
            yield from itertools.chain.from_iterable(sources) if self._job.speed is None else by_time(sources)
        except StreamsinkError:
            # What was read before the fault is sound.
            self._commit()
            raise

    def _to_its_end(self, stream: PartitionStream) -> Iterator[Batch]:
        yield from stream.batches()
        # What was not chosen need not be looked at again.
        self._positions.ended(stream.partition)

    def _send(self, batch: Batch, stop: threading.Event) -> None:
        target = self._job.partitions.of(batch.partition)
        left = batch.records
        times_ms = np.empty(0, np.int64)
        if self._job.speed is not None:
            times_ms = rising_times(left)
        while left.num_rows and not stop.is_set():
            count, wait_s = left.num_rows, 0.0
            if not self._pace.free:
                count, wait_s = self._pace.due(
                    times_ms if self._job.speed is not None else np.empty(left.num_rows, np.int64),
                    now=time.monotonic(),
                )
            if not count:
                stop.wait(wait_s)
                self._sender.poll()
                if time.monotonic() >= self._due_s:
                    self._commit()
                continue
            part = left.slice(0, count)
            self._send_marked(batch.partition, part, target)
            self._pace.sent(count)
            self._positions.reached(batch.partition, Batch(batch.partition, part, batch.object_start).position())
            self._uncommitted += count
            self._progress.records += count
            left, times_ms = left.slice(count), times_ms[count:]

    def _send_marked(self, partition: int, records: pa.RecordBatch, target: int) -> None:
        """Send records, and learn where those go at which groups stand."""
        at = 0
        marks = self._anchors.take(partition, records.column(0).to_numpy())
        if not marks:
            self._sender.send(records, target)
            return
        for (index, marked), after in zip(marks, [*(index for index, _ in marks[1:]), records.num_rows], strict=True):
            self._sender.send(records.slice(at, index - at), target)
            self._sender.send(records.slice(index, after - index), target, marked=marked)
            at = after

    def _commit(self) -> None:
        self._due_s = time.monotonic() + COMMIT_INTERVAL_S
        if self._uncommitted or self._positions.moved:
            # Delivered first, since what groups' places became is committed with the position.
            self._sender.flush()
            self._sender.commit(self._positions.changed(self._anchors))
            self._uncommitted = 0


class Positions:
    """The position of every source partition, and the target partitions whose commits have to tell it anew."""

    def __init__(self, kept: Kept, of: str, partitions: int, growing: ReplayPlan | None) -> None:
        self._next = dict(kept.next)
        self._growing = {one.partition: one for one in growing.partitions} if growing else {}
        self._of = of
        self.partitions = partitions
        self._changed: set[int] = set()
        self._parts: dict[tuple[int, int], str] = {}
        self._reached: dict[int, Position | None] = {}
        self.resumed = bool(kept.next)

    def reached(self, partition: int, position: Position) -> None:
        """Note that all that was planned of a source partition was sent up to a position.

        Args:
            partition: The source partition.
            position: Its next source offset.
        """
        if partition in self._growing:
            self._reached[partition] = position
        else:
            self._next[partition] = position
        self._changed.add(partition % self.partitions)

    @property
    def moved(self) -> bool:
        """Whether any position is yet to be committed."""
        return bool(self._changed)

    def refresh(self) -> None:
        """Commit each position of this task's again: Kafka forgets offsets that are not committed for a week."""
        self._changed |= {partition % self.partitions for partition in self._growing if partition in self._next}

    def ended(self, partition: int) -> None:
        """Everything planned of a source partition of a growing archive was looked at."""
        if partition in self._growing:
            self._reached[partition] = None
            self._changed.add(partition % self.partitions)

    def all(self) -> dict[int, Position]:
        """Every source partition's position."""
        for partition, at in self._reached.items():
            self._next[partition] = lanes.reached(self._growing[partition], at)
        self._reached.clear()
        return self._next

    def changed(self, anchors: Anchors) -> Iterable[Place]:
        """Give the commits that have to be told anew."""
        for target in sorted(self._changed):
            own = {source: at for source, at in self.all().items() if source % self.partitions == target}
            texts = to_metadata(Kept(own, anchors.kept(target)), self._of)
            offset = max(position.offset for position in own.values())
            # The first part last: without transactions it must not name parts that aren't there.
            for part, text in reversed(list(enumerate(texts))):
                if not part or self._parts.get((target, part)) != text:
                    self._parts[target, part] = text
                    yield Place(target, offset, text, part)
        self._changed.clear()


def _total(plan: ReplayPlan) -> int | None:
    """How many records there are, where objects tell it."""
    counts = [one.records for partition in plan.partitions for one in partition.objects]
    return sum(count for count in counts if count is not None) if None not in counts else None
