from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.worker.conftest import Journal, eventually


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


@pytest.fixture
def kill_worker_of(tmp_path, journal):
    """Starts a worker with one task, waits for the task, kills the worker, and gives the task's pid."""
    started = []

    def kill(run):
        folder = tmp_path / "connectors.d"
        folder.mkdir()
        (folder / "orders.json").write_text(json.dumps({"run": run}))
        command = [sys.executable, "-m", "tests.integration.worker_of_targets", str(folder), str(journal.path)]
        worker = subprocess.Popen(command, start_new_session=True)
        started.append(worker)
        (pid,) = eventually(lambda: journal.pids("started"), within_s=30)
        time.sleep(0.5)
        worker.kill()
        worker.wait(10)
        return pid

    yield kill
    for worker in started:
        worker.kill()
        worker.wait(10)


def gone(pid):
    """Whether the process has ended; whoever inherits an orphan may take its time to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_task_whose_worker_was_killed_drains_and_ends(kill_worker_of, journal):
    pid = kill_worker_of("runs_until_stopped")
    eventually(lambda: gone(pid), within_s=5)
    assert journal.words() == ["started", "drained"]


def test_a_task_that_will_not_drain_ends_within_10_seconds_of_its_workers_death(kill_worker_of):
    pid = kill_worker_of("reports_and_never_stops")
    eventually(lambda: gone(pid), within_s=10)
