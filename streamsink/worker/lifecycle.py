"""Carries one connector from one definition to the next: starts its tasks, drains them, starts anew. Never blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog

from streamsink import __version__
from streamsink.errors import NotFoundError, RebalanceError, StreamsinkError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.worker.child import TaskSpec
from streamsink.worker.folder import Definition
from streamsink.worker.offsets import OffsetAccess
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, State, TargetState, TaskStatus
from streamsink.worker.supervisor import TaskSupervisor
from streamsink.worker.topics import ActiveTopics

_log = structlog.get_logger(__name__)

_TARGETED = {
    TargetState.RUNNING: State.UNASSIGNED,
    TargetState.PAUSED: State.PAUSED,
    TargetState.STOPPED: State.STOPPED,
}
"""How a connector without a process shows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan that a usable definition makes: the tasks to run, all with one configuration, and warnings.

    `offsets` is how to reach what the connector has committed.
    """

    type: str
    tasks: tuple[TaskSpec, ...]
    warnings: tuple[str, ...] = ()
    offsets: OffsetAccess | None = None


Planner = Callable[[Definition], Plan]
"""Makes a plan, or raises ConfigError with everything that is wrong."""

Supervise = Callable[[TaskSpec], TaskSupervisor]
"""Makes a supervisor, not yet started."""


class ConnectorLifecycle:
    """One connector of this worker. One thread defines and steps it; any may ask how it is.

    `define`, `set_target`, `place` and the restarts say what is wanted; `step` brings the tasks there, one turn at a
    time. All tasks of the old definition drain before any of the new one starts, for two layouts must not share a
    group. A definition that can't be used leaves the tasks of the last usable one running, and shows as FAILED.
    """

    def __init__(
        self,
        name: str,
        *,
        plan: Planner,
        supervise: Supervise,
        worker_id: str,
        target: TargetState = TargetState.RUNNING,
    ) -> None:
        self.name = name
        self._topics = ActiveTopics()
        self._make_plan = plan
        self._supervise = supervise
        self._worker_id = worker_id
        self._definition: Definition | None = None
        self._target = target
        self._plan: Plan | None = None
        self._placed: Collection[int] | None = None
        self._restarting: set[int] = set()
        self._draining = False
        self._shown: Mapping[str, str] = {}
        self._problem = ""
        self._tasks: dict[int, TaskSupervisor] = {}

    @property
    def definition(self) -> Definition | None:
        """The present definition, usable or not; None once the connector is removed."""
        return self._definition

    @property
    def target(self) -> TargetState:
        """The state that the connector is meant to be in."""
        return self._target

    @property
    def removed(self) -> bool:
        """Whether it has been removed; its tasks may still drain."""
        return self._definition is None

    @property
    def idle(self) -> bool:
        """Whether every task has ended."""
        return all(task.ended for task in self._tasks.values())

    @property
    def tasks(self) -> tuple[TaskSupervisor, ...]:
        """The supervisors of its tasks here, drained ones included until new ones take their place."""
        return tuple(self._tasks.values())

    @property
    def planned(self) -> tuple[TaskSpec, ...]:
        """The tasks of its last usable definition, wherever they run."""
        return self._plan.tasks if self._plan else ()

    @property
    def planned_ids(self) -> tuple[int, ...]:
        """The planned tasks' numbers."""
        return tuple(spec.task_id for spec in self.planned)

    @property
    def offsets(self) -> OffsetAccess | None:
        """The way to reach its committed offsets; None where it has never been usable."""
        return self._plan.offsets if self._plan else None

    def define(self, definition: Definition) -> None:
        """Take a new definition. Tasks that run just as it says go on undisturbed, and failed ones try again."""
        if definition == self._definition:
            return
        self._definition = definition
        self._replan(definition)
        if not self._problem:
            self._restarting |= {number for number, task in self._tasks.items() if task.ended and not task.closing}

    def set_target(self, target: TargetState) -> None:
        """Say what it is meant to be. A task that failed tries again once it is resumed."""
        self._target = target

    def place(self, task_ids: Collection[int] | None) -> None:
        """Say which of its tasks run on this worker; None for all."""
        self._placed = task_ids

    def topics(self) -> list[str]:
        """Topics it has used here, as far as `see_topics` has seen."""
        return self._topics.topics

    def see_topics(self) -> None:
        """Look at its tasks' newest snapshots."""
        self._topics.saw(self._snapshots())

    def reset_topics(self) -> None:
        """Forget which topics it has used so far."""
        self._topics.reset(self._snapshots())

    def restart(self, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """Read the definition anew, and restart tasks if asked.

        Args:
            include_tasks: Whether tasks are restarted too.
            only_failed: Whether only connector and tasks that have failed are.

        Returns:
            The connector's status. Whatever is restarted shows as RESTARTING.
        """
        status = self.status()
        itself = not only_failed or status.state is State.FAILED
        chosen = {
            task.task_id for task in status.tasks if include_tasks and (not only_failed or task.state is State.FAILED)
        }
        if itself and self._definition is not None:
            self._replan(self._definition)
        self._restarting |= chosen & set(self._tasks)
        tasks = tuple(
            replace(task, state=State.RESTARTING, trace="") if task.task_id in chosen else task for task in status.tasks
        )
        return (
            replace(status, state=State.RESTARTING, trace="", tasks=tasks) if itself else replace(status, tasks=tasks)
        )

    def restart_task(self, task_id: int) -> None:
        """Drain one task and start it again.

        Raises:
            NotFoundError: It has no such task.
        """
        if task_id not in {task.task_id for task in self.status().tasks}:
            raise NotFoundError(f"Unknown task: {self.name}-{task_id}")
        self._restarting |= {task_id} & set(self._tasks)

    def flush(self) -> list[Future[bool]]:
        """Ask its tasks here to store and commit all they have read.

        Raises:
            RebalanceError: Not all that should run do.
        """
        waiting = [task for task in self.status().tasks if task.state not in {State.RUNNING, State.PAUSED}]
        if waiting:
            raise RebalanceError(f"Task {self.name}-{waiting[0].task_id} is {waiting[0].state}", hint="try again later")
        return [task.flush() for task in self._tasks.values() if not task.ended]

    def remove(self) -> None:
        """Forget it, and drain and end every task."""
        self._definition = None
        self._close(self._tasks.values())

    def drain(self) -> None:
        """Drain and end every task, and start none from now on."""
        self._draining = True
        self._close(self._tasks.values())

    def step(self) -> None:
        """End what is not wanted, and start what is, once nothing of an old definition is left."""
        wanted = self._wanted()
        for number, task in self._tasks.items():
            if number in self._restarting or task.spec != wanted.get(number):
                self._close([task])
        kept = {number: task for number, task in self._tasks.items() if not (task.ended and task.closing)}
        missing = [spec for number, spec in wanted.items() if number not in kept]
        if any(
            not task.ended and _shared(task.spec) != _shared(spec) for task in kept.values() for spec in missing[:1]
        ):
            missing = []
        if len(kept) == len(self._tasks) and not missing:
            return
        self._restarting &= set(kept)
        started = {spec.task_id: self._supervise(spec) for spec in missing}
        self._tasks = dict(sorted((kept | started).items()))
        for task in started.values():
            task.start()
        if started:
            _log.info("connector started", connector=self.name, tasks=len(started))

    def info(self) -> ConnectorInfo:
        """Give its configuration, masked, and its tasks."""
        status = self.status()
        shown = {**self._shown, "name": self.name}
        return ConnectorInfo(self.name, status.type, shown, tuple(task.task_id for task in status.tasks))

    def status(self) -> ConnectorStatus:
        """Tell how it and its tasks are doing. It is PAUSED or STOPPED only once no task runs any more."""
        problem, plan, tasks = self._problem, self._plan, self._tasks
        running = any(not task.ended for task in tasks.values())
        state = State.RUNNING if tasks else _TARGETED[self._target]
        if self._target is not TargetState.RUNNING and not running:
            state = _TARGETED[self._target]
        if problem:
            state = State.FAILED
        return ConnectorStatus(
            self.name,
            plan.type if plan else "unknown",
            state,
            self._worker_id,
            __version__,
            problem,
            self._task_statuses(state),
        )

    def _task_statuses(self, state: State) -> tuple[TaskStatus, ...]:
        if state is State.STOPPED:
            return ()
        tasks = self._tasks
        planned = [spec.task_id for spec in self._plan.tasks] if self._plan else []
        if self._problem and not tasks:
            planned = planned or [0]
        return tuple(
            tasks[number].status()
            if number in tasks and not (tasks[number].ended and state is State.PAUSED)
            else self._unstarted(number)
            for number in sorted({*planned, *tasks})
        )

    def _unstarted(self, task_id: int) -> TaskStatus:
        """A task without a process; people and scripts look for the reason in its trace."""
        state = State.FAILED if self._problem else _TARGETED[self._target]
        return TaskStatus(self.name, task_id, state, self._worker_id, __version__, trace=self._problem)

    def _replan(self, definition: Definition) -> None:
        if definition.config is None:
            self._refuse(definition.problem)
            return
        self._shown = definition.shown
        try:
            plan = self._make_plan(definition)
        except StreamsinkError as error:
            self._refuse(f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # noqa: BLE001 (one connector must not take the worker along)
            _log.exception("connector can't be planned", connector=self.name)
            self._refuse(f"{type(error).__name__}: {error}")
            return
        for warning in plan.warnings:
            _log.warning("connector configuration", connector=self.name, warning=warning)
        self._problem = ""
        self._plan = plan

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        _log.error(
            "connector can't be used",
            connector=self.name,
            reason=problem,
            running="its last usable configuration" if self._tasks else "nothing",
        )

    def _snapshots(self) -> list[TaskSnapshot]:
        found = (task.status().snapshot for task in self._tasks.values())
        return [snapshot for snapshot in found if snapshot is not None]

    def _wanted(self) -> dict[int, TaskSpec]:
        if self._draining or self.removed or self._plan is None or self._target is not TargetState.RUNNING:
            return {}
        placed = self._placed
        return {spec.task_id: spec for spec in self._plan.tasks if placed is None or spec.task_id in placed}

    def _close(self, tasks: Collection[TaskSupervisor]) -> None:
        for task in tasks:
            if not task.closing:
                task.close()


def _shared(spec: TaskSpec) -> TaskSpec:
    """The part that all tasks of one definition share."""
    return replace(spec, task_id=0)
