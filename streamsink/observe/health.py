"""Decides whether a worker is live and ready, from what was observed. Pure: ages come in, a verdict goes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TICK_AGE_MAX_S = 15.0
"""The worker's loop turns several times a second; past this it hangs."""

REPORT_AGE_MAX_S = 15.0
"""A task reports once a second; past this its process hangs."""


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict, and all that is wrong; of that, only what is the worker's own decides."""

    ok: bool
    problems: tuple[str, ...] = ()

    def also(self, problems: Iterable[str]) -> Health:
        """The verdict with more reasons against it; empty texts are none."""
        found = (*self.problems, *(text for text in problems if text))
        return Health(ok=not found, problems=found)


@dataclass(frozen=True, slots=True)
class TaskObservation:
    """The facts that readiness needs of a task that should run. `report_age_s` is None before its first report."""

    name: str
    state: str
    report_age_s: float | None
    assigned: bool


def liveness(*, tick_age_s: float, dead: Iterable[str] = ()) -> Health:
    """Live while the worker's loop ticks and no vital thread has died.

    Args:
        tick_age_s: How long ago the loop turned.
        dead: Why a vital thread died, one text for each; empty texts mean nothing.
        tick_age_s: Seconds since the loop turned.

    Returns:
        Live, or not with the reasons in `problems`.
    """
    hanging = f"the worker's loop has not turned for {tick_age_s:.0f} s" if tick_age_s > TICK_AGE_MAX_S else ""
    return Health(ok=True).also([hanging, *dead])


def readiness(*, starting: str, connectors: Iterable[str], tasks: Iterable[TaskObservation]) -> Health:
    """Ready once nothing is `starting` (or stopping). A connector or a task that fails takes no worker out of service.

    Args:
        starting: Why the worker as a whole is not ready, or "".
        connectors: One reason for each connector that can't run.
        tasks: Every task that should run.

    Returns:
        The worker's own verdict, with all that is wrong beside it, also where it is ready.
    """
    problems = [starting] if starting else []
    problems.extend(connectors)
    problems.extend(problem for task in tasks if (problem := _task_problem(task)))
    return Health(ok=not starting, problems=tuple(problems))


def _task_problem(task: TaskObservation) -> str:
    if task.report_age_s is None or task.state != "RUNNING":
        return f"task {task.name} is {task.state}"
    if task.report_age_s > REPORT_AGE_MAX_S:
        return f"task {task.name} has not reported for {task.report_age_s:.0f} s"
    if not task.assigned:
        return f"task {task.name} has no assignment from its consumer group yet"
    return ""
