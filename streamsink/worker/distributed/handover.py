"""Chooses the tasks of a connector that may run here now: in this worker's slots, and run by no other worker.

Two members of one consumer group harm nobody, but two definitions of one connector may: a changed one starts only
once no worker runs the old one any more, as far as the status topic tells, and not later than after `HANDOVER_S`.
"""

from __future__ import annotations

import structlog

from streamsink.worker.child import TaskSpec
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.config_topic import stamp_of
from streamsink.worker.lifecycle import ConnectorLifecycle

HANDOVER_S = 45.0
"""A task that another worker says it runs is waited for as long: longer than draining takes."""

_log = structlog.get_logger(__name__)


class Handover:
    """One thread asks, again and again."""

    def __init__(self, bulletin: Bulletin, worker_id: str) -> None:
        self._bulletin = bulletin
        self._worker_id = worker_id
        self._waiting_since: dict[tuple[str, int], float] = {}

    def placed(self, lifecycle: ConnectorLifecycle, slots: frozenset[int], now: float) -> frozenset[int]:
        """Choose the tasks of a connector that may run here now.

        Args:
            lifecycle: The connector.
            slots: The slots that this worker has.
            now: Monotonic time in seconds; a task that another worker holds is waited for by it.

        Returns:
            The tasks' numbers.
        """
        pins, name = self._bulletin.slots.pins, lifecycle.name
        mine = [spec for spec in lifecycle.planned if pins.get((name, spec.task_id), -1) in slots]
        running = [task.spec for task in lifecycle.tasks if not task.ended]
        placed = set()
        for spec in mine:
            task = (name, spec.task_id)
            if spec in running or not self._taken(spec):
                self._waiting_since.pop(task, None)
                placed.add(spec.task_id)
            elif now - self._waiting_since.setdefault(task, now) > HANDOVER_S:
                placed.add(spec.task_id)
                _log.warning("another worker has not let go of a task", connector=name, task=spec.task_id)
        return frozenset(placed)

    def _taken(self, spec: TaskSpec) -> bool:
        """Whether another worker still runs this task, or any task of another definition of its connector."""
        others = set(self._bulletin.slots.owners().values()) - {self._worker_id}
        wanted = stamp_of(spec.config)
        return any(
            kept.live and kept.worker_id in others and (number == spec.task_id or kept.definition != wanted)
            for number, kept in self._bulletin.statuses.tasks(spec.connector).items()
        )
