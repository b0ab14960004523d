from __future__ import annotations

import os
import signal
import time

import pytest

from streamsink.backoff import Backoff
from streamsink.worker.status import State
from streamsink.worker.supervisor import Patience
from tests.unit.worker import targets
from tests.unit.worker.conftest import eventually


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_task_is_unassigned_until_its_process_reports_and_running_then(supervise):
    task = supervise(targets.runs_until_stopped)
    assert task.status().state is State.UNASSIGNED
    assert task.status().report_age_s is None
    eventually(lambda: task.status().state is State.RUNNING)
    status = task.status()
    assert status.snapshot.records_total == 7
    assert status.report_age_s < 5
    assert status.trace == ""


def test_a_closed_task_drains_and_its_process_ends(supervise, journal):
    task = supervise(targets.runs_until_stopped)
    eventually(lambda: task.status().state is State.RUNNING)
    pid = task.pid
    task.close()
    assert task.join(10)
    assert journal.words() == ["started", "drained"]
    assert task.status().state is State.STOPPED
    assert gone(pid)


def test_a_task_closed_before_its_process_has_started_ends_too(supervise):
    task = supervise(targets.runs_until_stopped)
    task.close()
    assert task.join(15)
    assert task.pid is None


def test_a_task_killed_from_outside_is_started_again(supervise, journal):
    task = supervise(targets.runs_until_stopped)
    eventually(lambda: task.status().state is State.RUNNING)
    first = task.pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(journal.pids("started")) == 2 and task.status().state is State.RUNNING)
    assert task.pid != first
    assert task.status().restarts_total == 1
    assert task.status().trace == ""


def test_a_task_that_crashes_shows_the_signal_while_it_waits_to_restart(supervise):
    task = supervise(targets.kills_itself, backoff=Backoff(first_s=30, max_s=60))
    eventually(lambda: task.status().state is State.RESTARTING)
    assert "SIGKILL" in task.status().trace
    assert "memory" in task.status().trace


def test_a_crash_loop_backs_off(supervise, journal):
    supervise(targets.kills_itself, backoff=Backoff(first_s=0.2, max_s=60))
    eventually(lambda: len(journal.pids("started")) >= 2)
    time.sleep(2.0)
    assert 3 <= len(journal.pids("started")) <= 6


def test_closing_ends_a_wait_for_restart_at_once(supervise):
    task = supervise(targets.kills_itself, backoff=Backoff(first_s=60, max_s=60))
    eventually(lambda: task.status().state is State.RESTARTING)
    task.close()
    assert task.join(2)


def test_a_transient_end_is_restarted_and_recovers(supervise):
    task = supervise(targets.fails_transiently_once)
    eventually(lambda: task.status().state is State.RUNNING)
    assert task.status().restarts_total == 1


def test_a_transient_end_shows_its_reason_and_hint_while_it_waits(supervise):
    task = supervise(targets.fails_transiently, backoff=Backoff(first_s=30, max_s=60))
    eventually(lambda: task.status().state is State.RESTARTING)
    assert "the broker is away (check bootstrap.servers)" in task.status().trace


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (targets.fails_terminally, "TerminalError: the bucket is missing (create it)"),
        (targets.fails_on_configuration, "ConfigError: flush.size: must be a number (see the README)"),
        (targets.fails_on_a_bug, "AssertionError: frontier went back"),
    ],
)
def test_a_terminal_end_fails_the_task_with_its_trace_and_stays(supervise, journal, run, words):
    task = supervise(run)
    eventually(lambda: task.status().state is State.FAILED)
    trace = task.status().trace
    assert trace.splitlines()[0] == words
    assert "targets.py" in trace
    time.sleep(0.5)
    assert journal.words() == ["started"]
    task.close()
    assert task.status().state is State.FAILED


def test_a_task_that_returns_unasked_is_started_again(supervise, journal):
    supervise(targets.returns_at_once)
    eventually(lambda: len(journal.pids("started")) >= 2)


def test_a_process_that_exits_without_a_word_is_started_again_with_its_exit_status_as_trace(supervise):
    task = supervise(targets.exits_without_a_word, backoff=Backoff(first_s=30, max_s=60))
    eventually(lambda: task.status().state is State.RESTARTING)
    assert "exit status 3" in task.status().trace


def test_a_task_that_does_not_drain_in_time_is_killed(supervise):
    task = supervise(targets.reports_and_never_stops, patience=Patience(drain_s=0.5, wait_s=0.1))
    eventually(lambda: task.status().state is State.RUNNING)
    pid = task.pid
    task.close()
    assert task.join(5)
    assert gone(pid)


def test_a_task_that_falls_silent_is_killed_and_started_again(supervise, journal):
    task = supervise(targets.hangs_in_silence, patience=Patience(silence_s=0.5, wait_s=0.1))
    eventually(lambda: len(journal.pids("started")) >= 2)
    assert task.status().restarts_total >= 1


def test_a_task_that_retries_stays_running_and_says_what_it_retries(supervise):
    task = supervise(targets.runs_until_stopped, retrying="put to s3: timed out")
    eventually(lambda: task.status().state is State.RUNNING)
    assert task.status().retrying == "put to s3: timed out"


def test_interrupting_a_task_does_nothing_and_terminating_it_drains_it(supervise, journal):
    task = supervise(targets.runs_until_stopped, backoff=Backoff(first_s=30, max_s=60))
    eventually(lambda: task.status().state is State.RUNNING)
    os.kill(task.pid, signal.SIGINT)
    time.sleep(0.3)
    assert journal.words() == ["started"]
    os.kill(task.pid, signal.SIGTERM)
    eventually(lambda: journal.words() == ["started", "drained"])


def test_a_task_that_can_not_tell_how_it_does_ends_with_the_trace(supervise, journal):
    task = supervise(targets.reports_what_cannot_be_sent)
    eventually(lambda: task.status().state is State.FAILED)
    assert "ickl" in task.status().trace
    assert "child.py" in task.status().trace
    assert len(journal.pids("started")) == 1


def test_a_task_that_can_not_understand_its_orders_ends_with_the_trace(supervise, journal):
    task = supervise(targets.runs_until_stopped)
    eventually(lambda: task.status().state is State.RUNNING)
    task._process.connection.send_bytes(b"no order at all")
    eventually(lambda: task.status().state is State.FAILED)
    assert "UnpicklingError" in task.status().trace
    assert len(journal.pids("started")) == 1
