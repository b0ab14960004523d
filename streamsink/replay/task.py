"""A replay from its archive to its topic: checks it and sets it going, or says what it would do. Prints nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from streamsink.archive.archive import Archive
from streamsink.errors import ConfigError, CorruptObjectError, Problem, StreamsinkError, TerminalError
from streamsink.replay.fetch import corrupt, fetch
from streamsink.replay.fidelity import made_of
from streamsink.replay.find import Known, find_topic
from streamsink.replay.groups import check_rule, read_groups
from streamsink.replay.job import Forecast, GroupMove, ReplayJob, ReplayReport
from streamsink.replay.lanes import renamed
from streamsink.replay.plan import Candidate, PartitionPlan, ReplayPlan, Selection, make_plan
from streamsink.replay.position import Kept, fingerprint, from_metadata
from streamsink.replay.run import Report, Run
from streamsink.replay.send import BATCH_BYTES, Sender
from streamsink.replay.stream import PartitionStream, Reading, Where
from streamsink.replay.target import Rule, create_topic, make_admin, partition_count, plain_properties
from streamsink.replay.target_records import facts_of, look_at_records, needs_look
from streamsink.replay.target_settings import batch_bytes, find_unfit, mend_new_topic, read_settings, refuse


def forecast(archive: Archive, job: ReplayJob, *, where: Where | None = None) -> Forecast:
    """Say what a replay would do. Changes nothing.

    Args:
        archive: Where from.
        job: What to replay, and where to.
        where: The selection's predicate; None where it has none.

    Returns:
        Records and seconds to expect, and what would be left out. What would make the replay fail is in its warnings.

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
        target = _check_target(job, plan, dry=True)
        _keep_records(archive, job, plan, target, where)
    except ConfigError:
        raise
    except StreamsinkError as error:
        warnings.append(str(error))
    moves = _group_moves(job, plan)
    made = frozenset(reading.made_of or _made_of_first(archive, plan))
    return Forecast(plan, records, _duration_s(plan, records, job), moves, reading.left_out, warnings, made)


def replay(
    archive: Archive,
    job: ReplayJob,
    *,
    where: Where | None = None,
    report: Report,
    stop: threading.Event,
    known: Known | None = None,
) -> ReplayReport:
    """Replay, until all is sent or `stop` is set; what was sent is committed either way.

    Args:
        archive: Where from.
        job: What, and where to.
        where: The selection's predicate.
        report: Told how far it is, now and then.
        stop: Ends it in good order.
        known: What was found of the archive before; learns what is found now.

    Returns:
        What was sent and left out, and the positions.

    Raises:
        ConfigError: It can't be done as asked.
        CorruptObjectError: An object is not what it should be; what came before it is committed.
        TransientError: The store or the brokers can't be reached now.
        TerminalError: They refuse.
    """
    topic, candidates = find_topic(archive, job.topic, known)
    target = _check_target(job, make_plan(topic, candidates, job.selection, {}), dry=False)
    of = fingerprint(topic, job.selection, str(job.partitions))
    batch = batch_bytes(target.settings, BATCH_BYTES)
    sender = Sender(
        {"batch.size": str(batch), **job.properties},
        job.to,
        resume_id=job.resume_id,
        transactional=job.transactional,
        task=job.share[0],
        marks=bool(job.groups),
    )
    try:
        sender.begin()
        kept = _kept(sender.committed(target.partitions), of, job.resume_id, candidates)
        plan = make_plan(topic, candidates, _shared(job, candidates, target.partitions), kept.next)
        lost = [_lost(one) for one in plan.lost]
        if lost and not job.skip_corrupt:
            raise lost[0]
        notes = _keep_records(archive, job, plan, target, where)
        run = Run(archive, job, plan, sender, kept, of, target.partitions, where, _group_moves(job, plan))
        done = run.to_end(report, stop)
        done.target_changes = notes
        return done
    finally:
        sender.close()


def _kept(committed: Mapping[int, list[str]], of: str, resume_id: str, candidates: Iterable[Candidate]) -> Kept:
    """The position that is committed."""
    first = {target: texts[0] for target, texts in committed.items()}
    kept = from_metadata(first, of, resume_id, {target: texts[1:] for target, texts in committed.items()})
    for partition, position in kept.next.items():
        if position.lanes:
            kept.next[partition] = renamed(position, [one for one in candidates if one.partition == partition])
    return kept


