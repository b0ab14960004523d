"""Formats snapshots of databases and their restores, for people and as JSON. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from streamsink.cli.tables import new_table, print_table
from streamsink.database.frames import Framed, TableTotals
from streamsink.database.restore import RestoreReport
from streamsink.database.restore_topics import TopicsReport
from streamsink.database.snapshot import SnapshotDone

_EQUAL = {True: "equal", False: "NOT EQUAL", None: "not compared"}


def snapshot_json(done: SnapshotDone) -> dict[str, object]:
    """Put a snapshot that was taken into JSON."""
    totals = done.totals
    return {
        "snapshot": done.id,
        "number": done.number,
        "topic": done.topic,
        "finished": totals is not None,
        "resumed": done.resumed,
        "consistency": done.words,
        "guarantee": done.guarantee,
        "seconds": round(done.seconds, 3),
        "rows": None if totals is None else sum(each.rows for each in totals.values()),
        "tables": [] if totals is None else _totals_json(totals),
        "notices": dict(done.notices),
    }


def print_snapshot(done: SnapshotDone) -> None:
    """Print a snapshot that was taken, for people."""
    if done.totals is None:
        print(f"snapshot {done.id} is unfinished; the same command goes on with it, or begins anew")
        return
    rows = sum(each.rows for each in done.totals.values())
    rate = rows / done.seconds if done.seconds else 0
    print(f"snapshot {done.id} of {done.topic}: {rows:,} rows of {len(done.totals):,} tables, {rate:,.0f} a second")
    print(f"consistency: {done.words}")
    for name, notice in done.notices.items():
        print(f"{name}: {notice}")


def snapshots_json(found: Sequence[Framed]) -> dict[str, object]:
    """Put an archive's snapshots into JSON."""
    return {
        "snapshots": [
            {
                "snapshot": each.begin.id,
                "number": each.number,
                "topic": each.topic,
                "database": each.begin.database,
                "finished": each.totals is not None,
                "rows": each.rows,
                "ended": None if each.end_ms is None else _time(each.end_ms),
                "consistency": each.begin.point.words,
                "point": each.begin.point.position,
                "tables": [table.name for table in each.begin.tables]
                if each.totals is None
                else _totals_json(each.totals),
            }
            for each in found
        ]
    }


def print_snapshots(found: Sequence[Framed]) -> None:
    """An archive's snapshots, for people."""
    if not found:
        print("no snapshot of a database")
        return
    table = new_table("snapshot", "topic", ">number", ">tables", ">rows", "ended")
    for each in found:
        ended = "unfinished" if each.end_ms is None else _time(each.end_ms)
        rows = "" if each.rows is None else f"{each.rows:,}"
        table.add_row(each.begin.id, each.topic, str(each.number), str(len(each.begin.tables)), rows, ended)
    print_table(table)


def restored_json(done: RestoreReport) -> dict[str, object]:
    """Put a restore into JSON, one that was done or one that was only forecast."""
    return {
        "snapshot": done.framed.begin.id,
        "database": done.framed.begin.database,
        "dry_run": done.dry_run,
        "stopped": done.stopped,
        "rows": done.rows,
        "seconds": round(done.seconds, 3),
        "equal": None if done.dry_run else done.equal,
        "tables": [
            {
                "name": each.name,
                "rows": each.rows,
                "equal": each.equal,
                "compared_by": each.compared_by or None,
                "notice": each.notice or None,
            }
            for each in done.tables
        ],
    }


def print_restored(done: RestoreReport) -> None:
    """Print a restore for people, one that was done or one that was only forecast."""
    would = "would restore" if done.dry_run else "stopped after" if done.stopped else "restored"
    print(f"{would} {done.rows:,} rows of {len(done.tables):,} tables, snapshot {done.framed.begin.id}")
    table = new_table("table", ">rows", "compared", "by", "~notice")
    for each in done.tables:
        compared = "" if done.dry_run or done.stopped else _EQUAL[each.equal]
        table.add_row(each.name, f"{each.rows:,}", compared, each.compared_by, each.notice)
    print_table(table)


def topics_json(done: TopicsReport) -> dict[str, object]:
    """Put a restore from topics into JSON."""
    return {
        "seconds": round(done.seconds, 3),
        "stopped": done.stopped,
        "topics": [asdict(each) for each in done.topics],
    }


def print_topics(done: TopicsReport) -> None:
    """Print a restore from topics, for people."""
    table = new_table("topic", "table", ">records", ">written", ">deleted")
    for each in done.topics:
        table.add_row(each.topic, each.table, f"{each.records:,}", f"{each.written:,}", f"{each.deleted:,}")
    print_table(table)


def _totals_json(totals: Mapping[str, TableTotals]) -> list[dict[str, object]]:
    return [
        {"name": name, "rows": each.rows, "digest": each.digest, "database_digest": each.database_digest or None}
        for name, each in totals.items()
    ]


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
