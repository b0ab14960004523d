"""How far a task has come, as its worker tells the others in the status topic: what REST shows of it, no more. Pure.

| key | value |
|---|---|
| `progress-task-NAME-N` | `{"worker_id", "at_ms", "partitions": [...]}` and a task's totals; Kafka Connect has none |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.record import TopicPartition
from streamsink.worker.distributed.records import read_value, write_value

PREFIX = "progress-task-"

_TOLD = (
    *("assigned", "guarantee", "records_total", "bytes_total", "bad_records_total", "objects_stored_total"),
    *("bytes_stored_total", "objects_adopted_total", "upload_retries_total", "commits_total", "last_commit_ms"),
    *("memory_bytes", "memory_bytes_max", "retrying"),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """A task's snapshot, the worker that saw it, and when, in Unix milliseconds of that worker's clock."""

    worker_id: str
    at_ms: int
    snapshot: TaskSnapshot


def progress_key(connector: str, task_id: int) -> str:
    """Key of a task's progress."""
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
    """What a record says; None where it is gone, or not one of this version's."""
    content: Mapping[str, Any] | None = read_value(value)
    if content is None:
        return None
    try:
        totals = {name: content[name] for name in _TOLD}
        partitions = dict(_partition(each) for each in content["partitions"])
        snapshot = TaskSnapshot(**totals, partitions=partitions)
        return Progress(str(content["worker_id"]), int(content["at_ms"]), snapshot)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _partition(content: Mapping[str, Any]) -> tuple[TopicPartition, PartitionSnapshot]:
    about = dict(content)
    where = TopicPartition(about.pop("topic"), about.pop("partition"))
    return where, PartitionSnapshot(**about)
