from __future__ import annotations

import time
from pathlib import Path

import pytest

from streamsink.worker.backoff import Backoff
from streamsink.worker.child import TaskSpec
from streamsink.worker.supervisor import Patience, TaskSupervisor

QUICK = Backoff(base_s=0.05, max_s=0.4)


def eventually(condition, *, within_s=15.0):
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return result


class Journal:
    """What the children wrote: one line for each time they started or drained."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def pids(self, word):
        lines = (line.split() for line in self.path.read_text().splitlines())
        return [int(pid) for _task, said, pid in lines if said == word]

    def words(self):
        return [line.split()[1] for line in self.path.read_text().splitlines()]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


@pytest.fixture
def supervise(journal):
    running = []

    def start(run, *, patience=None, backoff=QUICK, **config):
        spec = TaskSpec("orders", 0, {"journal": str(journal.path), **config}, {}, run)
        supervisor = TaskSupervisor(spec, worker_id="127.0.0.1:8083", patience=patience or Patience(), backoff=backoff)
        running.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in running:
        supervisor.close()
    for supervisor in running:
        if supervisor.pid:
            supervisor._process.kill()
        assert supervisor.join(10)
