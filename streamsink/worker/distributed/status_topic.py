"""Sums up the status topic: the state of connectors and tasks on all workers, in Connect's records. Pure.

| key | value |
|---|---|
| `status-connector-NAME` | `{"state", "trace", "worker_id", "generation", "version"}`; none: there is none |
| `status-task-NAME-N` | likewise; ours adds `definition`, the stamp of what its process runs, while there is one |
| `progress-task-NAME-N` | how far it has come (`progress.py`) |
| `status-topic-TOPIC:connector-NAME` | `{"topic": {"name", "connector", "task", "discoverTimestamp"}}`; none: reset |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from streamsink.worker.distributed.progress import PREFIX as PROGRESS
from streamsink.worker.distributed.progress import Progress, read_progress
from streamsink.worker.distributed.records import read_value, write_value
from streamsink.worker.status import State

_Found = TypeVar("_Found")

_CONNECTOR = "status-connector-"
_TASK = "status-task-"
_TOPIC = "status-topic-"
_OF = ":connector-"


@dataclass(frozen=True, slots=True)
class KeptStatus:
    """A connector's or task's status as a worker wrote it."""

    state: State
    worker_id: str
    trace: str = ""
    version: str = ""
    definition: str = ""
    generation: int = 0

    @property
    def live(self) -> bool:
        """Whether a process of ours may be there."""
        return bool(self.definition)


def connector_key(connector: str) -> str:
    """Key of a connector's status."""
    return f"{_CONNECTOR}{connector}"


def task_key(connector: str, task_id: int) -> str:
    """Make the key of a task's status.

    Args:
        connector: The connector's name.
        task_id: The task's number.
    """
    return f"{_TASK}{connector}-{task_id}"


def topic_key(connector: str, topic: str) -> str:
    """Make the key of the record that a connector has used a topic.

    Args:
        connector: The connector's name.
        topic: The name of a topic that it reads or writes.
    """
    return f"{_TOPIC}{topic}{_OF}{connector}"


def status_value(status: KeptStatus) -> bytes:
    """A status as Connect writes it."""
    content: dict[str, object] = {
        "state": status.state.value,
        "trace": status.trace or None,
        "worker_id": status.worker_id,
        "generation": status.generation,
        "version": status.version or None,
    }
    if status.definition:
        content["definition"] = status.definition
    return write_value(content)


def topic_value(connector: str, topic: str, task_id: int, now_ms: int) -> bytes:
    """Make the record that a connector has used a topic, as Connect writes it.

    Args:
        connector: The connector's name.
        topic: The name of a topic that it reads or writes.
        task_id: The task that used it first.
        now_ms: Unix time in milliseconds.

    Returns:
        JSON.
    """
    found = {"name": topic, "connector": connector, "task": task_id, "discoverTimestamp": now_ms}
    return write_value({"topic": found})


class StatusTable:
    """Told each record in a partition's order; the last one of a key holds."""

    def __init__(self) -> None:
        self._connectors: dict[str, KeptStatus] = {}
        self._tasks: dict[str, dict[int, KeptStatus]] = {}
        self._topics: dict[str, frozenset[str]] = {}
        self._progress: dict[str, dict[int, Progress]] = {}
        self.unreadable_total = 0

    def apply(self, key: bytes | None, value: bytes | None) -> str | None:
        """Take a record in.

        Args:
            key: The record's key, UTF-8. A key of no known kind is passed over.
            value: The record's value, JSON; None for a tombstone.

        Returns:
            The connector whose use of a topic was reset, else None.
        """
        text = (key or b"").decode("utf-8", "replace")
        if text.startswith(_CONNECTOR):
            self._put_connector(text.removeprefix(_CONNECTOR), self._noted(value, _read(value)))
        elif text.startswith(_TASK):
            name, _, number = text.removeprefix(_TASK).rpartition("-")
            if number.isdecimal():
                self._put_task(name, int(number), self._noted(value, _read(value)))
        elif text.startswith(PROGRESS):
            name, _, number = text.removeprefix(PROGRESS).rpartition("-")
            if number.isdecimal():
                self._put_progress(name, int(number), self._noted(value, read_progress(value)))
        elif text.startswith(_TOPIC):
            topic, _, name = text.removeprefix(_TOPIC).partition(_OF)
            known = self._topics.get(name, frozenset())
            self._topics[name] = known - {topic} if value is None else known | {topic}
            return name if value is None else None
        return None

    def _noted(self, value: bytes | None, found: _Found | None) -> _Found | None:
        """Count a value that can't be read; its key has none, as after compaction."""
        self.unreadable_total += value is not None and found is None
        return found

    def connector(self, connector: str) -> KeptStatus | None:
        """A connector's last status."""
        return self._connectors.get(connector)

    def tasks(self, connector: str) -> Mapping[int, KeptStatus]:
        """The last status of each of its tasks."""
        return self._tasks.get(connector, {})

    def progress(self, connector: str) -> Mapping[int, Progress]:
        """The progress of a connector's tasks, as its workers last told."""
        return self._progress.get(connector, {})

    def all_progress(self) -> list[tuple[str, int, Progress]]:
        """The progress of all tasks."""
        return [(name, number, kept) for name, tasks in self._progress.items() for number, kept in tasks.items()]

    def topics(self, connector: str) -> frozenset[str]:
        """Topics it has used."""
        return self._topics.get(connector, frozenset())

    def connectors(self) -> frozenset[str]:
        """Every connector that something is known of."""
        topics = {name for name, known in self._topics.items() if known}
        return frozenset(topics | set(self._connectors) | set(self._tasks))

    def _put_connector(self, connector: str, status: KeptStatus | None) -> None:
        others = {name: kept for name, kept in self._connectors.items() if name != connector}
        self._connectors = others if status is None else {**others, connector: status}

    def _put_task(self, connector: str, task_id: int, status: KeptStatus | None) -> None:
        others = {number: kept for number, kept in self._tasks.get(connector, {}).items() if number != task_id}
        kept = others if status is None else {**others, task_id: status}
        names = {name: tasks for name, tasks in self._tasks.items() if name != connector}
        self._tasks = {**names, connector: kept} if kept else names

    def _put_progress(self, connector: str, task_id: int, progress: Progress | None) -> None:
        others = {number: kept for number, kept in self._progress.get(connector, {}).items() if number != task_id}
        kept = others if progress is None else {**others, task_id: progress}
        names = {name: tasks for name, tasks in self._progress.items() if name != connector}
        self._progress = {**names, connector: kept} if kept else names


def same_told(one: KeptStatus | None, other: KeptStatus | None) -> bool:
    """Tell whether two statuses say the same. Generations don't count.

    Args:
        one: A status; None for none.
        other: Another, or None; two None say the same.
    """
    return (one and replace(one, generation=0)) == (other and replace(other, generation=0))


def _read(value: bytes | None) -> KeptStatus | None:
    content = read_value(value)
    state = content.get("state") if content is not None else None
    if content is None or not isinstance(state, str) or state not in set(State):
        return None
    generation = content.get("generation")
    worker_id, trace, version, definition = (
        str(content.get(key) or "") for key in ("worker_id", "trace", "version", "definition")
    )
    number = generation if isinstance(generation, int) else 0
    return KeptStatus(State(state), worker_id, trace, version, definition, number)
