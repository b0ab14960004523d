"""The herder of one worker alone: answers what it is asked, and has its own thread carry out what it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import structlog

from streamsink.errors import BadRequestError, NameTakenError
from streamsink.observe.health import Health, TaskObservation, liveness, readiness
from streamsink.observe.metrics import TaskMetrics
from streamsink.worker.flush import await_flushes
from streamsink.worker.folder import FolderWatch
from streamsink.worker.folder_connectors import Roster
from streamsink.worker.herder import ORDER_S
from streamsink.worker.lifecycle import Planner, Supervise
from streamsink.worker.loggers import LogLevels
from streamsink.worker.mailbox import Mailbox
from streamsink.worker.offsets import OffsetAccess, must_be_stopped
from streamsink.worker.status import (
    ConnectorInfo,
    ConnectorStatus,
    LoggerLevel,
    OffsetEntry,
    Plugin,
    State,
    TargetState,
    TaskStatus,
)
from streamsink.worker.supervisor import TaskSupervisor

_log = structlog.get_logger(__name__)

TICK_S = 0.2
FOLDER_POLL_S = 0.1

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
        levels: Levels of loggers, which the supervisors tell their processes.
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
        levels: LogLevels | None = None,
        folder_poll_s: float = FOLDER_POLL_S,
    ) -> None:
        self._roster = Roster(folder, plan=plan, supervise=supervise, worker_id=worker_id, folder_poll_s=folder_poll_s)
        self._worker_id = worker_id
        self._plugins = plugins
        self._levels = levels or LogLevels()
        self._ticked_at = time.monotonic()
        self._draining = False
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
        self._draining = True
        self._mailbox.close()
        self._drain()
        self._mailbox.close()

    def turn(self, now: float) -> None:
        """One turn of the loop: take every connector a step on."""
        self._ticked_at = now
        self._roster.turn(now)

    def connectors(self) -> list[str]:
        """See `Questions.connectors`."""
        return sorted(lifecycle.name for lifecycle in self._roster.lifecycles if not lifecycle.removed)

    def info(self, connector: str) -> ConnectorInfo | None:
        """See `Questions.info`."""
        lifecycle = self._roster.find(connector)
        return lifecycle.info() if lifecycle else None

    def stored_config(self, connector: str) -> Mapping[str, str]:
        """See `Questions.stored_config`."""
        lifecycle = self._roster.find(connector)
        return (lifecycle.definition.config if lifecycle and lifecycle.definition else None) or {}

    def status(self, connector: str) -> ConnectorStatus | None:
        """See `Questions.status`."""
        lifecycle = self._roster.find(connector)
        return lifecycle.status() if lifecycle else None

    def task_status(self, connector: str, task_id: int) -> TaskStatus | None:
        """See `Questions.task_status`."""
        status = self.status(connector)
        return next((task for task in status.tasks if task.task_id == task_id), None) if status else None

    def topics(self, connector: str) -> list[str] | None:
        """Topics it has read from since this worker's start, or since they were reset."""
        lifecycle = self._roster.find(connector)
        return lifecycle.topics() if lifecycle else None

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> ConnectorInfo:
        """See `Orders.create`."""

        def order() -> ConnectorInfo:
            if self._roster.find(connector):
                raise NameTakenError(f"Connector {connector} already exists")
            return self._roster.put(connector, config, state)

        return self._ask(order)

    def put_config(self, connector: str, config: Mapping[str, str]) -> tuple[ConnectorInfo, bool]:
        """See `Orders.put_config`."""

        def order() -> tuple[ConnectorInfo, bool]:
            created = self._roster.find(connector) is None
            return self._roster.put(connector, config), created

        return self._ask(order)

    def patch_config(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """See `Orders.patch_config`."""
        return self._ask(lambda: self._roster.patch(connector, patch))

    def delete(self, connector: str) -> None:
        """Forget it; its tasks drain."""
        self._ask(lambda: self._roster.remove(connector))

    def restart(self, connector: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """See `Orders.restart`."""
        return self._ask(
            lambda: self._roster.known(connector).restart(include_tasks=include_tasks, only_failed=only_failed)
        )

    def restart_task(self, connector: str, task_id: int) -> None:
        """See `Orders.restart_task`."""
        self._ask(lambda: self._roster.known(connector).restart_task(task_id))

    def set_target(self, connector: str, state: TargetState) -> None:
        """See `Orders.set_target`."""
        self._ask(lambda: self._roster.set_target(connector, state))

    def reset_topics(self, connector: str) -> None:
        """Forget which topics it has used so far."""
        self._ask(lambda: self._roster.known(connector).reset_topics())

    def flush(self, connector: str) -> None:
        """See `Orders.flush`."""
        lifecycle = self._roster.known(connector)
        if lifecycle.status().type != "sink":
            raise BadRequestError(f"Connector {connector} is no sink: there is nothing to flush")
        await_flushes(connector, lifecycle.flush(), timeout_s=ORDER_S)

    def offsets(self, connector: str) -> list[OffsetEntry]:
        """See `Offsets.offsets`."""
        access = self._roster.known(connector).offsets
        return access.read() if access else []

    def alter_offsets(self, connector: str, offsets: Sequence[OffsetEntry]) -> str:
        """See `Offsets.alter_offsets`."""
        return self._stopped(connector).alter(offsets)

    def reset_offsets(self, connector: str) -> str:
        """Remove all of a STOPPED connector."""
        return self._stopped(connector).reset()

    def loggers(self) -> dict[str, LoggerLevel]:
        """Loggers whose level was set."""
        return self._levels.all()

    def set_logger(self, logger: str, level: str, *, cluster: bool) -> list[str]:  # noqa: ARG002 (this is the cluster)
        """See `Loggers.set_logger`. This worker is the whole cluster."""
        changed = self._levels.set(logger, level)
        for name in changed:
            for task in self._supervisors():
                task.order_level(name, self._levels.all()[name].level)
        return changed

    def plugins(self) -> list[Plugin]:
        """The connector classes this worker runs."""
        return list(self._plugins)

    def live(self) -> Health:
        """Whether the worker's loop goes round."""
        return liveness(tick_age_s=time.monotonic() - self._ticked_at)

    def starting(self) -> str:
        """See `Questions.starting`. It is always "": a folder that can't be read yet has no connectors."""
        return ""

    def ready(self) -> Health:
        """Whether the folder has been read, and what is wrong with connectors and tasks."""
        statuses = [lifecycle.status() for lifecycle in self._roster.lifecycles if not lifecycle.removed]
        failed = [
            f"connector {status.name}: {status.trace.splitlines()[0]}"
            for status in statuses
            if status.state is State.FAILED and status.trace
        ]
        starting = "the worker is stopping" if self._draining else self._roster.unready
        return readiness(starting=starting, connectors=failed, tasks=_observations(statuses))

    def task_metrics(self) -> list[TaskMetrics]:
        """Give every task that still has a process, or should have one."""
        statuses = (
            task
            for lifecycle in self._roster.lifecycles
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
        running = [task for task in self._supervisors() if not task.ended]
        _log.info("worker drains", tasks=len(running))
        for lifecycle in self._roster.lifecycles:
            lifecycle.drain()
        deadline = time.monotonic() + max((task.close_s_max for task in running), default=0.0)
        while (left := [task for task in running if not task.ended]) and time.monotonic() < deadline:
            self._ticked_at = time.monotonic()
            left[0].join(TICK_S)
        if left:
            _log.error("tasks did not end", tasks=[str(task.spec) for task in left])
        _log.info("worker drained")

    def _supervisors(self) -> list[TaskSupervisor]:
        return [task for lifecycle in self._roster.lifecycles for task in lifecycle.tasks]

    def _stopped(self, connector: str) -> OffsetAccess:
        lifecycle = self._roster.known(connector)
        if lifecycle.target is not TargetState.STOPPED or not lifecycle.idle or lifecycle.offsets is None:
            raise must_be_stopped(connector)
        return lifecycle.offsets

    def _ask(self, order: Callable[[], _T]) -> _T:
        return self._mailbox.ask(order, timeout_s=ORDER_S)


def _observations(statuses: Iterable[ConnectorStatus]) -> Iterator[TaskObservation]:
    """Give readiness its facts. A connector that failed as a whole speaks for tasks that never started."""
    for status in statuses:
        for task in status.tasks:
            if task.state is State.PAUSED or (status.state is State.FAILED and task.trace == status.trace):
                continue
            assigned = task.snapshot is not None and task.snapshot.assigned
            name = f"{task.connector}-{task.task_id}"
            yield TaskObservation(name, task.state.value, task.report_age_s, assigned=assigned)
