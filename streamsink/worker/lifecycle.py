"""Carries one connector from one definition to the next: starts its tasks, drains them, starts anew. Never blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from streamsink import __version__
from streamsink.errors import StreamsinkError
from streamsink.worker.child import TaskSpec
from streamsink.worker.folder import Definition
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, State, TaskStatus
from streamsink.worker.supervisor import TaskSupervisor

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a usable definition comes to: the tasks to run, all with one configuration, and what to warn of."""

    type: str
    tasks: tuple[TaskSpec, ...]
    warnings: tuple[str, ...] = ()


Planner = Callable[[Definition], Plan]
"""Makes a plan, or raises ConfigError with everything that is wrong."""

Supervise = Callable[[TaskSpec], TaskSupervisor]
"""Makes a supervisor, not yet started."""


class ConnectorLifecycle:
    """One connector of this worker. One thread defines and steps it; any may ask how it is.

    All tasks of the old definition drain before any of the new one starts, for two layouts must not share a group.
    A definition that can't be used leaves the tasks of the last usable one running, and shows as FAILED.
    """

    def __init__(self, name: str, *, plan: Planner, supervise: Supervise, worker_id: str) -> None:
        self.name = name
        self._make_plan = plan
        self._supervise = supervise
        self._worker_id = worker_id
        self._definition: Definition | None = None
        self._next: Plan | None = None
        self._shown: Mapping[str, str] = {}
        self._problem = ""
        self._type = "unknown"
        self._tasks: tuple[TaskSupervisor, ...] = ()

    @property
    def removed(self) -> bool:
        """Whether it has been removed; its tasks may still drain."""
        return self._definition is None

    @property
    def idle(self) -> bool:
        """Whether every task has ended."""
        return all(task.ended for task in self._tasks)

    @property
    def tasks(self) -> tuple[TaskSupervisor, ...]:
        """The supervisors of its tasks, drained ones included until new ones take their place."""
        return self._tasks

    def define(self, definition: Definition) -> None:
        """Take a new definition; tasks that run just as it says, none of them failed, go on undisturbed."""
        if definition == self._definition:
            return
        self._definition = definition
        if definition.config is None:
            self._refuse(definition.problem)
            return
        self._shown = definition.shown
        try:
            plan = self._make_plan(definition)
        except StreamsinkError as error:
            self._refuse(f"{type(error).__name__}: {error}")
            return
        for warning in plan.warnings:
            _log.warning("connector configuration", connector=self.name, warning=warning)
        self._problem = ""
        self._type = plan.type
        if not self._runs(plan):
            self.drain()
            self._next = plan

    def remove(self) -> None:
        """Forget it, and drain and end every task."""
        self._definition = None
        self.drain()

    def drain(self) -> None:
        """Drain and end every task, and start none."""
        self._next = None
        for task in self._tasks:
            task.close()

    def step(self) -> None:
        """Start what is planned, once nothing of the old is left."""
        plan = self._next
        if plan is None or not self.idle:
            return
        self._next = None
        self._tasks = tuple(self._supervise(spec) for spec in plan.tasks)
        for task in self._tasks:
            task.start()
        _log.info("connector started", connector=self.name, tasks=len(self._tasks))

    def info(self) -> ConnectorInfo:
        """Its configuration, masked, and the tasks it has."""
        shown = {**self._shown, "name": self.name}
        return ConnectorInfo(self.name, self._type, shown, tuple(task.task_id for task in self.status().tasks))

    def status(self) -> ConnectorStatus:
        """How it and its tasks are doing."""
        problem = self._problem
        tasks = tuple(task.status() for task in self._tasks)
        state = State.RUNNING if tasks else State.UNASSIGNED
        if problem:
            state = State.FAILED
        return ConnectorStatus(
            self.name, self._type, state, self._worker_id, __version__, problem, tasks or self._unstarted(problem)
        )

    def _unstarted(self, problem: str) -> tuple[TaskStatus, ...]:
        """The task that would run: people and scripts look for the reason in a task's trace."""
        state = State.FAILED if problem else State.UNASSIGNED
        return (TaskStatus(self.name, 0, state, self._worker_id, __version__, trace=problem),)

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        _log.error(
            "connector can't be used",
            connector=self.name,
            reason=problem,
            running="its last usable configuration" if self._tasks else "nothing",
        )

    def _runs(self, plan: Plan) -> bool:
        """Whether just these tasks are running, and meant to go on."""
        return self._next is None and plan.tasks == tuple(
            task.spec for task in self._tasks if not (task.ended or task.closing)
        )
