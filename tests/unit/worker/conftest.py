from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from streamsink.backoff import Backoff
from streamsink.errors import ConfigError, Problem
from streamsink.worker.child import TaskSpec
from streamsink.worker.folder import Definition, FolderWatch
from streamsink.worker.lifecycle import Plan
from streamsink.worker.loggers import LogLevels
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.status import Plugin, TargetState
from streamsink.worker.supervisor import Patience, TaskSupervisor
from tests.unit.worker import targets

QUICK = Backoff(first_s=0.05, max_s=0.4)


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


def read_json_folder(folder, stamps):
    definitions = []
    for path, stamp in stamps.items():
        try:
            config = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            definitions.append(Definition(path.stem, path, stamp, problem=f"{path.name}: {error}"))
        else:
            first = TargetState(config.pop("initial_state")) if "initial_state" in config else None
            name = config.get("name", path.stem)
            definitions.append(Definition(name, path, stamp, config, config, initial_state=first))
    return definitions


class RunningHerder(StandaloneHerder):
    """A herder with its loop in a thread of the test's process."""

    def begin(self):
        self._stopping = threading.Event()
        self._loop = threading.Thread(target=self.run, args=(self._stopping,))
        self._loop.start()
        return self

    def stop(self):
        self._stopping.set()
        self._loop.join(15)
        assert not self._loop.is_alive()

    def pids(self, connector):
        return [task.pid for task in self._roster.known(connector).tasks]


def planner_for(journal):
    def plan(definition):
        tasks = definition.config.get("tasks.max", "1")
        if not tasks.isdecimal():
            raise ConfigError([Problem("tasks.max", f"{tasks!r} is no number")], hint="write a number")
        run = getattr(targets, definition.config["run"])
        config = {**definition.config, "journal": str(journal.path)}
        return Plan("sink", tuple(TaskSpec(definition.name, n, config, {}, run) for n in range(int(tasks))))

    return plan


def supervise_quickly(spec, levels=dict):
    patience = Patience(drain_s=10, wait_s=0.1)
    return TaskSupervisor(spec, worker_id="127.0.0.1:8083", patience=patience, backoff=QUICK, levels=levels)


@pytest.fixture
def make_herder(journal):
    made = []

    def make(folder):
        levels = LogLevels()
        herder = RunningHerder(
            FolderWatch(folder, read_json_folder) if folder else None,
            plan=planner_for(journal),
            supervise=lambda spec: supervise_quickly(spec, levels.told),
            levels=levels,
            worker_id="127.0.0.1:8083",
            plugins=(Plugin("streamsink.ArchiveSink", "sink", "0.1.0"),),
            folder_poll_s=0.1,
        )
        made.append(herder)
        return herder.begin()

    yield make
    for herder in made:
        herder.stop()
