"""Puts what the herder knows into Connect's JSON shapes. Asks nobody but the clock."""

from __future__ import annotations

import time
from typing import Any

from streamsink.config.keys.definition import ConfigKey
from streamsink.observe.health import Health
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, Plugin, TaskStatus
from streamsink.worker.validation import ConfigReport, KeyReport

Json = dict[str, Any]


def task_status(task: TaskStatus) -> Json:
    """A task's status; where there is something to say, `trace` and our own `retrying`, `stalled`, `warning`."""
    shape: Json = {
        "id": task.task_id,
        "state": task.state.value,
        "worker_id": task.worker_id,
        "version": task.version,
    }
    if task.snapshot is not None:
        shape["progress"] = _progress(task.snapshot)
    snapshot = task.snapshot or TaskSnapshot()
    return shape | _said(trace=task.trace, retrying=task.retrying, stalled=snapshot.stalled, warning=snapshot.warning)


def _progress(snapshot: TaskSnapshot) -> Json:
    """How far a running task has come: RUNNING alone does not say that it gets anywhere."""
    partitions = snapshot.partitions.values()
    lags = [at.end - at.frontier for at in partitions if at.end is not None]
    ages_s = [at.oldest_unstored_s for at in partitions if at.oldest_unstored_s is not None]
    committed_ms = snapshot.last_commit_ms
    return {
        "assigned": snapshot.assigned,
        "partitions": len(snapshot.partitions),
        "records_total": snapshot.records_total,
        "lag_records": sum(max(0, lag) for lag in lags) if lags else None,
        "last_commit_age_ms": None if committed_ms is None else max(0, int(time.time() * 1000) - committed_ms),
        "oldest_unstored_age_ms": round(max(ages_s) * 1000) if ages_s else None,
        "objects_stored_total": snapshot.objects_stored_total,
        "open_files": sum(at.open_files for at in partitions),
        "next_close_ms": None if snapshot.next_close_s is None else round(snapshot.next_close_s * 1000),
        "memory_bytes": snapshot.memory_bytes,
    }


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
    """Show every task with its configuration, which is the connector's."""
    config = dict(info.config)
    return [{"id": {"connector": info.name, "task": task_id}, "config": config} for task_id in info.task_ids]


def plugin(each: Plugin) -> Json:
    """Show one connector class."""
    return {"class": each.name, "type": each.type, "version": each.version}


def config_key(key: ConfigKey) -> Json:
    """Show a key's definition."""
    return {
        "name": key.name,
        "type": key.type.value,
        "required": key.required,
        "default_value": key.default_text,
        "importance": key.importance.value,
        "documentation": key.documentation,
        "group": key.group or None,
        "width": key.width.value,
        "display_name": key.display_name or key.name,
        "dependents": [],
        "order": key.order or -1,
    }


def _config_value(report: KeyReport) -> Json:
    return {
        "name": report.key.name,
        "value": report.value,
        "recommended_values": list(report.key.recommended),
        "errors": list(report.errors),
        "visible": True,
    }


def config_report(name: str, report: ConfigReport) -> Json:
    """Put a validation into Connect's shape, with warnings and guarantee beside it.

    Args:
        name: The connector's class.
        report: Every key with its definition, value and errors.

    Returns:
        Connect's `ConfigInfos`. `error_count` counts errors, of which a key may have several.
    """
    return {
        "name": name,
        "error_count": sum(len(each.errors) for each in report.keys),
        "groups": list(report.groups),
        "configs": [{"definition": config_key(each.key), "value": _config_value(each)} for each in report.keys],
        "warnings": list(report.warnings),
        "guarantee": report.guarantee,
    }


def health(verdict: Health, *, good: str, bad: str) -> Json:
    """Put a verdict into the shape of Connect's `/health`.

    Args:
        verdict: The verdict with the reasons against it.
        good: The word for `status` where nothing is wrong.
        bad: The word for it otherwise.
    """
    message = "; ".join(verdict.problems) or "all is well"
    return {"status": good if verdict.ok else bad, "message": message, "problems": list(verdict.problems)}


def _said(**texts: str) -> Json:
    return {key: text for key, text in texts.items() if text}
