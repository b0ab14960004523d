"""Writes a task's progress for the status topic and reads it back, for REST to show. Pure.

| key | value |
|---|---|
| `progress-task-NAME-N` | `{"worker_id", "at_ms", "partitions": [...]}` and a task's totals; Kafka Connect has none |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import isfinite
from typing import Any, get_type_hints

from streamsink.names import TopicPartition
from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.worker.distributed.records import read_value, write_value

PREFIX = "progress-task-"

_TOLD = (
    *("assigned", "guarantee", "records_total", "bytes_total", "bad_records_total", "objects_stored_total"),
    *("bytes_stored_total", "objects_adopted_total", "upload_retries_total", "commits_total", "last_commit_ms"),
    *("memory_bytes", "memory_bytes_max", "retrying", "stalled", "warning", "next_close_s"),
)


_TOLD_SINCE = {"stalled", "warning", "next_close_s"}
"""What workers of earlier versions don't tell."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A task's snapshot, the worker that saw it, and when, in Unix milliseconds of that worker's clock."""

    worker_id: str
    at_ms: int
    snapshot: TaskSnapshot


def progress_key(connector: str, task_id: int) -> str:
    """Make the key of a task's progress.

    Args:
        connector: The connector's name.
        task_id: The task's number.
    """
    return f"{PREFIX}{connector}-{task_id}"


def progress_value(progress: Progress) -> bytes:
    """The record of a task's progress."""
    partitions = [
        {"topic": at.topic, "partition": at.partition, **asdict(each)}
        for at, each in progress.snapshot.partitions.items()
    ]
    totals = {name: getattr(progress.snapshot, name) for name in _TOLD}
    return write_value({"worker_id": progress.worker_id, "at_ms": progress.at_ms, "partitions": partitions, **totals})


def read_progress(value: bytes | None) -> Progress | None:
    """Read a record of progress; None where it is gone, or not of this version."""
    content: Mapping[str, Any] | None = read_value(value)
    if content is None:
        return None
    try:
        totals = _checked(
            TaskSnapshot, {name: content[name] for name in _TOLD if name in content or name not in _TOLD_SINCE}
        )
        partitions = dict(_partition(each) for each in content["partitions"])
        if not isinstance(content["worker_id"], str) or not _is_whole(content["at_ms"]):
            return None
        return Progress(content["worker_id"], content["at_ms"], TaskSnapshot(**totals, partitions=partitions))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _partition(content: Mapping[str, Any]) -> tuple[TopicPartition, PartitionSnapshot]:
    about = dict(content)
    where = TopicPartition(**_checked(TopicPartition, {key: about.pop(key) for key in ("topic", "partition")}))
    return where, PartitionSnapshot(**_checked(PartitionSnapshot, about))


def _checked(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    """The content, if each value has its field's type and a size that sums and clocks can bear."""
    types = _types(kind)
    for name, value in content.items():
        wanted = types[name]
        fits = value is None and wanted not in {int, str, bool, float}
        fits |= isinstance(value, bool) and wanted is bool
        fits |= isinstance(value, str) and wanted is str
        fits |= _is_whole(value) and wanted in {int, float, int | None, float | None}
        fits |= isinstance(value, float) and isfinite(value) and wanted in {float, float | None}
        if not fits:
            raise ValueError(name)
    return content


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
