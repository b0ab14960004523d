"""`streamsink connectors`: asks a worker's REST API about its connectors, and has it change them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from streamsink.cli.awaiting import await_running, await_stopped
from streamsink.cli.connector_views import (
    print_config,
    print_json,
    print_list,
    print_offsets,
    print_report,
    print_status,
)
from streamsink.cli.migrate import migrate
from streamsink.cli.rest_client import DEFAULT_URL, ask, connector_path, fetch
from streamsink.config.reading.files import read_flat, read_initial_state
from streamsink.errors import ConfigError, Problem, StreamsinkError

DONE, WRONG = 0, 2

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
Url = Annotated[str, Parameter(name="--url", env_var="STREAMSINK_URL", help="Where the worker's REST API listens.")]
Set = Annotated[tuple[str, ...], Parameter(name="--set", negative="")]
Unset = Annotated[tuple[str, ...], Parameter(name="--unset", negative="")]

app = App(name="connectors", help="Ask a running worker about its connectors, and have it change them.")
app.command(migrate)


@app.command(name="list")
def list_connectors(*, url: Url = DEFAULT_URL, json: Json = False) -> int:
    """List the connectors and how they are."""
    answer = fetch(url, "/connectors?expand=status&expand=info")
    print_json(answer) if json else print_list(answer)
    return DONE


@app.command
def show(connector: str, /, *, url: Url = DEFAULT_URL, json: Json = False) -> int:
    """Show a connector: its configuration, its state and its tasks'."""
    info, status = fetch(url, connector_path(connector)), fetch(url, connector_path(connector, "status"))
    if json:
        print_json({"info": info, "status": status})
        return DONE
    print_status(status)
    print()
    print_config(info["config"])
    return DONE


@app.command
def status(connector: str, /, *, url: Url = DEFAULT_URL, json: Json = False) -> int:
    """Show the state of a connector and its tasks."""
    answer = fetch(url, connector_path(connector, "status"))
    print_json(answer) if json else print_status(answer)
    return DONE


@app.command
def config(
    connector: str,
    /,
    *,
    set_keys: Set = (),
    unset_keys: Unset = (),
    url: Url = DEFAULT_URL,
    json: Json = False,
) -> int:
    """Print a connector's configuration, secrets masked; change some keys of it first, if asked.

    Parameters
    ----------
    connector
        The connector's name.
    set_keys
        KEY=VALUE to set; may be given several times.
    unset_keys
        KEY to remove; may be given several times.
    """
    patch: dict[str, str | None] = {**_pairs("--set", set_keys), **dict.fromkeys(unset_keys)}
    path = connector_path(connector, "config")
    answer = ask(url, "PATCH", path, patch)["config"] if patch else fetch(url, path)
    if patch:
        _warn(url, answer)
    print_json(answer) if json else print_config(answer)
    return DONE


@app.command
def create(
    file: Path,
    /,
    *,
    name: str | None = None,
    state: Literal["running", "paused", "stopped"] | None = None,
    replace: Annotated[bool, Parameter(negative="")] = False,
    wait: Annotated[bool, Parameter(negative="")] = False,
    url: Url = DEFAULT_URL,
    json: Json = False,
) -> int:
    """Make a connector of a file, or replace one.

    Parameters
    ----------
    file
        A flat map in YAML, JSON or properties, as in the connectors folder.
    name
        The connector's name; otherwise the file's `name`, or its stem.
    state
        What it shall be at first; otherwise the file's `initial_state`, or running.
    replace
        Replace the configuration of a connector that is there already.
    wait
        Return when a task of it has partitions and runs, or fail with what keeps it from that.
    """
    flat = read_flat(file)
    first = (state or read_initial_state(file) or "RUNNING").upper()
    called = name or flat.get("name", "").strip() or file.stem
    flat["name"] = called
    if replace:
        answer = ask(url, "PUT", connector_path(called, "config"), flat)
    else:
        answer = ask(url, "POST", "/connectors", {"name": called, "config": flat, "initial_state": first})
    _warn(url, answer["config"])
    if wait and first == "RUNNING":
        await_running(url, called)
    print_json(answer) if json else print(f"{called}: replaced" if replace else f"{called}: made, {first.lower()}")
    return DONE


@app.command
def validate(*files: Path, url: Url = DEFAULT_URL, json: Json = False) -> int:
    """Have the worker judge connectors' files: all that is wrong, and what each configuration guarantees.

    Parameters
    ----------
    files
        Flat maps in YAML, JSON or properties, as in the connectors folder.
    """
    if not files:
        raise ConfigError([Problem("FILES", "names no file")], hint="streamsink connectors validate FILE ...")
    reports = {file: _judged(file, url) for file in files}
    if json:
        print_json(reports[files[0]] if len(files) == 1 else {str(file): report for file, report in reports.items()})
    else:
        for file, report in reports.items():
            if len(files) > 1:
                print(f"{file}:")
            print_report(report)
    return WRONG if any(report["error_count"] for report in reports.values()) else DONE


