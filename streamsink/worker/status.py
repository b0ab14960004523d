"""Defines the states of connectors and tasks. Values only: asks no process and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streamsink.observe.snapshot import TaskSnapshot


class State(StrEnum):
    """Connect's states of a connector or task. RUNNING means that the task's process reports."""

    UNASSIGNED = "UNASSIGNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    RESTARTING = "RESTARTING"


class TargetState(StrEnum):
    """The state that a connector is meant to be in.

    PAUSED keeps its tasks for later, STOPPED has none; neither runs a process.
    """

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class OffsetEntry:
    """A connector's offset in one partition that it reads, in Connect's maps. Without `offset` none is stored.

    A sink's partition is `{"kafka_topic", "kafka_partition"}`, its offset `{"kafka_offset"}`.
    """

    partition: Mapping[str, Any]
    offset: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class LoggerLevel:
    """A logger's level, and when it was set; None where it has been so since the start."""

    level: str
    last_modified_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task as its worker sees it now.

    `trace` says why it is not running; `retrying` what a running one keeps trying. `report_age_s` is None, and
    `snapshot` too, until the task's process has reported.
    """

    connector: str
    task_id: int
    state: State
    worker_id: str
    version: str
    trace: str = ""
    retrying: str = ""
    restarts_total: int = 0
    report_age_s: float | None = None
    snapshot: TaskSnapshot | None = None


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """One connector and its tasks, by task id."""

    name: str
    type: str
    state: State
    worker_id: str
    version: str
    trace: str = ""
    tasks: tuple[TaskStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """A connector as it was asked for. `config` is fit to be shown, secrets masked."""

    name: str
    type: str
    config: Mapping[str, str]
    task_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plugin:
    """One `connector.class` that this worker runs."""

    name: str
    type: str
    version: str
