"""Kafka Connect's records of the config topic: reads and writes their keys and values. Pure: bytes in, values out.

| key | value |
|---|---|
| `connector-NAME` | `{"properties": {...}}`; none: it is gone |
| `target-state-NAME` | `{"state": "PAUSED", "state.v2": "STOPPED"}`, or the like; none: STARTED |
| `restart-connector-NAME` | `{"include-tasks": bool, "only-failed": bool}`: an order to workers that read it live |
| `logger-cluster-NAME` | `{"level": "DEBUG"}`: likewise |
| `task-NAME-N`, `commit-NAME`, `tasks-fencing-NAME`, `session-key` | Connect's own business: left as they are |

Values may stand in JsonConverter's envelope of schema and payload. A record that can't be read is none of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.worker.status import TargetState

CONNECTOR = "connector-"
TARGET = "target-state-"
RESTART = "restart-connector-"
LOGGER = "logger-cluster-"

_STATES = {"STARTED": TargetState.RUNNING, "PAUSED": TargetState.PAUSED, "STOPPED": TargetState.STOPPED}
_WORDS = {state: word for word, state in _STATES.items()}


@dataclass(frozen=True, slots=True)
class ConnectorConfigured:
    """A connector's configuration; None where it was deleted, "" in `problem` where it can be read."""

    connector: str
    config: Mapping[str, str] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TargetSet:
    """A connector is meant to be in another state."""

    connector: str
    state: TargetState


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """A connector, and its tasks if asked, shall restart."""

    connector: str
    include_tasks: bool
    only_failed: bool


@dataclass(frozen=True, slots=True)
class LoggerSet:
    """An order to all workers to log from a level on."""

    logger: str
    level: str


Change = ConnectorConfigured | TargetSet | RestartAsked | LoggerSet


def read_record(key: bytes | None, value: bytes | None) -> Change | None:
    """Read a record of the config topic.

    Args:
        key: The record's key, UTF-8.
        value: The record's value, JSON; None for a tombstone.

    Returns:
        The change that it tells of, None where it is Connect's own business or can't be read.
    """
    try:
        text = (key or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None
    content = read_value(value)
    if text.startswith(CONNECTOR):
        return _configured(text.removeprefix(CONNECTOR), value, content)
    if text.startswith(TARGET):
        return TargetSet(text.removeprefix(TARGET), _target(content or {}))
    if text.startswith(RESTART) and content is not None:
        flags = (content.get("include-tasks") is True, content.get("only-failed") is True)
        return RestartAsked(text.removeprefix(RESTART), *flags)
    if text.startswith(LOGGER) and content is not None:
        return LoggerSet(text.removeprefix(LOGGER), str(content.get("level")))
    return None


def connector_record(connector: str, config: Mapping[str, str] | None) -> tuple[str, bytes | None]:
    """Make the record that configures a connector, or deletes it.

    Args:
        connector: The connector's name.
        config: Its flat map; None deletes it.

    Returns:
        Key and value.
    """
    return f"{CONNECTOR}{connector}", None if config is None else write_value({"properties": dict(config)})


def target_record(connector: str, state: TargetState | None) -> tuple[str, bytes | None]:
    """Make the record that says which state a connector is meant to be in.

    Workers before Kafka 3.5 know no STOPPED. They read PAUSED.

    Args:
        connector: The connector's name.
        state: The state; None forgets it, so that the connector runs.

    Returns:
        Key and value.
    """
    key = f"{TARGET}{connector}"
    if state is None:
        return key, None
    older = "PAUSED" if state is TargetState.STOPPED else _WORDS[state]
    return key, write_value({"state": older, "state.v2": _WORDS[state]})


def restart_record(connector: str, *, include_tasks: bool, only_failed: bool) -> tuple[str, bytes]:
    """Make the record that has every worker restart its part of a connector.

    Args:
        connector: The connector's name.
        include_tasks: Whether tasks are restarted too.
        only_failed: Whether only connector and tasks that have failed are.

    Returns:
        Key and value.
    """
    return f"{RESTART}{connector}", write_value({"include-tasks": include_tasks, "only-failed": only_failed})


def logger_record(logger: str, level: str) -> tuple[str, bytes]:
    """Make the record that sets a logger's level on every worker.

    Args:
        logger: The logger's name, `root` for all.
        level: A level of Connect's, such as `DEBUG`.

    Returns:
        Key and value.
    """
    return f"{LOGGER}{logger}", write_value({"level": level})


def read_value(value: bytes | None) -> dict[str, object] | None:
    """A JSON object, out of its envelope if it stands in one; None for anything else."""
    content = read_json(value)
    if isinstance(content, dict) and set(content) == {"schema", "payload"}:
        content = content["payload"]
    return content if isinstance(content, dict) else None


def read_json(data: bytes | None) -> object:
    """JSON in UTF-8; None for anything else, and for what Python can't write again, as half a surrogate pair."""
    if not data:
        return None
    try:
        content: object = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        if b"\\u" in data:
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return content


def _refuse(word: str) -> object:
    raise ValueError(word)


def write_value(content: Mapping[str, object]) -> bytes:
    """JSON as Connect's converter writes it: no envelope, no spaces."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _configured(connector: str, value: bytes | None, content: dict[str, object] | None) -> ConnectorConfigured:
    if value is None:
        return ConnectorConfigured(connector, None)
    properties = content.get("properties") if content is not None else None
    if not isinstance(properties, dict):
        return ConnectorConfigured(connector, {}, "its record in the config topic has no properties")
    return ConnectorConfigured(connector, {str(key): str(each) for key, each in properties.items() if each is not None})


def _target(content: Mapping[str, object]) -> TargetState:
    word = content.get("state.v2") or content.get("state")
    return _STATES.get(str(word), TargetState.RUNNING)