@app.command
def delete(connector: str, /, *, url: Url = DEFAULT_URL) -> int:
    """Delete a connector; what it has stored and its consumer group stay."""
    ask(url, "DELETE", connector_path(connector))
    return _said(f"{connector}: deleted, its tasks store what they hold and end")


@app.command
def pause(connector: str, /, *, url: Url = DEFAULT_URL) -> int:
    """Have a connector's tasks store what they hold and rest."""
    ask(url, "PUT", connector_path(connector, "pause"))
    return _said(f"{connector}: pauses")


@app.command
def resume(connector: str, /, *, url: Url = DEFAULT_URL) -> int:
    """Have a paused or stopped connector run again."""
    ask(url, "PUT", connector_path(connector, "resume"))
    return _said(f"{connector}: resumes")


@app.command
def stop(connector: str, /, *, url: Url = DEFAULT_URL) -> int:
    """Have a connector's tasks store what they hold and end; returns when its offsets may be changed."""
    ask(url, "PUT", connector_path(connector, "stop"))
    await_stopped(url, connector)
    return _said(f"{connector}: stopped")


@app.command
def flush(connector: str, /, *, url: Url = DEFAULT_URL) -> int:
    """Have everything stored and committed that a connector has read by now; returns when it is."""
    answer = ask(url, "POST", connector_path(connector, "flush"))
    return _said(answer["message"])


@app.command
def restart(
    connector: str,
    /,
    *,
    task: int | None = None,
    only_failed: Annotated[bool, Parameter(negative="")] = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Restart a connector with all its tasks, or only what has failed, or one task.

    Parameters
    ----------
    connector
        The connector's name.
    task
        Number of the one task to restart.
    only_failed
        Leave alone what runs.
    """
    if task is not None:
        ask(url, "POST", connector_path(connector, "tasks", str(task), "restart"))
        return _said(f"{connector}-{task}: restarts")
    answer = ask(
        url, "POST", connector_path(connector, f"restart?includeTasks=true&onlyFailed={str(only_failed).lower()}")
    )
    chosen = [f"{connector}-{each['id']}" for each in answer["tasks"] if each["state"] == "RESTARTING"]
    return _said(f"{connector}: restarts {', '.join(chosen) or 'no task'}")


@app.command
def offsets(
    connector: str,
    /,
    *,
    set_keys: Set = (),
    reset: Annotated[bool, Parameter(negative="")] = False,
    url: Url = DEFAULT_URL,
    json: Json = False,
) -> int:
    """Show what a connector has committed; change that of a stopped one first, if asked.

    Parameters
    ----------
    connector
        The connector's name.
    set_keys
        TOPIC:PARTITION=OFFSET to set, without OFFSET to remove; may be given several times.
    reset
        Remove all.
    """
    path = connector_path(connector, "offsets")
    if reset:
        ask(url, "DELETE", path)
    elif set_keys:
        ask(url, "PATCH", path, {"offsets": [_offset(text) for text in set_keys]})
    answer = fetch(url, path)
    print_json(answer) if json else print_offsets(answer)
    return DONE


def _judged(file: Path, url: str) -> dict[str, Any]:
    """What the worker says of one file."""
    flat = read_flat(file)
    flat.setdefault("name", file.stem)
    kind = flat.get("connector.class", "").strip()
    if not kind:
        missing = Problem(f"{file}: connector.class", "is required")
        raise ConfigError([missing], hint="streamsink.ArchiveSink is one")
    report: dict[str, Any] = ask(url, "PUT", f"/connector-plugins/{kind.rpartition('.')[2]}/config/validate", flat)
    return report


def _warn(url: str, config: dict[str, str]) -> None:
    """Show on stderr what of a configuration is hardly meant. It is kept by now, so a failure here is none."""
    kind = quote(config.get("connector.class", "").strip().rpartition(".")[2], safe="")
    try:
        report = ask(url, "PUT", f"/connector-plugins/{kind}/config/validate", config) if kind else {}
    except StreamsinkError:
        return
    for warning in report.get("warnings", []):
        print(f"warning  {warning}", file=sys.stderr)


def _said(text: str) -> int:
    print(text)
    return DONE


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = [Problem(option, f"{key!r} is not KEY=VALUE") for key, equals, _ in pairs if not equals or not key]
    if wrong:
        raise ConfigError(wrong)
    return {key: value for key, _, value in pairs}


def _offset(text: str) -> dict[str, Any]:
    where, equals, offset = text.rpartition("=")
    topic, colon, partition = where.rpartition(":")
    if not equals or not colon or not partition.isdecimal() or not (offset.isdecimal() or not offset):
        raise ConfigError([Problem("--set", f"{text!r} is not TOPIC:PARTITION=OFFSET")])
    at = {"kafka_topic": topic, "kafka_partition": int(partition)}
    return {"partition": at, "offset": {"kafka_offset": int(offset)} if offset else None}
