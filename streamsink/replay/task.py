"""A replay from its archive to its topic: plans, reads, paces, sends and commits. Prints nothing.

The position of a source partition is its next source offset (`position.py`). It is committed to the group of the resume
id, on the target topic's partitions, in the same transaction as the records: a replay that was killed goes on behind
the last committed transaction, and the brokers abort what came after it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from confluent_kafka.admin import AdminClient

from streamsink.archive.archive import Archive
from streamsink.errors import ConfigError, CorruptObjectError, Problem, StreamsinkError, TerminalError
from streamsink.replay.fetch import corrupt
from streamsink.replay.find import find_topic
from streamsink.replay.groups import Anchors, check_rule, move_groups, read_groups
from streamsink.replay.job import Forecast, GroupMove, Progress, ReplayJob, ReplayReport
from streamsink.replay.pace import Pace
from streamsink.replay.plan import Candidate, PartitionPlan, Position, ReplayPlan, Selection, make_plan
from streamsink.replay.position import Kept, fingerprint, from_metadata, lanes_reached, to_metadata
from streamsink.replay.send import Sender
from streamsink.replay.stream import Batch, PartitionStream, Reading, Where
from streamsink.replay.target import Rule, create_topic, partition_count, wait_until_visible
from streamsink.replay.timed import by_time, rising_times

COMMIT_INTERVAL_S = 1.0
COMMIT_RECORDS_MAX = 500_000
"""A transaction is committed after so much time or so many records."""

Report = Callable[[Progress], None]


def forecast(archive: Archive, job: ReplayJob, *, where: Where | None = None) -> Forecast:
    """Say what a replay would do. Changes nothing.

    Raises:
        ConfigError: It can't be done as asked.
        TransientError: The store can't be read now.
        TerminalError: There is nothing to replay, or an object is corrupt and those aren't skipped.
    """
    topic, candidates = find_topic(archive, job.topic)
    plan = make_plan(topic, candidates, job.selection, {})
    reading = Reading(skip_corrupt=True)
    reading.left_out += [_lost(one) for one in plan.lost]
    records = sum(_count(archive, partition, job, reading, where) for partition in plan.partitions)
    warnings = []
    try:
        _check_target(job, plan, dry=True)
    except ConfigError:
        raise
    except StreamsinkError as error:
        warnings.append(str(error))
    moves = _group_moves(job, plan)
    return Forecast(plan, records, _duration_s(plan, records, job), moves, reading.left_out, warnings)


def replay(
    archive: Archive, job: ReplayJob, *, where: Where | None = None, report: Report, stop: threading.Event
) -> ReplayReport:
    """Replay, until all is sent or `stop` is set; what was sent is committed either way.

    Args:
        archive: Where from.
        job: What, and where to.
        where: The selection's predicate.
        report: Told how far it is, now and then.
        stop: Ends it in good order.

    Raises:
        ConfigError: It can't be done as asked.
        CorruptObjectError: An object is not what it should be; what came before it is committed.
        TransientError: The store or the brokers can't be reached now.
        TerminalError: They refuse.
    """
    topic, candidates = find_topic(archive, job.topic)
    partitions = _check_target(job, make_plan(topic, candidates, job.selection, {}), dry=False)
    of = fingerprint(topic, job.selection, str(job.partitions))
    sender = Sender(
        job.properties,
        job.to,
        resume_id=job.resume_id,
        transactional=job.transactional,
        task=job.share[0],
        marks=bool(job.groups),
    )
    try:
        sender.begin()
        kept = from_metadata(sender.committed(partitions), of, job.resume_id)
        plan = make_plan(topic, candidates, _shared(job, candidates, partitions), kept.next)
        lost = [_lost(one) for one in plan.lost]
        if lost and not job.skip_corrupt:
            raise lost[0]
        run = _Run(archive, job, plan, sender, kept, of, partitions, where, _group_moves(job, plan))
        return run.to_end(report, stop)
    finally:
        sender.close()


class _Run:
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
        self._positions = _Positions(kept, of, partitions, plan if job.growing else None)
        self._anchors = Anchors(moves, kept.groups, {source: at.offset for source, at in kept.next.items()})
        self._reading = Reading(skip_corrupt=job.skip_corrupt)
        self._pace = Pace(job.rate, job.speed)
        self._uncommitted = 0
        self._due_s = time.monotonic() + COMMIT_INTERVAL_S
        self._progress = Progress(records_total=_total(plan))

    def to_end(self, report: Report, stop: threading.Event) -> ReplayReport:
        """Send everything."""
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
            encoded_anew=self._reading.encoded_anew,
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


class _Positions:
    """Where every source partition stands, and which target partitions' commits have to tell it anew."""

    def __init__(self, kept: Kept, of: str, partitions: int, growing: ReplayPlan | None) -> None:
        self._next = dict(kept.next)
        self._growing = {one.partition: one for one in growing.partitions} if growing else {}
        self._of = of
        self.partitions = partitions
        self._changed: set[int] = set()
        self.resumed = bool(kept.next)

    def reached(self, partition: int, position: Position) -> None:
        """A source partition's next record is now this."""
        self._next[partition] = position
        self._changed.add(partition % self.partitions)

    @property
    def moved(self) -> bool:
        """Whether any position is yet to be committed."""
        return bool(self._changed)

    def ended(self, partition: int) -> None:
        """Everything planned of a source partition of a growing archive was looked at."""
        plan = self._growing.get(partition)
        if plan is not None:
            lasts = [one.candidate.last_offset for one in plan.objects]
            starts = [one.candidate.start_offset for one in plan.objects]
            self.reached(
                partition, Position(max(starts if plan.foreign else [at for at in lasts if at is not None]) + 1)
            )

    def all(self) -> dict[int, Position]:
        """Every source partition's position."""
        return {partition: self._lanes(partition, at) for partition, at in self._next.items()}

    def _lanes(self, partition: int, at: Position) -> Position:
        plan = self._growing.get(partition)
        return at if plan is None or plan.foreign or at.lanes else lanes_reached(plan, at.offset)

    def changed(self, anchors: Anchors) -> Iterable[tuple[int, int, str]]:
        """What to commit: target partition, an offset, and metadata, which alone counts."""
        for target in sorted(self._changed):
            own = {source: at for source, at in self.all().items() if source % self.partitions == target}
            yield (
                target,
                max(position.offset for position in own.values()),
                to_metadata(Kept(own, anchors.kept(target)), self._of),
            )
        self._changed.clear()


