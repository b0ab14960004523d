"""Defines what a task reports of itself to its worker, once a second. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamsink.names import TopicPartition
from streamsink.observe.durations import Durations


@dataclass(frozen=True, slots=True)
class PartitionSnapshot:
    """One assigned partition: where reading and storing stand. Offsets are next offsets; ages come from wall clocks."""

    position: int
    frontier: int
    committed: int | None
    end: int | None
    open_files: int
    waiting_files: int
    paused: bool
    oldest_unstored_s: float | None


@dataclass(frozen=True, slots=True)
class ClientSnapshot:
    """The Kafka client's own view, from librdkafka's statistics."""

    brokers_up: int
    brokers_known: int
    request_errors_total: int
    request_timeouts_total: int
    disconnects_total: int
    round_trip_p99_s: float
    fetch_queue_records: int
    fetch_queue_bytes: int
    rebalances_total: int


@dataclass(frozen=True, slots=True)
class TaskSnapshot:
    """One task. Totals only grow while the task lives.

    `retrying` says what is tried again now, `stalled` which partitions are behind their end and get nowhere, and why,
    `warning` what an operator should know while all goes on.

    `next_close_s` is how long, from the snapshot on, until the next open file closes by age or schedule; None where
    none is open, or only counts and sizes close files.

    `rotations` counts closed files by reason, `failures` what went wrong by what it was: broker, store, manifest,
    commit or record.
    """

    assigned: bool = False
    guarantee: str = ""
    records_total: int = 0
    bytes_total: int = 0
    bad_records_total: int = 0
    objects_stored_total: int = 0
    bytes_stored_total: int = 0
    objects_adopted_total: int = 0
    upload_retries_total: int = 0
    commits_total: int = 0
    last_commit_ms: int | None = None
    memory_bytes: int = 0
    memory_bytes_max: int = 0
    uploads: Durations = field(default_factory=Durations)
    commits: Durations = field(default_factory=Durations)
    failures: Mapping[str, int] = field(default_factory=dict)
    client: ClientSnapshot | None = None
    rotations: Mapping[str, int] = field(default_factory=dict)
    retrying: str = ""
    stalled: str = ""
    warning: str = ""
    next_close_s: float | None = None
    partitions: Mapping[TopicPartition, PartitionSnapshot] = field(default_factory=dict)
