"""The herder of one worker of several: runs tasks of the config topic's connectors, those in its slots.

What all workers know comes from `bulletin`, which slots are this worker's from `member`; one loop joins them. No
worker leads: every one answers from the same records, and takes orders by writing records that all of them read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

import structlog

from streamsink.errors import StreamsinkError
from streamsink.worker.distributed.bulletin import Bulletin, Notice, TopicsReset
from streamsink.worker.distributed.chores import Chores
from streamsink.worker.distributed.handover import Handover
from streamsink.worker.distributed.member import GroupMember
from streamsink.worker.distributed.orders import DistributedOrders
from streamsink.worker.distributed.records import LoggerSet, RestartAsked
from streamsink.worker.distributed.reports import StatusReports
from streamsink.worker.distributed.settings import DistributedSettings
from streamsink.worker.distributed.slots import FlushAsked, Flushed, RestartTaskAsked, slots_record
from streamsink.worker.lifecycle import ConnectorLifecycle, Planner, Supervise
from streamsink.worker.loggers import LogLevels
from streamsink.worker.status import Plugin
from streamsink.worker.supervisor import TaskSupervisor

TICK_S: Final = 0.2
TOPICS_POLL_S: Final = 1.0
ANNOUNCE_AGAIN_S: Final = 5.0

_log = structlog.get_logger(__name__)


class DistributedHerder(DistributedOrders):
    """Keeps its share of the connectors running. `run` owns them; every other method may be called from any thread.

    Args:
        settings: Topics, group and times.
        plan: Makes a connector's tasks of its definition.
        supervise: Makes the supervisor of one task.
        worker_id: `host:port` of this worker's REST; no two may share one.
        plugins: The connector classes this worker runs.
        levels: Levels of loggers, which the supervisors tell their processes.
    """

    def __init__(
        self,
        settings: DistributedSettings,
        *,
        plan: Planner,
        supervise: Supervise,
        worker_id: str,
        plugins: tuple[Plugin, ...] = (),
        levels: LogLevels | None = None,
    ) -> None:
        member = GroupMember(settings.slots.name, settings.group, settings.member, self._let_go)
        super().__init__(
            Bulletin(settings),
            member,
            plan=plan,
            worker_id=worker_id,
            plugins=plugins,
            levels=levels or LogLevels(),
        )
        self._settings = settings
        self._supervise = supervise
        self._reports = StatusReports(self._bulletin, worker_id)
        self._chores = Chores(self._bulletin)
        self._handover = Handover(self._bulletin, worker_id)
        self._joined = False
        self._announced: tuple[frozenset[int], float] = (frozenset({-1}), float("-inf"))
        self._topics_polled_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`, then drain every task and leave the group.

        Raises:
            ConfigError: A topic that is there can't be used.
            TerminalError: Kafka's clients can't be made of the configuration.
        """
        self._bulletin.start()
        try:
            while not stop.is_set():
                self.turn(time.monotonic())
                self._mailbox.serve(wait_s=TICK_S)
        finally:
            self._draining = True
            self._mailbox.close()
            self._drain()
            self._member.stop()
            if self._joined:
                self._bulletin.slots_log.post(*slots_record(self.worker_id, None))
            self._bulletin.stop()

    def turn(self, now: float) -> None:
        """One turn of the loop: take in what others wrote, and take every connector a step on."""
        self._ticked_at = now
        if self._bulletin.fatal is not None:
            raise self._bulletin.fatal
        if not self._bulletin.complete:
            return
        if not self._joined:
            self._joined = True
            self._member.start()
        self._reconcile()
        self._has_read = True
        for notice in self._bulletin.notices():
            self._heed(notice)
        self._step(now)
        self._tell(now)

    def _reconcile(self) -> None:
        """Take in what the config topic says now."""
        configs = self._bulletin.configs
        definitions = configs.definitions
        for name, definition in definitions.items():
            lifecycle = self._lifecycles.get(name)
            if lifecycle is None or lifecycle.removed:
                if lifecycle is not None and not lifecycle.idle:
                    continue
                lifecycle = ConnectorLifecycle(
                    name, plan=self._plan, supervise=self._supervise, worker_id=self.worker_id
                )
                lifecycle.place(())
                self._lifecycles = {**self._lifecycles, name: lifecycle}
            lifecycle.set_target(configs.target(name))
            lifecycle.define(definition)
        for name, lifecycle in self._lifecycles.items():
            if name not in definitions and not lifecycle.removed:
                lifecycle.remove()

    def _step(self, now: float) -> None:
        slots = self._member.slots
        for name, lifecycle in list(self._lifecycles.items()):
            lifecycle.place(self._handover.placed(lifecycle, slots, now))
            lifecycle.step()
            if lifecycle.removed and lifecycle.idle:
                self._lifecycles = {other: kept for other, kept in self._lifecycles.items() if other != name}
                _log.info("connector removed", connector=name)

    def _tell(self, now: float) -> None:
        slots, table = self._member.slots, self._bulletin.slots
        self._announce(slots, now)
        chief = 0 in slots
        told = [name for name in self._lifecycles if table.pins.get((name, 0), 0 if chief else -1) in slots]
        self._reports.report(self._lifecycles, told)
        self._reports.report_progress(self._lifecycles, int(time.time() * 1000))
        if chief:
            self._chores.do(self._lifecycles, now)
        if now - self._topics_polled_at >= TOPICS_POLL_S:
            self._topics_polled_at = now
            for lifecycle in self._lifecycles.values():
                lifecycle.see_topics()
            self._reports.report_topics(self._lifecycles, int(time.time() * 1000))

    def _announce(self, slots: frozenset[int], now: float) -> None:
        """Tell the others which slots are this worker's, again if one of them claims a slot that is."""
        posted, posted_at = self._announced
        owners = self._bulletin.slots.owners()
        known = all(owners.get(slot) == self.worker_id for slot in slots)
        if posted != slots or (not known and now - posted_at > ANNOUNCE_AGAIN_S):
            self._announced = (slots, now)
            self._bulletin.slots_log.post(*slots_record(self.worker_id, slots))

    def _heed(self, notice: Notice) -> None:
        match notice:
            case RestartAsked(connector, include_tasks, only_failed) if found := self._lifecycles.get(connector):
                found.restart(include_tasks=include_tasks, only_failed=only_failed)
            case RestartTaskAsked(connector, task_id) if found := self._lifecycles.get(connector):
                if task_id in found.planned_ids:
                    found.restart_task(task_id)
            case FlushAsked(connector) if found := self._lifecycles.get(connector):
                self._flushes.asked(notice, found)
            case Flushed():
                self._flushes.answered(notice)
            case LoggerSet(logger, level):
                try:
                    self._log_from(logger, level)
                except StreamsinkError as error:
                    _log.warning("a logger's level is not set", logger_name=logger, reason=error.message)
            case TopicsReset() if found := self._lifecycles.get(str(notice)):
                found.reset_topics()

    def _let_go(self, gone: frozenset[int]) -> None:
        """Wait, in the member's thread, until nothing runs here that is not in a slot of this worker's."""
        deadline = time.monotonic() + self._settings.let_go_s
        while time.monotonic() < deadline:
            pins, slots = self._bulletin.slots.pins, self._member.slots
            ours = {task for task, slot in pins.items() if slot in slots}
            left = [task for task in self._running() if (task.spec.connector, task.spec.task_id) not in ours]
            if not left:
                return
            left[0].join(TICK_S)
        _log.error("tasks did not end in time, others may run them too", slots=sorted(gone), tasks=len(left))

    def _running(self) -> Iterator[TaskSupervisor]:
        for lifecycle in list(self._lifecycles.values()):
            yield from (task for task in lifecycle.tasks if not task.ended)

    def _drain(self) -> None:
        """End every task, within the longest time that one of them may take, and say so."""
        running = list(self._running())
        _log.info("worker drains", tasks=len(running))
        for lifecycle in self._lifecycles.values():
            lifecycle.drain()
        deadline = time.monotonic() + max((task.close_s_max for task in running), default=0.0)
        while (left := [task for task in running if not task.ended]) and time.monotonic() < deadline:
            self._ticked_at = time.monotonic()
            left[0].join(TICK_S)
        if left:
            _log.error("tasks did not end", tasks=[str(task.spec) for task in left])
        if self._joined:
            self._reports.report(self._lifecycles, ())
        _log.info("worker drained")