def _check_target(job: ReplayJob, plan: ReplayPlan, *, dry: bool) -> int:
    """How many partitions the target topic has, made if it was asked for."""
    if job.to == plan.topic and not job.allow_same_topic:
        raise ConfigError(
            [Problem("--to", f"{job.to} is the topic that was archived: its records would be doubled")],
            hint="choose another topic, or --allow-same-topic if it lost them",
        )
    targets = [job.partitions.of(partition.partition) for partition in plan.partitions if partition.objects]
    admin = make_admin(job.properties)
    found = partition_count(admin, job.to, job.bootstrap)
    if found is None:
        if not job.create_topic:
            raise TerminalError(f"topic {job.to} does not exist", hint="create it, or --create-topic does")
        found = plan.partition_count if job.partitions.rule is not Rule.MAP else max(targets, default=0) + 1
        if not dry:
            create_topic(admin, job.to, found, job.bootstrap)
    needed = max(targets, default=0) + 1
    if needed > found:
        raise TerminalError(
            f"topic {job.to} has {found} partitions, and the records need {needed}",
            hint="give it more, or choose --partitions hash or a map",
        )
    return found


def _group_moves(job: ReplayJob, plan: ReplayPlan) -> list[GroupMove]:
    """Where the groups to move stand."""
    check_rule(job.partitions.rule, job.groups)
    return read_groups(plain_properties(job.properties), job.groups, plan.topic, plan.partition_count)


def make_admin(properties: Mapping[str, str]) -> AdminClient:
    """A client that asks for topics."""
    return AdminClient({**plain_properties(properties), "log_level": 2})


def plain_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """What reaches the brokers, without what only producers know."""
    prefixes = ("bootstrap.", "security.", "sasl.", "ssl.", "client.", "socket.", "broker.")
    return {key: value for key, value in properties.items() if key.startswith(prefixes)}


def _shared(job: ReplayJob, candidates: Iterable[Candidate], partitions: int) -> Selection:
    """What this task replays. Positions that are committed on one target partition are of one task."""
    index, count = job.share
    if count == 1:
        return job.selection
    own = {one.partition for one in candidates if one.partition % partitions % count == index}
    chosen = job.selection.partitions
    return replace(job.selection, partitions=frozenset(own if chosen is None else own & chosen))


def _lost(one: Candidate) -> CorruptObjectError:
    return corrupt(one, one.problem or "the manifest knows it and the store does not have it")


def _total(plan: ReplayPlan) -> int | None:
    """How many records there are, where objects tell it."""
    counts = [one.records for partition in plan.partitions for one in partition.objects]
    return sum(count for count in counts if count is not None) if None not in counts else None


def _count(archive: Archive, partition: PartitionPlan, job: ReplayJob, reading: Reading, where: Where | None) -> int:
    """How many records a partition has: counted where objects don't tell, or overlap."""
    told = 0 if partition.overlaps else sum(one.records or 0 for one in partition.objects)
    unsure = [one for one in partition.objects if partition.overlaps or one.records is None]
    readable = [one for one in unsure if not (one.candidate.missing or one.candidate.problem)]
    if not readable:
        return told
    stream = PartitionStream(archive, replace(partition, objects=readable), job.selection, reading, where)
    return told + sum(int(batch.records.num_rows) for batch in stream.batches())


def _duration_s(plan: ReplayPlan, records: int, job: ReplayJob) -> float | None:
    """How long it takes at the pace asked for, None where it is as fast as it goes."""
    found = [one.candidate.about for partition in plan.partitions for one in partition.objects]
    slowest: float | None = records / job.rate if job.rate else None
    low = [about.timestamp_min_ms for about in found if about and about.timestamp_min_ms is not None]
    high = [about.timestamp_max_ms for about in found if about and about.timestamp_max_ms is not None]
    if job.speed and low and high:
        first = max(min(low), job.selection.from_ms or 0)
        last = min(max(high), job.selection.until_ms or max(high))
        slowest = max(slowest or 0.0, (last - first) / 1000 / job.speed)
    return slowest
