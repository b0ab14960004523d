"""Real worker processes, alone or as a cluster, and the faults they may suffer."""

import contextlib
import http.client
import json
import os
import random
import resource
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from streamsink.observe.points import VARIABLE, Point
from tests.servers.group import KEYS
from tests.servers.processes import command, family
from tests.servers.worker import WorkerServer
from tests.storm.harness.plan import Fault, Grouping, Kind
from tests.storm.harness.shim import Shim

READY_S = 25.0
POINT_S = 15.0
STOP_S = 60.0
Sleep = Callable[[float], object]


class StormWorker:
    """One worker. One thread has it suffer; any may ask it."""

    def __init__(self, folder: Path, bootstrap: str, grouping: Grouping, dice: random.Random) -> None:
        folder.mkdir(parents=True)
        keys = {**KEYS, "group.id": "storm"} if grouping is Grouping.DISTRIBUTED else {}
        self.server = WorkerServer(folder, bootstrap, **keys)
        self.sinks: list[str] = []
        self._grouping = grouping
        self._dice = dice
        self._shim = Shim(folder)

    def start(self, **environ: str) -> None:
        """Start it, or start it again."""
        self.server.start(**self._shim.environ, **environ)

    def ask(self, method: str, path: str, body: object = None, *, timeout_s: float = 10) -> tuple[int, object]:
        """Status and JSON; status 0 where it doesn't answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.server.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")
        except (OSError, ValueError, http.client.HTTPException):
            return 0, None

    def tasks(self) -> list[dict]:
        """Tasks of all sinks, as it knows them."""
        found = []
        for sink in self.sinks:
            status, told = self.ask("GET", f"/connectors/{sink}/status", timeout_s=3)
            found += [{**task, "sink": sink} for task in told["tasks"]] if status == 200 else []
        return found

    def task_pids(self) -> list[int]:
        """The processes that its fork server has made."""
        if not self.server.running:
            return []
        forked = [pid for pid in family(self.server.pid) if "multiprocessing.forkserver" in command(pid)]
        return forked[1:]

    def suffer(self, fault: Fault, sleep: Sleep) -> bool:
        """Carry a fault out, and end it; whether it happened."""
        match fault.kind:
            case Kind.KILL_WORKER:
                self.server.kill()
                self._come_back(fault, sleep)
            case Kind.KILL_AT_POINT:
                return self._killed_at(fault, sleep)
            case Kind.RESTART:
                self.server.terminate(timeout_s=STOP_S)
                self._come_back(fault, sleep)
            case Kind.FREEZE_WORKER:
                self.server.signal(signal.SIGSTOP)
                sleep(fault.lasts_s)
                self.server.signal(signal.SIGCONT)
            case Kind.LEAVE:
                self._leave(fault, sleep)
            case Kind.CLOCK:
                self._shim.clock(int(fault.amount))
                sleep(fault.lasts_s)
                self._shim.clock(0)
            case Kind.DISK_FULL:
                self._shim.disk(full=True)
                sleep(fault.lasts_s)
                self._shim.disk(full=False)
            case _:
                return self._tasks_suffer(fault, sleep)
        return True

    def _tasks_suffer(self, fault: Fault, sleep: Sleep) -> bool:
        pids = self.task_pids()
        if not pids:
            return False
        match fault.kind:
            case Kind.KILL_TASK:
                return _signalled(self._dice.choice(pids), signal.SIGKILL)
            case Kind.FREEZE_TASK:
                pid = self._dice.choice(pids)
                stopped = _signalled(pid, signal.SIGSTOP)
                sleep(fault.lasts_s)
                return _signalled(pid, signal.SIGCONT) and stopped
            case Kind.NO_FILES:
                limited = [pid for pid in pids if _limit_files(pid, _files(pid))]
                sleep(fault.lasts_s)
                for pid in limited:
                    _limit_files(pid, None)
                return bool(limited)
        raise AssertionError(fault)

    def _killed_at(self, fault: Fault, sleep: Sleep) -> bool:
        """Start it anew so that it dies at a named point; where it never comes there, it is killed anywhere."""
        self.server.kill()
        self.start(**{VARIABLE: f"{fault.point}:{int(fault.amount)}"})
        if fault.point in {Point.STOPPING, Point.DRAINED}:
            self.wait_working(sleep)
            if self.server.running:
                self.server._process.send_signal(signal.SIGTERM)
        killed = self.server.wait_killed(timeout_s=POINT_S)
        if self.server.running:
            self.server.kill()
        self._come_back(fault, sleep)
        return killed

    def _leave(self, fault: Fault, sleep: Sleep) -> None:
        """Its members leave the groups, and are back; a cluster moves its tasks when one of it restarts them."""
        if self._grouping is Grouping.DISTRIBUTED:
            for sink in self.sinks:
                self.ask("POST", f"/connectors/{sink}/restart?includeTasks=true")
            sleep(fault.lasts_s)
            return
        self.each_sink("pause")
        sleep(fault.lasts_s)
        self.each_sink("resume")

    def each_sink(self, what: str) -> None:
        """Pause, resume or stop all of them; fails when that is not taken."""
        for sink in self.sinks:
            deadline = time.monotonic() + 60
            while self.ask("PUT", f"/connectors/{sink}/{what}")[0] not in {202, 204}:
                assert time.monotonic() < deadline, f"{sink} of {self.server.url} takes no {what}"
                time.sleep(0.2)

    def _come_back(self, fault: Fault, sleep: Sleep) -> None:
        sleep(fault.lasts_s)
        self.start()
        if self._dice.random() < 0.8:
            self.wait_working(sleep)

    def wait_working(self, sleep: Sleep) -> None:
        """Wait, within reason, until one of its tasks runs."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.server.running:
            if any(task["state"] == "RUNNING" for task in self.tasks()):
                return
            sleep(0.3)


def _signalled(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _files(pid: int) -> int:
    """How many descriptors a process has open."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return 0


def _limit_files(pid: int, most: int | None) -> bool:
    """Let a process have so many descriptors at most, or as many as it may."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if most is None else most, hard))
        return True
    return False


def failed_tasks(workers: Iterable[StormWorker]) -> list[tuple[StormWorker, dict]]:
    """Tasks at FAILED, and who says so."""
    return [(worker, task) for worker in workers for task in worker.tasks() if task["state"] == "FAILED"]
