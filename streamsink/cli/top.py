"""`streamsink top`: a worker's connectors and tasks in the terminal, again each second. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from streamsink.cli.connector_views import first_line
from streamsink.cli.rest_client import DEFAULT_URL, fetch
from streamsink.cli.tables import MarkedTable, new_table, print_table
from streamsink.cli.times import duration
from streamsink.errors import TransientError

_STYLES = {"RUNNING": "green", "FAILED": "red bold", "PAUSED": "yellow", "STOPPED": "yellow"}
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """A worker's answers at one moment.

    Attributes:
        at_s: When, by a clock that never goes back.
        status: Connect's status by connector.
    """

    at_s: float
    status: Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task's line; None stands for a number that isn't known.

    Attributes:
        task: Connector and number, `logs-0`.
        state: Connect's word.
        records_per_s: Records read since the reading before.
        lag_records: Records that are not stored yet.
        memory_bytes: What its files take.
        objects: Stored since it started.
        next_close_s: Until its next file closes.
        reason: What is wrong, on one line.
    """

    task: str
    state: str
    records_per_s: float | None = None
    lag_records: int | None = None
    memory_bytes: int | None = None
    objects: int | None = None
    next_close_s: float | None = None
    reason: str = ""


def task_lines(now: Reading, before: Reading | None) -> list[TaskLine]:
    """Make a line for each task. A connector that has no task, or a problem, has one too.

    Args:
        now: The reading to show.
        before: The one that rates are counted from.

    Returns:
        By connector, then by task. Rates are None without an earlier reading.
    """
    lines: list[TaskLine] = []
    for name, status in sorted(now.status.items()):
        connector, reason = status["connector"], first_line(status["connector"])
        if reason or not status["tasks"]:
            lines.append(TaskLine(name, connector["state"], reason=reason))
        lines.extend(_task_line(name, task, now, before) for task in status["tasks"])
    return lines


def _task_line(name: str, task: dict[str, Any], now: Reading, before: Reading | None) -> TaskLine:
    progress = task.get("progress", {})
    close_ms = progress.get("next_close_ms")
    return TaskLine(
        f"{name}-{task['id']}",
        task["state"],
        _rate(progress.get("records_total"), _records_before(before, name, task["id"]), now, before),
        progress.get("lag_records"),
        progress.get("memory_bytes"),
        progress.get("objects_stored_total"),
        None if close_ms is None else close_ms / 1000,
        first_line(task),
    )


def _records_before(before: Reading | None, name: str, number: int) -> int | None:
    tasks = before.status.get(name, {}).get("tasks", []) if before is not None else []
    totals = [task.get("progress", {}).get("records_total") for task in tasks if task["id"] == number]
    return totals[0] if totals else None


def _rate(records: int | None, before_records: int | None, now: Reading, before: Reading | None) -> float | None:
    """Records a second; a task that has started anew counts from 0 again, so there is none."""
    if before is None or records is None or before_records is None or records < before_records:
        return None
    passed_s = now.at_s - before.at_s
    return (records - before_records) / passed_s if passed_s > 0 else None


def table_of(lines: list[TaskLine]) -> MarkedTable:
    """The lines side by side."""
    table = new_table("task", "state", ">records/s", ">lag", ">memory", ">objects", ">next file", "~reason")
    for line in lines:
        table.add_row(
            line.task,
            Text(line.state, style=_STYLES.get(line.state, "")),
            _number(line.records_per_s),
            _number(line.lag_records),
            "" if line.memory_bytes is None else f"{line.memory_bytes / _MIB:,.1f} MiB",
            _number(line.objects),
            "" if line.next_close_s is None else duration(line.next_close_s),
            line.reason,
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def summary(lines: list[TaskLine], url: str) -> str:
    """Sum up all tasks in one line.

    Args:
        lines: What `task_lines` gave.
        url: The worker's, shown in front.
    """
    running = sum(line.state == "RUNNING" for line in lines)
    failed = sum(line.state == "FAILED" for line in lines)
    rate = sum(line.records_per_s or 0 for line in lines)
    lag = sum(line.lag_records or 0 for line in lines)
    return f"{url}  {running} running, {failed} failed, {rate:,.0f} records/s, {lag:,} records behind"


def top(
    *,
    url: Annotated[str, Parameter(name="--url", env_var="STREAMSINK_URL")] = DEFAULT_URL,
    interval: float = 1.0,
    once: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Watch a worker's connectors: states, rates, lag, memory, and errors. Ctrl-C ends it.

    Parameters
    ----------
    url
        Where the worker's REST API listens.
    interval
        Seconds between two looks.
    once
        Look twice, an interval apart, print that, and end.
    """
    interval_s = max(0.1, interval)
    before = _read(url)
    if once:
        time.sleep(interval_s)
        print_table(table_of(task_lines(_read(url), before)))
        return 0
    with suppress(KeyboardInterrupt):
        _watch(url, interval_s, before)
    return 0


def _watch(url: str, interval_s: float, first: Reading) -> None:
    before, now, away = None, first, ""
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        while True:
            lines = task_lines(now, before)
            live.update(Group(Text(away or summary(lines, url), style="bold"), table_of(lines)), refresh=True)
            time.sleep(interval_s)
            try:
                before, now, away = now, _read(url), ""
            except TransientError as error:
                away = f"{error.message}; the table is of {duration(time.monotonic() - now.at_s)} ago"


def _read(url: str) -> Reading:
    answer = fetch(url, "/connectors?expand=status")
    return Reading(time.monotonic(), {name: each["status"] for name, each in answer.items()})
