"""Keeps this worker's records in the status topic true. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from streamsink import __version__
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.config_topic import stamp_of
from streamsink.worker.distributed.progress import Progress, progress_key, progress_value
from streamsink.worker.distributed.status_topic import (
    KeptStatus,
    connector_key,
    same_told,
    status_value,
    task_key,
    topic_key,
    topic_value,
)
from streamsink.worker.lifecycle import ConnectorLifecycle
from streamsink.worker.status import State, TargetState

PROGRESS_S = 5.0
"""How often the others hear how far a task has come."""
AGAIN_S = 5.0
"""A record that was posted and has not been read back is posted again after this; traces change no more often."""

RESTING = {
    TargetState.RUNNING: State.UNASSIGNED,
    TargetState.PAUSED: State.PAUSED,
    TargetState.STOPPED: State.STOPPED,
}


@dataclass(frozen=True, slots=True)
class _Posted:
    status: KeptStatus | None
    at: float


class StatusReports:
    """One thread calls `report` again and again."""

    def __init__(self, bulletin: Bulletin, worker_id: str) -> None:
        self._bulletin = bulletin
        self._worker_id = worker_id
        self._posted: dict[str, _Posted] = {}
        self._progress_at_s = 0.0

    def report(self, lifecycles: Mapping[str, ConnectorLifecycle], speaks_for: Iterable[str]) -> None:
        """Post what differs from what the topic has.

        Args:
            lifecycles: Every connector this worker knows.
            speaks_for: Those whose own status this worker tells.
        """
        table = self._bulletin.statuses
        for name, lifecycle in lifecycles.items():
            for number, wanted in self._tasks(lifecycle):
                self._tell(task_key(name, number), wanted, table.tasks(name).get(number))
        for name in table.connectors() - set(lifecycles):
            for number, kept in table.tasks(name).items():
                if kept.worker_id == self._worker_id:
                    self._tell(task_key(name, number), None, kept)
        for name in speaks_for:
            known = lifecycles.get(name)
            if known is not None and not known.removed:
                self._tell(connector_key(name), self._connector(known), table.connector(name))

    def report_progress(self, lifecycles: Mapping[str, ConnectorLifecycle], now_ms: int) -> None:
        """Post the progress of the tasks here, every `PROGRESS_S` seconds.

        Progress of tasks that are gone is taken back.

        Args:
            lifecycles: All connectors by name.
            now_ms: Unix time in milliseconds.
        """
        if time.monotonic() - self._progress_at_s < PROGRESS_S:
            return
        self._progress_at_s = time.monotonic()
        table, log = self._bulletin.statuses, self._bulletin.status_log
        here: set[tuple[str, int]] = set()
        for name, lifecycle in lifecycles.items():
            for task in lifecycle.tasks:
                snapshot = task.status().snapshot
                if snapshot is not None and not task.ended:
                    here.add((name, task.spec.task_id))
                    progress = Progress(self._worker_id, now_ms, snapshot)
                    log.post(progress_key(name, task.spec.task_id), progress_value(progress))
        for name, number, kept in table.all_progress():
            gone = kept.worker_id == self._worker_id or name not in lifecycles
            if gone and (name, number) not in here:
                log.post(progress_key(name, number), None)

    def report_topics(self, lifecycles: Mapping[str, ConnectorLifecycle], now_ms: int) -> None:
        """Post topics that tasks here have begun to use.

        Args:
            lifecycles: All connectors by name.
            now_ms: Unix time in milliseconds.
        """
        for name, lifecycle in lifecycles.items():
            for topic in set(lifecycle.topics()) - self._bulletin.statuses.topics(name):
                number = next((task.spec.task_id for task in lifecycle.tasks), 0)
                self._bulletin.status_log.post(topic_key(name, topic), topic_value(name, topic, number, now_ms))

    def _tasks(self, lifecycle: ConnectorLifecycle) -> Iterator[tuple[int, KeptStatus | None]]:
        """Give the status of each task that has a process here, had one, or is said to have one."""
        table = self._bulletin.statuses.tasks(lifecycle.name)
        here = {task.spec.task_id: task for task in lifecycle.tasks if not (task.ended and task.closing)}
        for number, task in here.items():
            kept = table.get(number)
            if task.ended and kept is not None and kept.live and kept.worker_id != self._worker_id:
                continue
            status, stamp = task.status(), "" if task.ended else stamp_of(task.spec.config)
            yield number, KeptStatus(status.state, self._worker_id, status.trace, __version__, stamp)
        for number, kept in table.items():
            if number not in here and kept.worker_id == self._worker_id:
                stopped = lifecycle.removed or lifecycle.target is TargetState.STOPPED
                gone = stopped or number not in lifecycle.planned_ids
                rest = KeptStatus(RESTING[lifecycle.target], self._worker_id, "", __version__)
                failed = kept.state is State.FAILED and not kept.live
                if gone or not failed:
                    yield number, None if gone else rest

    def _connector(self, lifecycle: ConnectorLifecycle) -> KeptStatus:
        status = lifecycle.status()
        state = status.state
        if state is not State.FAILED:
            live = any(kept.live for kept in self._bulletin.statuses.tasks(lifecycle.name).values())
            running = live or lifecycle.target is TargetState.RUNNING
            state = State.RUNNING if running else RESTING[lifecycle.target]
        return KeptStatus(state, self._worker_id, status.trace, __version__)

    def _tell(self, key: str, wanted: KeptStatus | None, kept: KeptStatus | None) -> None:
        if same_told(wanted, kept):
            return
        now = time.monotonic()
        posted = self._posted.get(key)
        if posted is not None and now - posted.at < AGAIN_S and _nearly_same(wanted, posted.status):
            return
        self._posted = {known: each for known, each in self._posted.items() if now - each.at < AGAIN_S}
        self._posted[key] = _Posted(wanted, now)
        self._bulletin.status_log.post(key, None if wanted is None else status_value(wanted))


def _nearly_same(one: KeptStatus | None, other: KeptStatus | None) -> bool:
    """Whether they differ in words only."""
    if one is None or other is None:
        return one is other
    return (one.state, one.definition) == (other.state, other.definition)
