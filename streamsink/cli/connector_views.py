"""Prints what a worker says of its connectors: tables for people, JSON for programs. Asks nobody."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

PIPE_COLUMNS = 200


def print_list(answer: dict[str, Any]) -> None:
    """Every connector with its state and its tasks'."""
    table = _table("connector", "type", "state", "tasks", "lag", "reason")
    for name, both in sorted(answer.items()):
        status = both["status"]
        states = " ".join(f"{task['id']}:{task['state']}" for task in status["tasks"])
        table.add_row(name, status["type"], status["connector"]["state"], states, _lag(status), _reason(status))
    _print_table(table)


def print_report(report: dict[str, Any]) -> None:
    """What is wrong with a configuration, what is hardly meant, and what it guarantees."""
    for each in report["configs"]:
        for error in each["value"]["errors"]:
            print(f"error    {each['value']['name']}: {error}")
    for warning in report.get("warnings", []):
        print(f"warning  {warning}")
    if not report["error_count"]:
        print("The configuration can be used.")
        if report.get("guarantee"):
            print(report["guarantee"])


def print_offsets(answer: dict[str, Any]) -> None:
    """Where a connector stands, one partition a row."""
    table = _table("partition", "offset")
    for each in answer["offsets"]:
        at, offset = each["partition"], each["offset"] or {}
        if "kafka_topic" in at:
            table.add_row(f"{at['kafka_topic']}:{at['kafka_partition']}", str(offset.get("kafka_offset", "")))
        else:
            table.add_row(json.dumps(at, sort_keys=True), json.dumps(offset, sort_keys=True))
    _print_table(table)


def _lag(status: dict[str, Any]) -> str:
    """Records not yet stored, over all tasks that say."""
    lags = [task.get("progress", {}).get("lag_records") for task in status["tasks"]]
    known = [lag for lag in lags if lag is not None]
    return f"{sum(known):,}" if known else ""


def _reason(status: dict[str, Any]) -> str:
    """The first thing that is wrong, on one line."""
    return next(filter(None, map(_first_line, (status["connector"], *status["tasks"]))), "")


def _first_line(part: dict[str, Any]) -> str:
    """What is wrong with a connector or a task; the frames that follow are for `--json`."""
    return str(part.get("trace") or part.get("retrying") or "").partition("\n")[0]


def print_json(document: Any) -> None:
    """One JSON document."""
    print(json.dumps(document, indent=2, sort_keys=True))


def print_config(config: dict[str, str]) -> None:
    """One key a line."""
    for key, value in sorted(config.items()):
        print(f"{key}: {value}")


def print_status(status: dict[str, Any]) -> None:
    """A connector and its tasks, each with what it is about."""
    table = _table("task", "state", "worker", "lag", "last commit", "reason")
    connector = status["connector"]
    table.add_row(status["name"], connector["state"], connector["worker_id"], "", "", _first_line(connector))
    for task in status["tasks"]:
        progress = task.get("progress", {})
        lag, age_ms = progress.get("lag_records"), progress.get("last_commit_age_ms")
        table.add_row(
            f"{status['name']}-{task['id']}",
            task["state"],
            task["worker_id"],
            "" if lag is None else f"{lag:,}",
            "" if age_ms is None else f"{age_ms / 1000:,.0f} s ago",
            _first_line(task),
        )
    _print_table(table)


def _table(*columns: str) -> Table:
    from rich import box  # noqa: PLC0415 (only people need tables)
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_table(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415

    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    Console(width=width, markup=False, highlight=False).print(table)
