"""Lines of `streamsink top`, made of two of a worker's answers."""

from streamsink.cli.tables import print_table
from streamsink.cli.top import Reading, TaskLine, summary, table_of, task_lines


def status(*tasks, state="RUNNING", trace=""):
    return {"logs": {"connector": {"state": state, "trace": trace}, "tasks": list(tasks)}}


def task(records, *, number=0, **about):
    progress = {"records_total": records, "lag_records": 12, "memory_bytes": 3 << 20, "objects_stored_total": 4}
    return {"id": number, "state": "RUNNING", "progress": {**progress, **about}}


def test_rates_are_counted_between_two_readings():
    before, now = Reading(10.0, status(task(1000))), Reading(12.0, status(task(5000, next_close_ms=1500)))
    assert task_lines(now, before) == [TaskLine("logs-0", "RUNNING", 2000.0, 12, 3 << 20, 4, 1.5)]


def test_a_task_that_has_started_anew_has_no_rate_yet():
    before, now = Reading(10.0, status(task(5000))), Reading(12.0, status(task(30)))
    assert [line.records_per_s for line in task_lines(now, before)] == [None]
    assert [line.records_per_s for line in task_lines(now, None)] == [None]


def test_a_connector_is_told_of_where_something_is_wrong_with_it_or_it_has_no_task():
    paused = task_lines(Reading(1.0, status(state="PAUSED")), None)
    assert paused == [TaskLine("logs", "PAUSED")]
    failed = task_lines(Reading(1.0, status(task(1), state="FAILED", trace="no such bucket\n  at line 1")), None)
    assert [line.reason for line in failed] == ["no such bucket", ""]


def test_numbers_are_told_for_people_and_summed(capsys):
    before, now = Reading(10.0, status(task(1000))), Reading(11.0, status(task(1_001_000, next_close_ms=575_000)))
    lines = task_lines(now, before)
    print_table(table_of(lines), columns=200)
    said = capsys.readouterr().out
    for words in ("1,000,000", "3.0 MiB", "9 min 35 s"):
        assert words in said
    assert summary(lines, "http://w") == "http://w  1 running, 0 failed, 1,000,000 records/s, 12 records behind"
