"""The herder of one worker alone: runs what the connectors folder defines. What REST writes, `kept` keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog

from streamsink.config.secrets import mask, unmask
from streamsink.errors import ConflictError, NotFoundError
from streamsink.observe.health import Health, TaskObservation, liveness, readiness
from streamsink.observe.metrics import TaskMetrics
from streamsink.worker.folder import Definition, FolderWatch
from streamsink.worker.herder import ORDER_S
from streamsink.worker.kept import KeptConnectors
from streamsink.worker.lifecycle import ConnectorLifecycle, Planner, Supervise
from streamsink.worker.mailbox import Mailbox
from streamsink.worker.offsets import OffsetAccess, must_be_stopped
from streamsink.worker.status import (
    ConnectorInfo,
    ConnectorStatus,
    OffsetEntry,
    Plugin,
    State,
    TargetState,
    TaskStatus,
)
from streamsink.worker.supervisor import TaskSupervisor

_log = structlog.get_logger(__name__)

TICK_S = 0.2
FOLDER_POLL_S = 1.0
TOPICS_POLL_S = 1.0

_T = TypeVar("_T")


class StandaloneHerder:
    """Keeps the connectors of one folder running. `run` owns them; every other method may be called from any thread.

    Questions are answered from what `run` last put in place; orders are carried out by it, between its turns.

    Args:
        folder: Watches the connectors folder; None where the worker has none.
        plan: Makes a connector's tasks of its definition.
        supervise: Makes the supervisor of one task.
        worker_id: `host:port` of this worker's REST.
        plugins: The connector classes this worker runs.
        folder_poll_s: How often the folder is looked at; a change is acted on at the second look that sees it.
    """

    def __init__(
        self,
        folder: FolderWatch | None,
        *,
        plan: Planner,
        supervise: Supervise,
        worker_id: str,
        plugins: tuple[Plugin, ...] = (),
        folder_poll_s: float = FOLDER_POLL_S,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._supervise = supervise
        self._worker_id = worker_id
        self._plugins = plugins
        self._lifecycles: dict[str, ConnectorLifecycle] = {}
        self._names: dict[Path, str] = {}
        self._folder_poll_s = folder_poll_s
        self._folder_problem = ""
        self._ticked_at = time.monotonic()
        self._folder_polled_at = float("-inf")
        self._topics_polled_at = float("-inf")
        self._draining = False
        self._kept = KeptConnectors(folder.folder if folder else None)
        self._mailbox = Mailbox()

    @property
    def worker_id(self) -> str:
        """`host:port` of this worker's REST."""
        return self._worker_id

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`, then drain every task; returns once none is left."""
        while not stop.is_set():
            self.turn(time.monotonic())
            self._mailbox.serve(wait_s=TICK_S)
        self._mailbox.close()
        self._drain()
        self._mailbox.close()

    def turn(self, now: float) -> None:
        """One turn of the loop: look at the folder when it is time, and take every connector a step on."""
        self._ticked_at = now
        if self._folder and now - self._folder_polled_at >= self._folder_poll_s:
            self._folder_polled_at = now
            self._look_at(self._folder)
        for name, lifecycle in list(self._lifecycles.items()):
            lifecycle.step()
            if lifecycle.removed and lifecycle.idle:
                self._lifecycles = {other: kept for other, kept in self._lifecycles.items() if other != name}
                _log.info("connector removed", connector=name)
        if now - self._topics_polled_at >= TOPICS_POLL_S:
            self._topics_polled_at = now
            for lifecycle in self._lifecycles.values():
                lifecycle.see_topics()

    def connectors(self) -> list[str]:
        """Names, sorted."""
        return sorted(name for name, lifecycle in self._lifecycles.items() if not lifecycle.removed)

    def info(self, connector: str) -> ConnectorInfo | None:
        """Its configuration, fit to be shown, and its tasks."""
        lifecycle = self._defined(connector)
        return lifecycle.info() if lifecycle else None

    def status(self, connector: str) -> ConnectorStatus | None:
        """How it and its tasks are doing."""
        lifecycle = self._defined(connector)
        return lifecycle.status() if lifecycle else None

    def task_status(self, connector: str, task_id: int) -> TaskStatus | None:
        """How one task is doing."""
        status = self.status(connector)
        return next((task for task in status.tasks if task.task_id == task_id), None) if status else None

    def topics(self, connector: str) -> list[str] | None:
        """Topics it has read from since this worker's start, or since they were reset."""
        lifecycle = self._defined(connector)
        return lifecycle.topics() if lifecycle else None

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> ConnectorInfo:
        """Make a connector, unless there is one of that name."""

        def order() -> ConnectorInfo:
            if self._defined(connector):
                raise ConflictError(f"Connector {connector} already exists")
            return self._put(connector, config, state)

        return self._ask(order)

    def put_config(self, connector: str, config: Mapping[str, str]) -> tuple[ConnectorInfo, bool]:
        """Replace its whole configuration, or make it; True where it was made."""

        def order() -> tuple[ConnectorInfo, bool]:
            created = self._defined(connector) is None
            return self._put(connector, unmask(config, self._stored(connector)), None), created

        return self._ask(order)

    def patch_config(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Set some keys of its configuration, and remove those that are None."""

        def order() -> ConnectorInfo:
            self._known(connector)
            stored = self._stored(connector)
            merged = stored | unmask({key: value for key, value in patch.items() if value is not None}, stored)
            return self._put(connector, {key: merged[key] for key in merged if patch.get(key, "") is not None}, None)

        return self._ask(order)

    def delete(self, connector: str) -> None:
        """Forget it; its tasks drain."""

        def order() -> None:
            lifecycle = self._known(connector)
            assert lifecycle.definition is not None
            self._kept.remove(connector, lifecycle.definition)
            lifecycle.remove()

        self._ask(order)

    def restart(self, connector: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """Begin to restart it, and its tasks if asked."""
        return self._ask(lambda: self._known(connector).restart(include_tasks=include_tasks, only_failed=only_failed))

    def restart_task(self, connector: str, task_id: int) -> None:
        """Begin to restart one task."""
        self._ask(lambda: self._known(connector).restart_task(task_id))

    def set_target(self, connector: str, state: TargetState) -> None:
        """Pause, resume or stop it."""

        def order() -> None:
            lifecycle = self._known(connector)
            self._kept.set_state(connector, state)
            lifecycle.set_target(state)

        self._ask(order)

    def reset_topics(self, connector: str) -> None:
        """Forget which topics it has used so far."""
        self._ask(lambda: self._known(connector).reset_topics())

    def offsets(self, connector: str) -> list[OffsetEntry]:
        """What is committed, whatever state the connector is in."""
        access = self._known(connector).offsets
        return access.read() if access else []

    def alter_offsets(self, connector: str, offsets: Sequence[OffsetEntry]) -> str:
        """Set some of a STOPPED connector, and remove those of None."""
        return self._stopped(connector).alter(offsets)

    def reset_offsets(self, connector: str) -> str:
        """Remove all of a STOPPED connector."""
        return self._stopped(connector).reset()

    def plugins(self) -> list[Plugin]:
        """The connector classes this worker runs."""
        return list(self._plugins)

    def live(self) -> Health:
        """Whether the worker's loop goes round."""
        return liveness(tick_age_s=time.monotonic() - self._ticked_at)

    def ready(self) -> Health:
        """Whether the folder has been read and every task that should run does."""
        statuses = [lifecycle.status() for lifecycle in self._lifecycles.values() if not lifecycle.removed]
        failed = [
            f"connector {status.name}: {status.trace.splitlines()[0]}"
            for status in statuses
            if status.state is State.FAILED and status.trace
        ]
        return readiness(starting=self._unready(), connectors=failed, tasks=_observations(statuses))

    def task_metrics(self) -> list[TaskMetrics]:
        """Every task that still has a process, and those that should, or can't for their connector's sake."""
        statuses = (
            task
            for lifecycle in self._lifecycles.values()
            if not (lifecycle.removed and lifecycle.idle)
            for task in lifecycle.status().tasks
        )
        return [
            TaskMetrics(
                status.connector,
                status.task_id,
                status.state.value,
                status.restarts_total,
                status.report_age_s,
                status.snapshot,
            )
            for status in statuses
        ]

    def _drain(self) -> None:
        """End every task, within the longest time that one of them may take."""
        self._draining = True
        running = [task for task in self._supervisors() if not task.ended]
        _log.info("worker drains", tasks=len(running))
        for lifecycle in self._lifecycles.values():
            lifecycle.drain()
        deadline = time.monotonic() + max((task.close_s_max for task in running), default=0.0)
        while (left := [task for task in running if not task.ended]) and time.monotonic() < deadline:
            self._ticked_at = time.monotonic()
            left[0].join(TICK_S)
        if left:
            _log.error("tasks did not end", tasks=[str(task.spec) for task in left])
        _log.info("worker drained")

    def _defined(self, connector: str) -> ConnectorLifecycle | None:
        lifecycle = self._lifecycles.get(connector)
        return None if lifecycle is None or lifecycle.removed else lifecycle

    def _known(self, connector: str) -> ConnectorLifecycle:
        lifecycle = self._defined(connector)
        if lifecycle is None:
            raise NotFoundError(f"Connector {connector} not found")
        return lifecycle

    def _stopped(self, connector: str) -> OffsetAccess:
        lifecycle = self._known(connector)
        if lifecycle.target is not TargetState.STOPPED or not lifecycle.idle or lifecycle.offsets is None:
            raise must_be_stopped(connector)
        return lifecycle.offsets

    def _ask(self, order: Callable[[], _T]) -> _T:
        return self._mailbox.ask(order, timeout_s=ORDER_S)

    def _stored(self, connector: str) -> dict[str, str]:
        lifecycle = self._defined(connector)
        definition = lifecycle.definition if lifecycle else None
        return dict(definition.config or {}) if definition else {}

    def _put(self, connector: str, config: Mapping[str, str], state: TargetState | None) -> ConnectorInfo:
        """Check a configuration, keep it and take it up; nothing is kept of one that can't be used."""
        lifecycle = self._defined(connector)
        before = lifecycle.definition if lifecycle else None
        flat = {**config, "name": connector}
        self._plan(Definition(connector, before.path if before else Path(), "", flat, mask(flat)))
        if state is not None:
            self._kept.set_state(connector, state)
        definition = self._kept.put(connector, config, before)
        if self._folder is not None:
            self._names = {path: name for path, name in self._names.items() if name != connector}
            self._names[definition.path] = connector
        self._define(definition)
        return self._known(connector).info()

    def _supervisors(self) -> list[TaskSupervisor]:
        return [task for lifecycle in self._lifecycles.values() for task in lifecycle.tasks]

    def _unready(self) -> str:
        if self._draining:
            return "the worker is stopping"
        if self._folder and not self._folder.told:
            return self._folder_problem or "the connectors folder has not been read yet"
        return ""

    def _look_at(self, folder: FolderWatch) -> None:
        read = folder.poll()
        if folder.problem and folder.problem != self._folder_problem:
            _log.error("connectors folder", reason=folder.problem, hint="running connectors go on as they are")
        self._folder_problem = folder.problem
        if read is None:
            return
        definitions = self._kept.over(read)
        taken = {definition.name for definition in definitions if definition.config is not None}
        named = [self._keeping_name(definition, taken) for definition in definitions]
        for definition in named:
            self._define(definition)
        self._names = {definition.path: definition.name for definition in named}
        for name, lifecycle in self._lifecycles.items():
            if name not in self._names.values() and not lifecycle.removed:
                self._kept.set_state(name, TargetState.RUNNING)
                lifecycle.remove()

    def _keeping_name(self, definition: Definition, taken: set[str]) -> Definition:
        """A file that has become unreadable has lost the name it gave; it still speaks of the same connector."""
        known = self._names.get(definition.path)
        if definition.config is not None or known is None or known in taken:
            return definition
        return replace(definition, name=known)

    def _define(self, definition: Definition) -> None:
        lifecycle = self._lifecycles.get(definition.name)
        if lifecycle is None:
            lifecycle = ConnectorLifecycle(
                definition.name, plan=self._plan, supervise=self._supervise, worker_id=self._worker_id
            )
            self._lifecycles = {**self._lifecycles, definition.name: lifecycle}
        lifecycle.set_target(self._kept.state(definition.name))
        lifecycle.define(definition)


def _observations(statuses: Iterable[ConnectorStatus]) -> Iterator[TaskObservation]:
    """What readiness looks at; a connector that failed as a whole speaks for tasks that never started."""
    for status in statuses:
        for task in status.tasks:
            if status.state is State.FAILED and task.trace == status.trace:
                continue
            assigned = task.snapshot is not None and task.snapshot.assigned
            name = f"{task.connector}-{task.task_id}"
            yield TaskObservation(name, task.state.value, task.report_age_s, assigned=assigned)
