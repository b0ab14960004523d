"""What a task says of itself, once a second, to the worker that watches it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamsink.observe.durations import Durations
from streamsink.record import TopicPartition


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
    partitions: Mapping[TopicPartition, PartitionSnapshot] = field(default_factory=dict)
