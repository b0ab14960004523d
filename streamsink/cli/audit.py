"""`streamsink archive audit`: topic against archive, for people and programs. Compares nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streamsink.audit.audit import Audit, audit_archive
from streamsink.audit.compare import OTHER_HOURS, UNDATED, Hour, PartitionAudit, Ranges
from streamsink.cli.archive import Json, Location, Partition, Topic, opened_archive
from streamsink.cli.archive_views import count, print_json
from streamsink.cli.clients import client_properties
from streamsink.cli.sources import NO_CONNECTOR, Source
from streamsink.cli.tables import new_table, print_table

RANGES_SHOWN_MAX = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def audit(
    archive: Location = "",
    /,
    *,
    bootstrap_server: Annotated[str, Parameter(help="The topic's brokers, HOST:PORT.")],
    topic: Topic = "",
    partition: Partition = None,
    group: Annotated[str, Parameter(help="Only what this group has committed: connect-<name> for a connector.")] = "",
    command_config: Annotated[Path | None, Parameter(help="A properties file for Kafka's client.")] = None,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Compare a topic's records with the archive's, each by offset: key, value, headers and time.

    Exit status 1 means that a record is on one side only, or differs. Offsets that the topic has removed, and those
    whose loss was recorded, are said and are no difference. Records after the last archived one are one; --group leaves
    out what the connector has not committed yet.
    """
    with opened_archive(archive, source) as store, _progress() as (started, advance):
        found = audit_archive(
            store,
            client_properties(bootstrap_server, command_config),
            topic=topic,
            partition=partition,
            group=group,
            started=started,
            compared=advance,
        )
    print_json(_audit_json(found)) if json else _print_audit(found)
    return 0 if found.same else 1


def _audit_json(found: Audit) -> dict[str, Any]:
    return {"same": found.same, "partitions": [_partition_json(one) for one in found.partitions]}


def _partition_json(one: PartitionAudit) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "partition": one.partition,
        "same": one.same,
        "topic_records": one.topic_records,
        "archive_records": one.archive_records,
        "equal": one.equal,
        "digest": one.digest.hexdigest(),
        "topic_from": one.topic_from,
        "topic_until": one.topic_until,
        **{name: _ranges_json(ranges) for name, ranges in _ranges(one).items()},
        "values_not_compared": one.values_not_compared,
        "unreadable": [{"path": path, "problem": problem} for path, problem in one.unreadable],
        "hours": [_hour_json(number, hour) for number, hour in sorted(one.hours.items())],
    }


def _ranges(one: PartitionAudit) -> dict[str, Ranges]:
    return {
        "only_topic": one.only_topic,
        "only_archive": one.only_archive,
        "differing": one.differing,
        "twice": one.twice,
        "removed_from_topic": one.removed,
        "recorded_as_lost": one.lost,
        "not_compared": one.not_compared,
    }


def _ranges_json(ranges: Ranges) -> dict[str, Any]:
    return {
        "count": ranges.count,
        "ranges": [{"first_offset": first, "last_offset": last} for first, last in ranges.listed],
    }


def _hour_json(number: int, hour: Hour) -> dict[str, Any]:
    return {
        "hour": _hour_name(number),
        "topic": hour.topic,
        "archive": hour.archive,
        "equal": hour.equal,
        "digest": hour.digest.hexdigest(),
    }


def _hour_name(number: int) -> str:
    if number in {UNDATED, OTHER_HOURS}:
        return "without time" if number == UNDATED else "others"
    try:
        return (_EPOCH + timedelta(hours=number)).strftime("%Y-%m-%dT%H:00Z")
    except OverflowError:
        return f"hour {number}"


_SAID = {
    "only_topic": "ONLY IN TOPIC",
    "only_archive": "ONLY IN ARCHIVE",
    "differing": "DIFFER",
    "twice": "TWICE IN ARCHIVE",
    "removed_from_topic": "removed from the topic",
    "recorded_as_lost": "recorded as lost",
    "not_compared": "not compared, since their objects keep no offsets",
}


def _print_audit(found: Audit) -> None:
    shown = new_table("topic", ">partition", "hour", ">in topic", ">in archive", ">equal", "digest of the equal ones")
    for one in found.partitions:
        for number, hour in sorted(one.hours.items()):
            counts = (f"{hour.topic:,}", f"{hour.archive:,}", f"{hour.equal:,}")
            shown.add_row(one.topic, str(one.partition), _hour_name(number), *counts, hour.digest.hexdigest()[:16])
    print_table(shown)
    for one in found.partitions:
        name = f"{one.topic}-{one.partition}"
        for what, ranges in _ranges(one).items():
            if ranges.count:
                print(f"{name}: {count(ranges.count, 'offset')} {_SAID[what]}: {_ranges_text(ranges)}")
        for path, problem in one.unreadable:
            print(f"{name}: UNREADABLE {path}: {problem}")
        if one.values_not_compared:
            told = count(one.values_not_compared, "value")
            print(f"{name}: {told} not compared: the archive keeps columns only (archive.value=columns)")
    total = sum(one.equal for one in found.partitions)
    print(f"{'same' if found.same else 'NOT THE SAME'}: {count(total, 'record')} in both")


def _ranges_text(ranges: Ranges) -> str:
    shown = ranges.listed[:RANGES_SHOWN_MAX]
    text = ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in shown)
    return text + (", ..." if len(ranges.listed) > len(shown) else "")


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str, int], None], Callable[[int], None]]]:
    """A bar on a terminal's stderr: what to call when a partition begins, and after each step."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("audit", total=0)
        totals = [0]

        def started(what: str, records: int) -> None:
            totals[0] += records
            bar.update(task, description=what, total=totals[0])

        yield started, lambda records: bar.update(task, advance=records)
