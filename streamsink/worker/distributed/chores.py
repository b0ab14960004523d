"""The chores that one worker does for all: places tasks, and clears away old records. Correctness does not rest on it.

The owner of slot 0 does them. Should two believe so for a while, the last record of a key holds, as always.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.placement import even_out, place_new
from streamsink.worker.distributed.slots import Task, pin_record, slots_record
from streamsink.worker.distributed.status_topic import connector_key, task_key, topic_key
from streamsink.worker.lifecycle import ConnectorLifecycle
from streamsink.worker.status import TargetState

EVEN_AFTER_S = 10.0
"""Tasks are evened out once no slot has changed hands for this long: a worker that restarts comes back to its own."""

PLACE_AFTER_S, PLACE_WITHIN_S = 1.5, 5.0
"""New tasks wait until slots have stopped changing hands, but not for longer than this."""

CLEAR_AFTER_S = 10.0
"""What belongs to no connector is cleared away once that has been so for this long."""

AGAIN_S = 5.0

_log = structlog.get_logger(__name__)


class Chores:
    """One thread calls `do` again and again, while slot 0 is this worker's."""

    def __init__(self, bulletin: Bulletin) -> None:
        self._bulletin = bulletin
        self._posted: dict[Task, tuple[int, float]] = {}
        self._stray_since: dict[str, float] = {}
        self._evened_at = float("-inf")
        self._unplaced_since: float | None = None

    def do(self, lifecycles: Mapping[str, ConnectorLifecycle], now: float) -> None:
        """Do one round.

        Args:
            lifecycles: All connectors by name.
            now: Monotonic time in seconds.
        """
        tasks = [
            (name, number)
            for name, lifecycle in lifecycles.items()
            if not lifecycle.removed and lifecycle.target is TargetState.RUNNING
            for number in lifecycle.planned_ids
        ]
        self._place(tasks, now)
        self._even_out(tasks, now)
        self._clear(lifecycles, now)

    def _place(self, tasks: list[Task], now: float) -> None:
        table = self._bulletin.slots
        self._posted = {
            task: (slot, at)
            for task, (slot, at) in self._posted.items()
            if now - at < AGAIN_S and table.pins.get(task) != slot
        }
        pins = {**table.pins, **{task: slot for task, (slot, _at) in self._posted.items()}}
        new = place_new(tasks, pins, table.owners(), self._bulletin.slot_count)
        since = self._unplaced_since if self._unplaced_since is not None else now
        self._unplaced_since = since if new else None
        if now - table.changed_at < PLACE_AFTER_S and now - since < PLACE_WITHIN_S:
            return
        for task, slot in new.items():
            self._pin(task, slot, now)

    def _even_out(self, tasks: list[Task], now: float) -> None:
        table, slots = self._bulletin.slots, self._bulletin.slot_count
        owners = table.owners()
        settled = now - max(table.changed_at, self._evened_at) > EVEN_AFTER_S and len(owners) == slots
        if self._posted or not settled:
            return
        moves = even_out(tasks, table.pins, owners, slots)
        for task, slot in moves.items():
            self._pin(task, slot, now)
        if moves:
            self._evened_at = now
            _log.info("tasks evened out", tasks=len(moves))

    def _pin(self, task: Task, slot: int, now: float) -> None:
        self._posted[task] = (slot, now)
        self._bulletin.slots_log.post(*pin_record(task, slot))

    def _clear(self, lifecycles: Mapping[str, ConnectorLifecycle], now: float) -> None:
        """Tombstones, by a bounded number of records a round, for what has been stray for a while."""
        stray = self._stray(lifecycles)
        since = {key: self._stray_since.get(key, now) for key in stray}
        ripe = [key for key, at in since.items() if now - at > CLEAR_AFTER_S][:100]
        for key in ripe:
            since[key] = now
            (self._bulletin.slots_log if stray[key] else self._bulletin.status_log).post(key, None)
        self._stray_since = since

    def _stray(self, lifecycles: Mapping[str, ConnectorLifecycle]) -> dict[str, bool]:
        """Keys of records whose subject is gone; True for keys of the slots topic."""
        table, statuses = self._bulletin.slots, self._bulletin.statuses
        known = {name: lifecycle for name, lifecycle in lifecycles.items() if not lifecycle.removed}
        unplanned = {name for name, lifecycle in known.items() if not lifecycle.planned}
        found: dict[str, bool] = {}
        for name, number in table.pins:
            if name not in known or (name not in unplanned and number not in known[name].planned_ids):
                found[pin_record((name, number), None)[0]] = True
        for worker in table.silent():
            found[slots_record(worker, None)[0]] = True
        alive = set(table.owners().values())
        for name in statuses.connectors():
            if name not in known:
                found[connector_key(name)] = False
                found.update({topic_key(name, topic): False for topic in statuses.topics(name)})
            for number, kept in statuses.tasks(name).items():
                gone = name not in known or (name not in unplanned and number not in known[name].planned_ids)
                if gone and not (kept.live and kept.worker_id in alive):
                    found[task_key(name, number)] = False
        return found