@dataclass(frozen=True, slots=True)
class _Target:
    """The topic records go to. `settings` are None where it isn't there yet, or they aren't told."""

    partitions: int
    settings: Mapping[str, str] | None
    made: bool


def _check_target(job: ReplayJob, plan: ReplayPlan, *, dry: bool) -> _Target:
    """The target topic, made if that was asked for."""
    if job.to == plan.topic and not job.allow_same_topic:
        raise ConfigError(
            [Problem("--to", f"{job.to} is the topic that was archived: its records would be doubled")],
            hint="choose another topic, or --allow-same-topic if it lost them",
        )
    targets = [job.partitions.of(partition.partition) for partition in plan.partitions if partition.objects]
    admin = make_admin(job.properties)
    found = partition_count(admin, job.to, job.bootstrap)
    missing = found is None
    if found is None:
        if not job.create_topic:
            raise TerminalError(
                f"topic {job.to} does not exist, or may not be seen", hint="create it, or --create-topic does"
            )
        found = plan.partition_count if job.partitions.rule is not Rule.MAP else max(targets, default=0) + 1
        if not dry:
            create_topic(admin, job.to, found, job.bootstrap)
    needed = max(targets, default=0) + 1
    if needed > found:
        raise TerminalError(
            f"topic {job.to} has {found} partitions, and the records need {needed}",
            hint="give it more, or choose --partitions hash or a map",
        )
    there = not (missing and dry)
    return _Target(found, read_settings(admin, job.to) if there else None, missing)


def _keep_records(
    archive: Archive, job: ReplayJob, plan: ReplayPlan, target: _Target, where: Where | None
) -> list[str]:
    """See that the target keeps the records as they are. Says what it changes of them, where that is allowed.

    Raises:
        TerminalError: It would change them, or drop some.
    """
    if target.settings is None:
        missing = "does not exist yet" if target.made else "has settings that the brokers don't tell this client"
        return [f"topic {job.to} {missing}: whether it keeps the records as they are is not known"]
    unfit = find_unfit(target.settings, facts_of(plan, job.selection), now_ms=int(time.time() * 1000))
    if needs_look(target.settings) and not job.allow_target_changes:
        streams = [
            PartitionStream(archive, one, job.selection, Reading(skip_corrupt=True), where)
            for one in plan.partitions
            if one.objects
        ]
        unfit += look_at_records(streams, target.settings)
    if not unfit:
        return []
    if target.made:
        mend_new_topic(make_admin(job.properties), job.to, unfit)
        return [f"topic {job.to} was made with {one.setting}={one.harmless}: {one.reason}" for one in unfit]
    if not job.allow_target_changes:
        refuse(job.to, unfit)
    return [f"topic {job.to} has {one}" for one in unfit]


def _group_moves(job: ReplayJob, plan: ReplayPlan) -> list[GroupMove]:
    """Where the groups to move stand."""
    check_rule(job.partitions.rule, job.groups)
    return read_groups(plain_properties(job.properties), job.groups, plan.topic, plan.partition_count)


def _shared(job: ReplayJob, candidates: Iterable[Candidate], partitions: int) -> Selection:
    """Choose the part that this task replays. Positions committed on one target partition are one task's."""
    index, count = job.share
    if count == 1:
        return job.selection
    own = {one.partition for one in candidates if one.partition % partitions % count == index}
    chosen = job.selection.partitions
    return replace(job.selection, partitions=frozenset(own if chosen is None else own & chosen))


def _lost(one: Candidate) -> CorruptObjectError:
    return corrupt(one, one.problem or "the manifest knows it and the store does not have it")


def _made_of_first(archive: Archive, plan: ReplayPlan) -> set[str]:
    """Name the thing that values must be made of, as the first readable object tells."""
    for one in (one.candidate for partition in plan.partitions for one in partition.objects):
        with contextlib.suppress(CorruptObjectError):
            fetched = fetch(archive, one)
            try:
                schema = fetched.reader.schema() or next(iter(fetched.reader.batches())).schema
            finally:
                fetched.close()
            made = made_of(schema)
            return {made} if made else set()
    return set()


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
