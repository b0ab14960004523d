"""Puts what the herder knows into Connect's JSON shapes. Pure: asks nobody."""

from __future__ import annotations

from typing import Any

from streamsink.observe.health import Health
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, Plugin, TaskStatus

Json = dict[str, Any]


def task_status(task: TaskStatus) -> Json:
    """A task's status; `trace` and our own `retrying` only where there is something to say."""
    shape: Json = {
        "id": task.task_id,
        "state": task.state.value,
        "worker_id": task.worker_id,
        "version": task.version,
    }
    return shape | _said(trace=task.trace, retrying=task.retrying)


def connector_status(status: ConnectorStatus) -> Json:
    """A connector's status with its tasks', by task id."""
    connector: Json = {"state": status.state.value, "worker_id": status.worker_id, "version": status.version}
    return {
        "name": status.name,
        "connector": connector | _said(trace=status.trace),
        "tasks": [task_status(task) for task in sorted(status.tasks, key=lambda task: task.task_id)],
        "type": status.type,
    }


def connector_info(info: ConnectorInfo) -> Json:
    """A connector's configuration and task ids."""
    return {
        "name": info.name,
        "config": dict(info.config),
        "tasks": [{"connector": info.name, "task": task_id} for task_id in info.task_ids],
        "type": info.type,
    }


def tasks(info: ConnectorInfo) -> list[Json]:
    """Every task with its configuration, which is the connector's."""
    config = dict(info.config)
    return [{"id": {"connector": info.name, "task": task_id}, "config": config} for task_id in info.task_ids]


def plugin(each: Plugin) -> Json:
    """One connector class."""
    return {"class": each.name, "type": each.type, "version": each.version}


def health(verdict: Health, *, good: str, bad: str) -> Json:
    """A verdict with the reasons against it, in the keys of Connect's `/health`."""
    message = "; ".join(verdict.problems) or "all is well"
    return {"status": good if verdict.ok else bad, "message": message, "problems": list(verdict.problems)}


def _said(**texts: str) -> Json:
    return {key: text for key, text in texts.items() if text}
