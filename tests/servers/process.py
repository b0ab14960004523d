"""Starts a server as a child that can't outlive the test process."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CACHE = Path(os.environ.get("STREAMSINK_TEST_CACHE", Path.home() / ".cache" / "streamsink"))
"""What tests download and build, outside the tree."""

WATCHDOG = """
import os, signal, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
signal.signal(signal.SIGTERM, lambda *_: server.terminate())
def wait_for_parent():
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=wait_for_parent, daemon=True).start()
os._exit(server.wait() % 256)
"""
"""Holds a pipe from the test process; when that ends, however it ends, the pipe closes and the group is killed."""


class ServerError(AssertionError):
    """A server can't be had; tests fail on it, they never skip."""


PORTS = range(20_000, 32_768)
"""Below those that the system gives to connections: one of theirs may be taken before the server listens on it."""

_given: set[int] = set()
_dice = random.SystemRandom()
"""Test processes beside each other must not try the same ports."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now; another one at each call."""
    for port in _dice.sample(PORTS, 1000):
        with contextlib.suppress(OSError), socket.socket() as probe:
            if port not in _given:
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise ServerError("no port is free")


class ServerProcess:
    """A running server."""

    def __init__(self, name: str, log_path: Path, process: subprocess.Popen) -> None:
        self.name = name
        self.log_path = log_path
        self._process = process

    @classmethod
    def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "ServerProcess":
        """Start it, in a separate process group."""
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", WATCHDOG, *argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )
        return cls(name, log_path, process)

    @property
    def pid(self) -> int:
        """Of the watchdog, which leads the group."""
        return self._process.pid

    def wait_for_port(self, port: int, *, timeout_s: float) -> None:
        """Wait until something listens; fails with the log's tail."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self.name} ended with {self._process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise ServerError(f"{self.name} does not listen on {port} after {timeout_s} s:\n{self.log_tail()}")

    def log_tail(self, lines: int = 40) -> str:
        """The end of what it printed."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._close()

    def stop(self, *, timeout_s: float = 15) -> None:
        """End it in good order, or at once when that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(15)
