"""Starts one task's process and reads its end of the pipe. Decides nothing about restarts."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from streamsink.worker.child import FlushOrder, LevelOrder, Order, TaskSpec, run_child
from streamsink.worker.fork_server import PROCESSES, context

REAP_S = 5.0


class TaskProcess:
    """A task's running process. One thread owns it; `order` may come from any."""

    def __init__(self, spec: TaskSpec) -> None:
        made = context()
        self._connection, theirs = made.Pipe(duplex=True)
        self._process = made.Process(target=run_child, args=(theirs, spec), name=f"task-{spec}", daemon=True)
        self._sending = threading.Lock()
        try:
            with PROCESSES:
                self._process.start()
        finally:
            theirs.close()
        self.pid = self._process.pid or 0

    @property
    def connection(self) -> Connection:
        """The worker's end of the pipe: readable when the child tells something or has ended."""
        return self._connection

    def order(self, order: Order | FlushOrder | LevelOrder) -> None:
        """Tell it what to do. A process that is gone already needs no order."""
        with self._sending, suppress(OSError):
            self._connection.send(order)

    def kill(self) -> None:
        """End it at once. Only while the pipe is open: the process exists then, and its pid is its own."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    def reap(self) -> int | None:
        """Let go of the pipe and wait, bounded, for the exit status: negative for a signal, None if unknown."""
        with self._sending:
            self._connection.close()
        deadline = time.monotonic() + REAP_S
        while (code := self._poll()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if code is None:
            self._process.kill()
            self._process.join(REAP_S)
            code = self._poll()
        if code is not None:
            self._process.close()
        return code

    def _poll(self) -> int | None:
        with PROCESSES:
            self._process.join(0)
            return self._process.exitcode
