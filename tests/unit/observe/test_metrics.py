from __future__ import annotations

from prometheus_client import generate_latest

from streamsink.observe.durations import Durations
from streamsink.observe.metrics import TaskMetrics, make_registry
from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.record import TopicPartition


def scrape(*tasks):
    text = generate_latest(make_registry(lambda: tasks, states=["RUNNING", "FAILED"])).decode()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def partition(**changes):
    values = {
        "position": 90,
        "frontier": 80,
        "committed": 70,
        "end": 100,
        "open_files": 2,
        "waiting_files": 1,
        "paused": False,
        "oldest_unstored_s": 1.5,
    }
    return PartitionSnapshot(**{**values, **changes})


def reporting(partitions=None, **totals):
    snapshot = TaskSnapshot(assigned=True, partitions=partitions or {}, **totals)
    return TaskMetrics("orders", 0, "RUNNING", 3, 0.5, snapshot)


def test_totals_are_counters_by_connector_and_task():
    samples = scrape(reporting(records_total=5, bytes_stored_total=7, objects_adopted_total=1, rotations={"age": 4}))
    task = '{connector="orders",task="0"}'
    assert samples[f"streamsink_records_total{task}"] == 5
    assert samples[f"streamsink_bytes_stored_total{task}"] == 7
    assert samples[f"streamsink_objects_adopted_total{task}"] == 1
    assert samples[f"streamsink_task_restarts_total{task}"] == 3
    assert samples['streamsink_rotations_total{connector="orders",reason="age",task="0"}'] == 4


def test_lag_counts_from_the_committed_offset_or_the_frontier_where_none_is():
    where = 'connector="orders",partition="1",task="0",topic="t"'
    key = f"streamsink_lag_records{{{where}}}"
    assert scrape(reporting({TopicPartition("t", 1): partition()}))[key] == 30
    assert scrape(reporting({TopicPartition("t", 1): partition(committed=None)}))[key] == 20
    assert key not in scrape(reporting({TopicPartition("t", 1): partition(end=None)}))
    assert scrape(reporting({TopicPartition("t", 1): partition(end=10)}))[key] == 0


def test_a_partition_with_nothing_unstored_has_age_zero():
    samples = scrape(reporting({TopicPartition("t", 1): partition(oldest_unstored_s=None)}))
    (age,) = [value for name, value in samples.items() if name.startswith("streamsink_oldest_unstored_age_seconds")]
    assert age == 0


def test_a_task_that_does_not_report_has_a_state_and_nothing_else():
    samples = scrape(TaskMetrics("orders", 1, "FAILED", 0, None, None))
    assert samples['streamsink_task_state{connector="orders",state="FAILED",task="1"}'] == 1
    assert samples['streamsink_task_state{connector="orders",state="RUNNING",task="1"}'] == 0
    assert not [name for name in samples if name.startswith("streamsink_records_total")]


def test_durations_are_histograms_that_add_up():
    uploads = Durations().took(0.02).took(0.02).took(1000.0)
    samples = scrape(reporting(uploads=uploads))
    task = 'connector="orders"'
    assert samples[f'streamsink_upload_duration_seconds_bucket{{{task},le="0.01",task="0"}}'] == 0
    assert samples[f'streamsink_upload_duration_seconds_bucket{{{task},le="0.025",task="0"}}'] == 2
    assert samples[f'streamsink_upload_duration_seconds_bucket{{{task},le="+Inf",task="0"}}'] == 3
    assert samples[f'streamsink_upload_duration_seconds_count{{{task},task="0"}}'] == 3
    assert samples[f'streamsink_upload_duration_seconds_sum{{{task},task="0"}}'] == 1000.04


def test_failures_count_by_kind():
    samples = scrape(reporting(failures={"store": 2, "commit": 1}))
    assert samples['streamsink_failures_total{connector="orders",kind="store",task="0"}'] == 2


def test_names_of_topics_are_escaped():
    samples = scrape(reporting({TopicPartition('a"b\\c', 0): partition()}))
    assert any('topic="a\\"b\\\\c"' in name for name in samples)
