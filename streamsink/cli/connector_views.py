"""Prints what a worker says of its connectors: tables for people, JSON for programs. Asks nobody."""

from __future__ import annotations

import json
import re
from typing import Any

from streamsink.cli.tables import new_table, print_table
from streamsink.cli.times import duration

_JOINS = "joins its group: a member that was killed keeps its partitions for session.timeout.ms, 45 s by default"
_OURS = ("TerminalError", "TransientError", "ConfigError", "StoreUnsafeError", "CorruptObjectError")


def print_list(answer: dict[str, Any]) -> None:
    """Print every connector with its state and its tasks'."""
    table = new_table("connector", "type", "state", "tasks", "lag", "~reason")
    for name, both in sorted(answer.items()):
        status = both["status"]
        states = " ".join(f"{task['id']}:{task['state']}" for task in status["tasks"])
        table.add_row(name, status["type"], status["connector"]["state"], states, _lag(status), _reason(status))
    print_table(table)


def print_report(report: dict[str, Any]) -> None:
    """Print a configuration's problems, its warnings, and the guarantee that it gives."""
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
    """Print a connector's offsets, one partition a row."""
    table = new_table("partition", ">offset")
    for each in answer["offsets"]:
        at, offset = each["partition"], each["offset"] or {}
        if "kafka_topic" in at:
            table.add_row(f"{at['kafka_topic']}:{at['kafka_partition']}", str(offset.get("kafka_offset", "")))
        else:
            table.add_row(json.dumps(at, sort_keys=True), json.dumps(offset, sort_keys=True))
    print_table(table)


def _lag(status: dict[str, Any]) -> str:
    """Records not yet stored, over all tasks that say."""
    lags = [task.get("progress", {}).get("lag_records") for task in status["tasks"]]
    known = [lag for lag in lags if lag is not None]
    return f"{sum(known):,}" if known else ""


def _reason(status: dict[str, Any]) -> str:
    """The first thing that is wrong, on one line."""
    return next(filter(None, map(first_line, (status["connector"], *status["tasks"]))), "")


def first_line(part: dict[str, Any]) -> str:
    """Find the line that says what is wrong with a connector or task. The frames behind it are for `--json`."""
    said = (part.get(key) for key in ("trace", "stalled", "retrying", "warning"))
    waits = part.get("state") == "RUNNING" and part.get("progress", {}).get("assigned") is False
    return in_words(str(next(filter(None, said), _JOINS if waits else "")))


def in_words(trace: str) -> str:
    """The first line of a trace, without the class of a streamsink error: its words say what there is to know."""
    line = trace.partition("\n")[0]
    return re.sub(rf"^(?:{'|'.join(_OURS)}): ", "", line)


def _ago(age_ms: int | None) -> str:
    """When offsets last moved on, since the task started."""
    return "none yet" if age_ms is None else f"{age_ms / 1000:,.0f} s ago"


def _in(left_ms: int | None) -> str:
    """When the next file closes."""
    return "" if left_ms is None else f"in {duration(left_ms / 1000)}"


def _what_waits(status: dict[str, Any]) -> str:
    """How to store at once what has been read, where tasks have stored nothing yet; "" where there is no need."""
    told = [task["progress"] for task in status["tasks"] if task.get("progress")]
    files = sum(progress.get("open_files", 0) for progress in told)
    if not files or any(progress.get("objects_stored_total") for progress in told):
        return ""
    records = sum(progress["records_total"] for progress in told)
    return (
        f"{records:,} records wait in open files, and nothing is stored yet. "
        f"Store them now: streamsink connectors flush {status['name']}\n"
    )


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(document, indent=2, sort_keys=True))


def print_config(config: dict[str, str]) -> None:
    """One key a line."""
    for key, value in sorted(config.items()):
        print(f"{key}: {value}")


def print_status(status: dict[str, Any]) -> None:
    """A connector and its tasks, each with what it is about."""
    table = new_table("task", "state", "worker", "lag", "last commit", "next file", "~reason")
    connector = status["connector"]
    table.add_row(status["name"], connector["state"], connector["worker_id"], "", "", "", first_line(connector))
    for task in status["tasks"]:
        progress = task.get("progress", {})
        lag, age_ms = progress.get("lag_records"), progress.get("last_commit_age_ms")
        table.add_row(
            f"{status['name']}-{task['id']}",
            task["state"],
            task["worker_id"],
            "" if lag is None else f"{lag:,}",
            _ago(age_ms) if progress else "",
            _in(progress.get("next_close_ms")),
            first_line(task),
        )
    print_table(table)
    print(_what_waits(status), end="")
