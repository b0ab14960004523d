"""A real `streamsink worker` in a separate process group, and what tests ask of it over REST."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.servers.process import WATCHDOG, free_port


class WorkerServer:
    """One worker with a folder of connectors."""

    def __init__(self, folder: Path, bootstrap: str, **keys: str) -> None:
        self.folder = folder
        self.connectors = folder / "connectors.d"
        self.connectors.mkdir(parents=True, exist_ok=True)
        self.bootstrap = bootstrap
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = folder / "worker.log"
        self.keys = keys
        self.config_name = "worker.yaml"
        self._process: subprocess.Popen | None = None

    def connector(self, name: str, config: Mapping[str, str]) -> Path:
        """Write a connector's file."""
        path = self.connectors / f"{name}.json"
        path.write_text(json.dumps({"connector.class": "streamsink.ArchiveSink", **config}))
        return path

    def start(self, **environ: str) -> "WorkerServer":
        """Start it; `environ` adds to the environment."""
        config = self.folder / self.config_name
        lines = {"bootstrap.servers": self.bootstrap, "listeners": self.url, **self.keys}
        between = "=" if config.suffix == ".properties" else ": "
        config.write_text("".join(f"{key}{between}{value}\n" for key, value in lines.items()))
        argv = [sys.executable, "-m", "streamsink", "worker", "--config", str(config)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", WATCHDOG, *argv, "--connectors", str(self.connectors)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ},
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        """Of the watchdog that the worker descends from."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the whole group, as a power cut would."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wait(20)

    def signal(self, number: int) -> None:
        """To the whole group."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def terminate(self, *, timeout_s: float = 60) -> int:
        """SIGTERM to the worker, and its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._wait(timeout_s)

    def wait_killed(self, *, timeout_s: float) -> bool:
        """Whether it was killed within this time."""
        assert self._process is not None
        try:
            return self._wait(timeout_s) in {-signal.SIGKILL, 128 + signal.SIGKILL}
        except subprocess.TimeoutExpired:
            return False

    def _wait(self, timeout_s: float) -> int:
        assert self._process is not None
        status = self._process.wait(timeout_s)
        self._process.stdin.close()
        return status

    def get(self, path: str) -> object:
        """The JSON of a GET; None where the worker doesn't answer or says 4xx or 5xx."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                body = answer.read()
        except (OSError, urllib.error.URLError):
            return None
        return json.loads(body) if answer.headers.get_content_type() == "application/json" else body.decode()

    def task(self, name: str, number: int = 0) -> dict:
        """A task's status, {} while there is none."""
        status = self.get(f"/connectors/{name}/status") or {}
        return next((task for task in status.get("tasks", []) if task["id"] == number), {})

    def log(self) -> str:
        """All it printed."""
        return self.log_path.read_text(errors="replace")


def wait_until(
    what: str, condition: Callable[[], bool], *, timeout_s: float = 60, worker: WorkerServer | None = None
) -> None:
    """Wait for a condition; fails with the worker's log."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            log = "\n".join(worker.log().splitlines()[-60:]) if worker is not None else ""
            raise AssertionError(f"not within {timeout_s} s: {what}\n{log}")
        time.sleep(0.2)
