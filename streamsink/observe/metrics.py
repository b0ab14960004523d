"""Shows the latest snapshots as Prometheus metrics at each scrape. Keeps no numbers itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from streamsink import __version__
from streamsink.observe.durations import Durations
from streamsink.observe.snapshot import ClientSnapshot, PartitionSnapshot, TaskSnapshot


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """One task at the time of a scrape; `snapshot` is None while its process has not reported."""

    connector: str
    task_id: int
    state: str
    restarts_total: int
    report_age_s: float | None
    snapshot: TaskSnapshot | None


Number = int | float | None
_TASK = ("connector", "task")
_PARTITION = (*_TASK, "topic", "partition")


def _lag(partition: PartitionSnapshot) -> Number:
    if partition.end is None:
        return None
    committed = partition.frontier if partition.committed is None else partition.committed
    return max(0, partition.end - committed)


_TASK_TOTALS: Sequence[tuple[str, str, Callable[[TaskSnapshot], int]]] = (
    ("records", "Records consumed.", lambda s: s.records_total),
    ("bytes", "Bytes of the records consumed.", lambda s: s.bytes_total),
    ("bad_records", "Records that could not be decoded.", lambda s: s.bad_records_total),
    ("objects_stored", "Objects stored.", lambda s: s.objects_stored_total),
    ("bytes_stored", "Bytes of the objects stored.", lambda s: s.bytes_stored_total),
    ("objects_adopted", "Objects found stored already and taken over.", lambda s: s.objects_adopted_total),
    ("upload_retries", "Uploads tried again.", lambda s: s.upload_retries_total),
    ("commits", "Offset commits.", lambda s: s.commits_total),
)

_TASK_GAUGES: Sequence[tuple[str, str, Callable[[TaskSnapshot], Number]]] = (
    ("memory_bytes", "Bytes of memory that open and waiting files hold.", lambda s: s.memory_bytes),
    ("memory_bytes_max", "Ceiling of memory_bytes.", lambda s: s.memory_bytes_max),
    ("retrying", "1 while the task keeps trying something that fails.", lambda s: int(bool(s.retrying))),
    ("stalled", "1 while a partition is behind its end and gets nowhere.", lambda s: int(bool(s.stalled))),
    (
        "last_commit_timestamp_seconds",
        "When offsets were last committed.",
        lambda s: None if s.last_commit_ms is None else s.last_commit_ms / 1000,
    ),
)

_TASK_DURATIONS: Sequence[tuple[str, str, Callable[[TaskSnapshot], Durations]]] = (
    ("upload_duration_seconds", "How long storing an object took.", lambda s: s.uploads),
    ("commit_duration_seconds", "How long a commit took, its manifest included.", lambda s: s.commits),
)

_CLIENT_TOTALS: Sequence[tuple[str, str, Callable[[ClientSnapshot], int]]] = (
    ("request_errors", "Requests to brokers that failed.", lambda c: c.request_errors_total),
    ("request_timeouts", "Requests to brokers that took too long.", lambda c: c.request_timeouts_total),
    ("disconnects", "Connections to brokers lost.", lambda c: c.disconnects_total),
    ("rebalances", "Rebalances of the consumer group.", lambda c: c.rebalances_total),
)

_CLIENT_GAUGES: Sequence[tuple[str, str, Callable[[ClientSnapshot], Number]]] = (
    ("brokers_up", "Brokers connected to.", lambda c: c.brokers_up),
    ("brokers_known", "Brokers of the cluster.", lambda c: c.brokers_known),
    ("round_trip_p99_seconds", "Slowest broker's 99th percentile of round trips.", lambda c: c.round_trip_p99_s),
    ("fetch_queue_records", "Records fetched ahead.", lambda c: c.fetch_queue_records),
    ("fetch_queue_bytes", "Bytes fetched ahead.", lambda c: c.fetch_queue_bytes),
)

_PARTITION_GAUGES: Sequence[tuple[str, str, Callable[[PartitionSnapshot], Number]]] = (
    ("lag_records", "Offsets between what is committed and the partition's end.", _lag),
    (
        "oldest_unstored_age_seconds",
        "Age of the oldest record not stored yet, 0 where all are.",
        lambda p: p.oldest_unstored_s or 0.0,
    ),
    ("open_files", "Files being written.", lambda p: p.open_files),
    ("waiting_files", "Files closed and not stored yet.", lambda p: p.waiting_files),
    ("position_offset", "Next offset to be read.", lambda p: p.position),
    ("frontier_offset", "Next offset that may be committed.", lambda p: p.frontier),
    ("paused", "1 while fetching is paused.", lambda p: int(p.paused)),
)


class SnapshotCollector(Collector):
    """Asks for the tasks at each scrape.

    Args:
        tasks: Every task of this worker, now.
        states: The states a task may be in; each is a series, 1 for the one it is in.
    """

    def __init__(self, tasks: Callable[[], Iterable[TaskMetrics]], *, states: Sequence[str]) -> None:
        self._tasks = tasks
        self._states = tuple(states)
        self._started_s = time.time()

    def collect(self) -> Iterator[Metric]:
        """Give all families. A number that is absent has no sample."""
        tasks = list(self._tasks())
        reporting = [
            ((task.connector, str(task.task_id)), task.snapshot) for task in tasks if task.snapshot is not None
        ]
        yield InfoMetricFamily("streamsink_build", "The running version.", value={"version": __version__})
        yield GaugeMetricFamily("streamsink_start_time_seconds", "When the worker started.", value=self._started_s)
        yield from self._of_processes(tasks)
        yield from _of_snapshots(reporting)
        yield from _of_clients([(labels, snap.client) for labels, snap in reporting if snap.client is not None])
        yield from _of_partitions(reporting)

    def _of_processes(self, tasks: Sequence[TaskMetrics]) -> Iterator[Metric]:
        state = GaugeMetricFamily("streamsink_task_state", "1 for the state a task is in.", labels=(*_TASK, "state"))
        restarts = CounterMetricFamily(
            "streamsink_task_restarts", "Times a task's process was started again.", labels=_TASK
        )
        age = GaugeMetricFamily("streamsink_task_report_age_seconds", "Time since a task last reported.", labels=_TASK)
        for task in tasks:
            labels = (task.connector, str(task.task_id))
            for name in self._states:
                state.add_metric((*labels, name), int(name == task.state))
            restarts.add_metric(labels, task.restarts_total)
            if task.report_age_s is not None:
                age.add_metric(labels, task.report_age_s)
        yield from (state, restarts, age)


_Reporting = Sequence[tuple[tuple[str, str], TaskSnapshot]]


def _of_snapshots(reporting: _Reporting) -> Iterator[Metric]:
    for name, text, read_total in _TASK_TOTALS:
        counter = CounterMetricFamily(f"streamsink_{name}", text, labels=_TASK)
        for labels, snapshot in reporting:
            counter.add_metric(labels, read_total(snapshot))
        yield counter
    for name, text, read in _TASK_GAUGES:
        gauge = GaugeMetricFamily(f"streamsink_{name}", text, labels=_TASK)
        for labels, snapshot in reporting:
            if (value := read(snapshot)) is not None:
                gauge.add_metric(labels, value)
        yield gauge
    yield from _histograms(reporting)
    yield _by("rotations", "Files closed, by reason.", "reason", ((at, each.rotations) for at, each in reporting))
    yield _by("failures", "What went wrong, by kind.", "kind", ((at, each.failures) for at, each in reporting))


def _histograms(reporting: _Reporting) -> Iterator[Metric]:
    for name, text, read_durations in _TASK_DURATIONS:
        histogram = HistogramMetricFamily(f"streamsink_{name}", text, labels=_TASK)
        for labels, snapshot in reporting:
            durations = read_durations(snapshot)
            histogram.add_metric(labels, durations.buckets(), durations.sum_s)
        yield histogram


def _by(name: str, text: str, label: str, tasks: Iterable[tuple[tuple[str, str], Mapping[str, int]]]) -> Metric:
    counter = CounterMetricFamily(f"streamsink_{name}", text, labels=(*_TASK, label))
    for labels, totals in tasks:
        for key, total in sorted(totals.items()):
            counter.add_metric((*labels, key), total)
    return counter


def _of_clients(clients: Sequence[tuple[tuple[str, str], ClientSnapshot]]) -> Iterator[Metric]:
    for name, text, read_total in _CLIENT_TOTALS:
        counter = CounterMetricFamily(f"streamsink_client_{name}", text, labels=_TASK)
        for labels, client in clients:
            counter.add_metric(labels, read_total(client))
        yield counter
    for name, text, read in _CLIENT_GAUGES:
        gauge = GaugeMetricFamily(f"streamsink_client_{name}", text, labels=_TASK)
        for labels, client in clients:
            if (value := read(client)) is not None:
                gauge.add_metric(labels, value)
        yield gauge


def _of_partitions(reporting: _Reporting) -> Iterator[Metric]:
    for name, text, read in _PARTITION_GAUGES:
        gauge = GaugeMetricFamily(f"streamsink_{name}", text, labels=_PARTITION)
        for labels, snapshot in reporting:
            for where, partition in sorted(snapshot.partitions.items()):
                if (value := read(partition)) is not None:
                    gauge.add_metric((*labels, where.topic, str(where.partition)), value)
        yield gauge


def make_registry(tasks: Callable[[], Iterable[TaskMetrics]], *, states: Sequence[str]) -> CollectorRegistry:
    """Make a registry for one worker: its tasks, and its process.

    It is not the global registry, so that two workers can live in one process.

    Args:
        tasks: Gives the latest snapshot of each task; called at each scrape.
        states: Every state that a task may have, so that the ones it isn't in show 0.

    Returns:
        A registry that holds no numbers itself.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(tasks, states=states))
    ProcessCollector(registry=registry)
    return registry
