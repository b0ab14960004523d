"""Formats a replay's forecast and report, for people and as JSON. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table

from streamsink.errors import CorruptObjectError
from streamsink.replay.fidelity import in_words
from streamsink.replay.job import Forecast, GroupMove, Progress, ReplayReport
from streamsink.replay.plan import ReplayPlan

SHOWN_MAX = 10

Report = Callable[[Progress], None]
_console = Console(highlight=False, soft_wrap=True)


def forecast_json(told: Forecast) -> dict[str, object]:
    """Put a forecast into JSON."""
    return {
        "topic": told.plan.topic,
        "objects": told.plan.objects,
        "records": told.records,
        "bytes": told.plan.size_bytes,
        "duration_s": told.duration_s,
        "partitions": [
            {
                "partition": one.partition,
                "objects": len(one.objects),
                "gaps": [[span.first_offset, span.last_offset] for span in one.gaps],
                "overlaps": [[span.first_offset, span.last_offset] for span in one.overlaps],
            }
            for one in told.plan.partitions
        ],
        "groups": _moves_json(told.moves),
        "corrupt": _left_out_json(told.left_out),
        "warnings": told.warnings,
        "fidelity": in_words(told.made_of) or "byte for byte",
    }


def report_json(done: ReplayReport) -> dict[str, object]:
    """Put a replay that was done into JSON."""
    return {
        "topic": done.plan.topic,
        "to": done.target,
        "objects": done.plan.objects,
        "records": done.records,
        "seconds": round(done.seconds, 3),
        "resume_id": done.resume_id or None,
        "resumed": done.resumed,
        "stopped": done.stopped,
        "encoded_anew": bool(done.made_of),
        "fidelity": in_words(done.made_of) or "byte for byte",
        "timestamps_moved": done.timestamps_moved,
        "target_changes": done.target_changes,
        "gaps": _gaps_json(done.plan),
        "groups": _moves_json(done.moves),
        "left_out": _left_out_json(done.left_out),
    }


def print_forecast(told: Forecast) -> None:
    """Print a forecast, for people."""
    plan = told.plan
    print(f"{told.records:,} records of {plan.topic} in {plan.objects:,} objects, {plan.size_bytes:,} bytes")
    if told.duration_s is not None:
        print(f"at this pace in {told.duration_s:,.0f} s")
    _print_gaps(plan)
    _print_moves(told.moves)
    _print_left_out(told.left_out, "can't be read")
    if told.made_of:
        print(in_words(told.made_of))
    for warning in told.warnings:
        print(f"as it is now it would fail: {warning}")


def print_report(done: ReplayReport) -> None:
    """Print a replay that was done, for people."""
    rate = done.records / done.seconds if done.seconds else 0
    ended = "stopped after" if done.stopped else "replayed"
    again = " more" if done.resumed else ""
    print(f"{ended} {done.records:,}{again} records of {done.plan.topic} into {done.target}, {rate:,.0f} a second")
    if done.stopped and done.resume_id:
        print(f"go on with --resume-id {done.resume_id}")
    if done.made_of:
        print(in_words(done.made_of))
    if done.timestamps_moved:
        moved = f"{done.timestamps_moved:,} records of 1970-01-01T00:00:00.000"
        print(f"{moved} are a millisecond later: librdkafka takes a time of 0 for none")
    for change in done.target_changes:
        print(change)
    _print_gaps(done.plan)
    _print_moves(done.moves)
    _print_left_out(done.left_out, "was left out")


def _gaps_json(plan: ReplayPlan) -> list[dict[str, int]]:
    return [
        {"partition": one.partition, "first_offset": span.first_offset, "last_offset": span.last_offset}
        for one in plan.partitions
        for span in one.gaps
    ]


def _moves_json(moves: Iterable[GroupMove]) -> list[dict[str, object]]:
    return [
        {
            "group": move.group,
            "partition": move.partition,
            "source_offset": move.source_offset,
            "target_offset": move.target_offset,
        }
        for move in moves
    ]


def _left_out_json(left_out: Iterable[CorruptObjectError]) -> list[dict[str, str]]:
    return [{"object": error.path, "offsets": error.offsets, "reason": error.reason} for error in left_out]


def _print_gaps(plan: ReplayPlan) -> None:
    gaps = _gaps_json(plan)
    for gap in gaps[:SHOWN_MAX]:
        print(f"no object has offsets {gap['first_offset']}..{gap['last_offset']} of partition {gap['partition']}")
    if len(gaps) > SHOWN_MAX:
        print(f"and {len(gaps) - SHOWN_MAX:,} more such gaps (aborted transactions and compaction leave them)")


def _print_moves(moves: list[GroupMove]) -> None:
    if not moves:
        return
    table = Table("group", "partition", "source offset", "target offset", box=None)
    for move in moves:
        after = "" if move.target_offset is None else str(move.target_offset)
        table.add_row(move.group, str(move.partition), str(move.source_offset), after)
    _console.print(table)


def _print_left_out(left_out: list[CorruptObjectError], verb: str) -> None:
    for error in left_out:
        print(f"{error.path}, offsets {error.offsets}, {verb}: {error.reason}")
