"""Waits until a worker's connector is as it was asked to be, by asking for its status. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streamsink.cli.connector_views import in_words
from streamsink.cli.rest_client import connector_path, fetch
from streamsink.errors import TerminalError, TransientError

LOOK_EVERY_S = 0.25
STOP_S = 150.0
"""Longer than a drain takes by default, and the end of a process that doesn't end."""
START_S = 60.0
"""How long a task may take to get partitions: its process starts, and its group waits for other members."""


def await_stopped(url: str, connector: str, *, timeout_s: float = STOP_S) -> None:
    """Wait until a connector's tasks have ended.

    Args:
        url: Where the worker's REST API listens.
        connector: Its name.
        timeout_s: How long at most.

    Raises:
        TransientError: They have not in this time; they are still meant to.
    """

    def stopped(status: dict[str, Any]) -> bool:
        return status["connector"]["state"] == "STOPPED" and not status["tasks"]

    if _wait(url, connector, stopped, timeout_s) is not None:
        raise TransientError(
            f"{connector} has not stopped within {timeout_s:.0f} s",
            hint=f"it goes on stopping: streamsink connectors status {connector}",
        )


def await_running(url: str, connector: str, *, timeout_s: float = START_S) -> None:
    """Wait until a task of a connector runs and has joined its group.

    Args:
        url: Where the worker's REST API listens.
        connector: Its name.
        timeout_s: How long at most.

    Raises:
        TerminalError: The connector or its first task has failed; the message has the reason.
        TransientError: None runs in this time; the message has what is retried.
    """

    def runs(status: dict[str, Any]) -> bool:
        failed = [each for each in (status["connector"], *status["tasks"]) if each["state"] == "FAILED"]
        if failed:
            raise TerminalError(f"{connector} is made, and has failed: {_why(failed)}")
        return any(_works(task) for task in status["tasks"])

    last = _wait(url, connector, runs, timeout_s)
    if last is not None:
        why = _why([last["connector"], *last["tasks"]]) or "its tasks have no partitions yet"
        raise TransientError(
            f"{connector} is made, and no task of it runs after {timeout_s:.0f} s: {why}",
            hint=f"it goes on trying: streamsink connectors status {connector}",
        )


def _works(task: dict[str, Any]) -> bool:
    """A task that runs, has joined its group, and has nothing to try again."""
    return task["state"] == "RUNNING" and task.get("progress", {}).get("assigned") is True and not _why([task])


def _why(parts: list[dict[str, Any]]) -> str:
    """The first reason that a connector or a task gives, on one line."""
    said = (str(part.get("trace") or part.get("stalled") or part.get("retrying") or "") for part in parts)
    return next((in_words(text) for text in said if text), "")


def _wait(url: str, connector: str, done: Callable[[dict[str, Any]], bool], timeout_s: float) -> dict[str, Any] | None:
    """None once it is so, else the last status within the time."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        status = fetch(url, connector_path(connector, "status"))
        if done(status):
            return None
        if time.monotonic() >= deadline_s:
            return dict(status)
        time.sleep(LOOK_EVERY_S)
