from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.unit.worker.conftest import Journal, eventually


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


class Worker:
    """A worker's process, in its own session."""

    def __init__(self, folder, journal, log):
        command = [
            *(sys.executable, "-m", "tests.integration.worker_of_targets"),
            *(str(folder), str(journal.path), "http://127.0.0.1:0"),
        ]
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(command, start_new_session=True, stdout=out, stderr=out)

    def url(self):
        (url,) = eventually(lambda: re.findall(r"http://127\.0\.0\.1:[1-9]\d*", self.log.read_text()), within_s=30)
        return url

    def kill_all(self):
        for _ in range(2):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
        self.process.wait(10)


@pytest.fixture
def start_worker(tmp_path, journal):
    """Starts a worker with one connector, and waits until its tasks have started."""
    started = []

    def start(run, **config):
        folder = tmp_path / "connectors.d"
        folder.mkdir()
        (folder / "orders.json").write_text(json.dumps({"run": run, **config}))
        worker = Worker(folder, journal, tmp_path / "log")
        started.append(worker)
        eventually(lambda: len(journal.pids("started")) == int(config.get("tasks.max", 1)), within_s=30)
        time.sleep(0.5)
        return worker

    yield start
    for worker in started:
        worker.kill_all()


def gone(pid):
    """Whether the process has ended; the process that inherits an orphan may take its time to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_task_whose_worker_was_killed_drains_and_ends(start_worker, journal):
    start_worker("runs_until_stopped").process.kill()
    (pid,) = journal.pids("started")
    eventually(lambda: gone(pid), within_s=5)
    assert journal.words() == ["started", "drained"]


def test_a_task_that_will_not_drain_ends_within_10_seconds_of_its_workers_death(start_worker, journal):
    start_worker("reports_and_never_stops").process.kill()
    (pid,) = journal.pids("started")
    eventually(lambda: gone(pid), within_s=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_task_and_the_worker_exits_with_0(start_worker, journal, number):
    worker = start_worker("drains_slowly", **{"tasks.max": "2"})
    worker.process.send_signal(number)
    assert worker.process.wait(10) == 0
    assert sorted(journal.words()) == ["drained"] * 2 + ["started"] * 2


def test_a_signal_to_the_whole_process_group_drains_as_well(start_worker, journal):
    worker = start_worker("drains_slowly")
    os.killpg(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(10) == 0
    assert journal.words() == ["started", "drained"]


def test_a_second_interrupt_ends_the_worker_at_once(start_worker):
    worker = start_worker("reports_and_never_stops")
    worker.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert worker.process.poll() is None
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.wait(2) == 130


def _status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_worker_that_drains_is_not_ready_but_live(start_worker):
    worker = start_worker("drains_slowly", drain_s="3")
    url = worker.url()
    with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as response:
        assert response.status == 200
    worker.process.send_signal(signal.SIGTERM)
    eventually(lambda: _status(f"{url}/health/ready") == 503, within_s=3)
    with urllib.request.urlopen(f"{url}/health/live", timeout=5) as response:
        assert response.status == 200
    assert worker.process.wait(10) == 0


def test_a_worker_without_a_broker_has_no_cluster_id_and_answers_within_a_bound(start_worker):
    url = start_worker("runs_until_stopped").url()
    asked_at = time.monotonic()
    with urllib.request.urlopen(url, timeout=10) as response:
        assert json.load(response)["kafka_cluster_id"] is None
    assert time.monotonic() - asked_at < 4
