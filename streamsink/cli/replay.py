"""`streamsink replay`: puts archived records back into a topic, for people and programs. Decides nothing."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from streamsink.archive.open import open_archive, parse_options
from streamsink.cli import replay_views as views
from streamsink.cli.archive_views import print_json
from streamsink.cli.bars import bar
from streamsink.cli.clients import client_properties
from streamsink.cli.stopping import INTERRUPTED, stopping
from streamsink.cli.times import time_ms
from streamsink.replay.job import Progress as Reached
from streamsink.replay.job import ReplayJob
from streamsink.replay.pace import parse_speed
from streamsink.replay.plan import Selection
from streamsink.replay.target import parse_partitions
from streamsink.replay.task import forecast
from streamsink.replay.task import replay as run_replay
from streamsink.replay.where import make_where

Flag = Parameter(negative="")
COUNTED = validators.Number(gte=0)
POSITIVE = validators.Number(gt=0)
Offset = Annotated[int | None, Parameter(validator=COUNTED)]


def replay(
    archive: Annotated[str, Parameter(help="archive.url with topics.dir, or one object.")],
    /,
    *,
    to: str,
    bootstrap_server: Annotated[str, Parameter(env_var="STREAMSINK_BOOTSTRAP_SERVERS")],
    topic: str = "",
    partition: Annotated[list[int], Parameter(negative="")] = [],  # noqa: B006 - cyclopts copies it
    from_: Annotated[str, Parameter(name="--from")] = "",
    until: str = "",
    from_offset: Offset = None,
    until_offset: Offset = None,
    key: str | None = None,
    where: str = "",
    partitions: str = "keep",
    rate: Annotated[float | None, Parameter(validator=POSITIVE)] = None,
    speed: str = "",
    transactional: bool = True,
    resume_id: str = "",
    groups: str = "",
    create_topic: Annotated[bool, Flag] = False,
    allow_same_topic: Annotated[bool, Flag] = False,
    allow_target_changes: Annotated[bool, Flag] = False,
    skip_corrupt: Annotated[bool, Flag] = False,
    command_config: Path | None = None,
    option: Annotated[list[str], Parameter(negative="")] = [],  # noqa: B006
    register_schemas: str = "",
    dry_run: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Put archived records back into a topic: key, value, headers, timestamp and partition as they were.

    Parameters
    ----------
    to
        The topic they go to.
    bootstrap_server
        The brokers, HOST:PORT.
    topic
        The archived topic, where the archive has several.
    partition
        Only this archived partition; repeatable.
    from_
        Only records written at this time or later: ISO 8601, or milliseconds since 1970.
    until
        Only records written before this time.
    from_offset
        Only records archived from this offset on.
    until_offset
        Only records archived below this offset.
    key
        Only records with this key.
    where
        Only records for which this SQL predicate holds, over the archived columns and _kafka.
    partitions
        keep; hash, by the key as Java's producers do; or a map such as 0:2,1:0.
    rate
        Records a second at most.
    speed
        In their original pace, so many times faster: 1x, 2x.
    transactional
        Commit the position in the same transaction as the records.
    resume_id
        Names the replay; run again with the same one it goes on where it stopped.
    groups
        Consumer groups, separated by commas, to move to the same records in the new topic.
    create_topic
        Create the topic, with as many partitions as were archived.
    allow_same_topic
        Allow the topic that was archived.
    allow_target_changes
        Allow a topic whose settings change records or drop some: a short retention, LogAppendTime, limits of time.
    skip_corrupt
        Leave corrupt objects out, and say which.
    command_config
        A properties file with what Kafka's clients need to log in.
    option
        A store option, KEY=VALUE, as after archive.option.; repeatable.
    register_schemas
        The URL of another Schema Registry: schemas of values archived as columns are registered there.
    dry_run
        Say what would be replayed, and change nothing.
    json
        Print one JSON document.
    """
    selection = Selection(
        partitions=frozenset(partition) or None,
        from_offset=from_offset,
        until_offset=until_offset,
        from_ms=time_ms("--from", from_),
        until_ms=time_ms("--until", until),
        key=None if key is None else key.encode(errors="surrogateescape"),
        where=where.strip(),
    )
    job = ReplayJob(
        to=to,
        properties=client_properties(bootstrap_server, command_config),
        topic=topic,
        selection=selection,
        partitions=parse_partitions(partitions),
        transactional=transactional,
        resume_id=resume_id or (f"replay-{uuid.uuid4().hex[:12]}" if transactional and not dry_run else ""),
        groups=tuple(name.strip() for name in groups.split(",") if name.strip()),
        create_topic=create_topic,
        allow_same_topic=allow_same_topic,
        allow_target_changes=allow_target_changes,
        skip_corrupt=skip_corrupt,
        rate=rate,
        speed=parse_speed(speed) if speed else None,
        register_schemas=register_schemas,
    )
    predicate = make_where(selection.where) if selection.where else None
    opened = open_archive(archive, parse_options(option))
    try:
        if dry_run:
            told = forecast(opened, job, where=predicate)
            print_json(views.forecast_json(told)) if json else views.print_forecast(told)
            return 0 if skip_corrupt or not told.left_out else 1
        named = "" if resume_id else job.resume_id
        with stopping() as stop, bar("replaying") as shown:
            report = _telling(named, lambda reached: shown(reached.records, reached.records_total))
            done = run_replay(opened, job, where=predicate, report=report, stop=stop)
    finally:
        opened.store.close()
    print_json(views.report_json(done)) if json else views.print_report(done)
    return INTERRUPTED if done.stopped else 0


def _telling(resume_id: str, report: views.Report) -> views.Report:
    """Tells of a resume id that was not chosen once there is something to go on from."""
    told = not resume_id

    def tell(reached: Reached) -> None:
        nonlocal told
        if not told:
            told = True
            print(f"streamsink: if it is interrupted, go on with --resume-id {resume_id}", file=sys.stderr)
        report(reached)

    return tell
