"""Answers REST from what all workers know, and writes its orders as records. Runs no task."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from streamsink import __version__
from streamsink.errors import BadRequestError, NotFoundError, RebalanceError
from streamsink.observe.health import Health, TaskObservation, liveness, readiness
from streamsink.observe.metrics import TaskMetrics
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.changes import ConnectorChanges
from streamsink.worker.distributed.flushes import ClusterFlushes
from streamsink.worker.distributed.member import GroupMember
from streamsink.worker.distributed.records import logger_record, restart_record
from streamsink.worker.distributed.reports import RESTING
from streamsink.worker.distributed.slots import restart_task_record
from streamsink.worker.distributed.status_topic import KeptStatus, topic_key
from streamsink.worker.herder import ORDER_S
from streamsink.worker.lifecycle import ConnectorLifecycle, Planner
from streamsink.worker.loggers import LogLevels, level_name
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


class DistributedOrders:
    """The herder as REST sees it; the loop that runs tasks is `herder.py`'s."""

    def __init__(
        self,
        bulletin: Bulletin,
        member: GroupMember,
        *,
        plan: Planner,
        worker_id: str,
        plugins: tuple[Plugin, ...],
        levels: LogLevels,
    ) -> None:
        self._bulletin = bulletin
        self._member = member
        self._plan = plan
        self._worker_id = worker_id
        self._plugins = plugins
        self._levels = levels
        self._flushes = ClusterFlushes(bulletin, worker_id)
        self._changes = ConnectorChanges(bulletin, plan, worker_id)
        self._mailbox = Mailbox()
        self._lifecycles: dict[str, ConnectorLifecycle] = {}
        self._ticked_at = time.monotonic()
        self._draining = False
        self._has_read = False

    @property
    def worker_id(self) -> str:
        """`host:port` of this worker's REST."""
        return self._worker_id

    def connectors(self) -> list[str]:
        """See `Questions.connectors`."""
        return sorted(name for name, lifecycle in self._lifecycles.items() if not lifecycle.removed)

    def info(self, connector: str) -> ConnectorInfo | None:
        """See `Questions.info`."""
        lifecycle = self._defined(connector)
        return lifecycle.info() if lifecycle else None

    def stored_config(self, connector: str) -> Mapping[str, str]:
        """See `Questions.stored_config`."""
        lifecycle = self._defined(connector)
        return (lifecycle.definition.config if lifecycle and lifecycle.definition else None) or {}

    def status(self, connector: str) -> ConnectorStatus | None:
        """See `Questions.status`. The tasks run on any worker."""
        lifecycle = self._defined(connector)
        if lifecycle is None:
            return None
        local, table = lifecycle.status(), self._bulletin.statuses
        here = {task.spec.task_id for task in lifecycle.tasks if not (task.ended and task.closing)}
        kept = table.tasks(connector)
        alive = set(self._bulletin.slots.owners().values())
        tasks = tuple(
            task if task.task_id in here or task.task_id not in kept else self._told(task, kept[task.task_id], alive)
            for task in local.tasks
        )
        own = table.connector(connector)
        state = local.state
        if state is not State.FAILED:
            busy = any(each.live and each.worker_id in alive for each in kept.values())
            target = lifecycle.target
            state = State.RUNNING if busy or target is TargetState.RUNNING else RESTING[target]
        if state is not State.STOPPED:
            return replace(local, state=state, worker_id=own.worker_id if own else local.worker_id, tasks=tasks)
        return replace(local, state=state, worker_id=own.worker_id if own else local.worker_id, tasks=())

    def task_status(self, connector: str, task_id: int) -> TaskStatus | None:
        """See `Questions.task_status`."""
        status = self.status(connector)
        return next((task for task in status.tasks if task.task_id == task_id), None) if status else None

    def topics(self, connector: str) -> list[str] | None:
        """Topics it has used, on any worker, since it was made or they were reset."""
        return sorted(self._bulletin.statuses.topics(connector)) if self._defined(connector) else None

    def plugins(self) -> list[Plugin]:
        """The connector classes this worker runs."""
        return list(self._plugins)

    def starting(self) -> str:
        """See `Questions.starting`. Its topics haven't been read, and taken in."""
        return "" if self._has_read else self._bulletin.problem or "the worker takes in what its topics have"

    def live(self) -> Health:
        """Whether the worker's loop goes round."""
        dead = [*self._bulletin.dead, self._member.dead]
        return liveness(tick_age_s=time.monotonic() - self._ticked_at, dead=dead)

    def ready(self) -> Health:
        """Whether it is one of its group, and what is wrong with its own tasks."""
        starting = self._bulletin.problem or self._member.problem
        if self._draining:
            starting = "the worker is stopping"
        return readiness(starting=starting, connectors=(), tasks=_observations(self._own_tasks()))

    def task_metrics(self) -> list[TaskMetrics]:
        """Give every task in this worker's slots. The owner of slot 0 speaks for tasks that are in none."""
        return [
            TaskMetrics(
                status.connector,
                status.task_id,
                status.state.value,
                status.restarts_total,
                status.report_age_s,
                status.snapshot,
            )
            for status in self._own_tasks()
        ]

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> ConnectorInfo:
        """See `Orders.create`."""
        self._changes.create(connector, config, state)
        return self._taken_in(connector)

    def put_config(self, connector: str, config: Mapping[str, str]) -> tuple[ConnectorInfo, bool]:
        """See `Orders.put_config`."""
        created = self._changes.put(connector, config)
        return self._taken_in(connector), created

    def patch_config(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """See `Orders.patch_config`."""
        self._changes.patch(connector, patch)
        return self._taken_in(connector)

    def delete(self, connector: str) -> None:
        """Forget it; its tasks drain, wherever they run."""
        self._changes.delete(connector)
        self._settle()

    def restart(self, connector: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """See `Orders.restart`. Every worker restarts the tasks that it has."""
        status = self.status(connector)
        if status is None:
            raise NotFoundError(f"Unknown connector: {connector}")
        log = self._bulletin.config_log
        log.put(*restart_record(connector, include_tasks=include_tasks, only_failed=only_failed))
        tasks = tuple(
            replace(task, state=State.RESTARTING, trace="")
            if include_tasks and (not only_failed or task.state is State.FAILED)
            else task
            for task in status.tasks
        )
        itself = not only_failed or status.state is State.FAILED
        chosen = replace(status, state=State.RESTARTING, trace="") if itself else status
        return replace(chosen, tasks=tasks)

    def restart_task(self, connector: str, task_id: int) -> None:
        """See `Orders.restart_task`. The worker that runs the task restarts it."""
        status = self.status(connector)
        if status is None:
            raise NotFoundError(f"Unknown connector: {connector}")
        if task_id not in {task.task_id for task in status.tasks}:
            raise NotFoundError(f"Unknown task: {connector}-{task_id}")
        self._bulletin.slots_log.put(*restart_task_record((connector, task_id), uuid.uuid4().hex))

    def set_target(self, connector: str, state: TargetState) -> None:
        """See `Orders.set_target`. It holds wherever the tasks run."""
        self._changes.set_target(connector, state)
        self._settle()

    def reset_topics(self, connector: str) -> None:
        """Forget which topics it has used so far."""
        self._known(connector)
        for topic in self._bulletin.statuses.topics(connector):
            self._bulletin.status_log.put(topic_key(connector, topic), None)

    def flush(self, connector: str) -> None:
        """See `Orders.flush`. It is waited for wherever the tasks run."""
        if self._known(connector).status().type != "sink":
            raise BadRequestError(f"Connector {connector} is no sink: there is nothing to flush")
        status = self.status(connector)
        tasks = status.tasks if status else ()
        for task in tasks:
            if task.state not in {State.RUNNING, State.PAUSED}:
                raise RebalanceError(f"Task {connector}-{task.task_id} is {task.state}", hint="try again later")
        running = {task.worker_id for task in tasks if task.state is State.RUNNING}
        if running:
            self._flushes.ask(connector, running)

    def offsets(self, connector: str) -> list[OffsetEntry]:
        """See `Offsets.offsets`."""
        access = self._known(connector).offsets
        return access.read() if access else []

    def alter_offsets(self, connector: str, offsets: Sequence[OffsetEntry]) -> str:
        """See `Offsets.alter_offsets`."""
        return self._stopped(connector).alter(offsets)

    def reset_offsets(self, connector: str) -> str:
        """Remove all of a STOPPED connector."""
        return self._stopped(connector).reset()

    def loggers(self) -> dict[str, LoggerLevel]:
        """Loggers of this worker whose level was set."""
        return self._levels.all()

    def set_logger(self, logger: str, level: str, *, cluster: bool) -> list[str]:
        """See `Loggers.set_logger`."""
        if cluster:
            self._bulletin.config_log.put(*logger_record(logger, level_name(level)))
            return []
        return self._log_from(logger, level)

    def _log_from(self, logger: str, level: str) -> list[str]:
        changed = self._levels.set(logger, level)
        for name in changed:
            for lifecycle in list(self._lifecycles.values()):
                for task in lifecycle.tasks:
                    task.order_level(name, self._levels.all()[name].level)
        return changed

    def _reconcile(self) -> None:
        """Take in what the config topic says now; the loop's."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Return once the loop has taken in what was written."""
        self._mailbox.ask(self._reconcile, timeout_s=ORDER_S / 3)

    def _taken_in(self, connector: str) -> ConnectorInfo:
        self._settle()
        info = self.info(connector)
        if info is None:
            raise NotFoundError(f"Connector {connector} was deleted at once by somebody else")
        return info

    def _defined(self, connector: str) -> ConnectorLifecycle | None:
        lifecycle = self._lifecycles.get(connector)
        return None if lifecycle is None or lifecycle.removed else lifecycle

    def _known(self, connector: str) -> ConnectorLifecycle:
        lifecycle = self._defined(connector)
        if lifecycle is None:
            raise NotFoundError(f"Connector {connector} not found")
        return lifecycle

    def _stopped(self, connector: str) -> OffsetAccess:
        lifecycle, status = self._known(connector), self.status(connector)
        if lifecycle.offsets is None or status is None or status.state is not State.STOPPED or not lifecycle.idle:
            raise must_be_stopped(connector)
        return lifecycle.offsets

    def _own_tasks(self) -> list[TaskStatus]:
        """Tasks in this worker's slots, and tasks that still run here."""
        slots, pins = self._member.slots, self._bulletin.slots.pins
        unplaced = 0 if 0 in slots else -1
        return [
            task
            for name, lifecycle in self._lifecycles.items()
            if not (lifecycle.removed and lifecycle.idle)
            for task in lifecycle.status().tasks
            if pins.get((name, task.task_id), unplaced) in slots
            or any(not each.ended and each.spec.task_id == task.task_id for each in lifecycle.tasks)
        ]

    def _told(self, local: TaskStatus, kept: KeptStatus, alive: set[str]) -> TaskStatus:
        """A task's status as another worker told it; one whose worker is gone runs nowhere."""
        gone = kept.worker_id not in alive and kept.state is not State.FAILED
        state = State.UNASSIGNED if gone and local.state is State.UNASSIGNED else kept.state
        trace = "" if gone else kept.trace
        told = replace(local, state=state, worker_id=kept.worker_id, version=kept.version or __version__, trace=trace)
        progress = self._bulletin.statuses.progress(local.connector).get(local.task_id)
        if state is not State.RUNNING or progress is None or progress.worker_id != kept.worker_id:
            return told
        age_s = max(0.0, time.time() - progress.at_ms / 1000)
        snapshot = progress.snapshot
        return replace(told, snapshot=snapshot, retrying=snapshot.retrying, report_age_s=age_s)


def _observations(statuses: Iterable[TaskStatus]) -> Iterator[TaskObservation]:
    """Give readiness its facts. A failed task is shown and told of, and makes no worker useless to its group."""
    for task in statuses:
        if task.state in {State.FAILED, State.PAUSED, State.STOPPED}:
            continue
        assigned = task.snapshot is not None and task.snapshot.assigned
        name = f"{task.connector}-{task.task_id}"
        yield TaskObservation(name, task.state.value, task.report_age_s, assigned=assigned)
