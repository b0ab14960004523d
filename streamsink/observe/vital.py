"""Watches threads that a worker can't do without. When one dies, liveness fails with its name. Restarts nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger("streamsink.worker")


class VitalThread:
    """A daemon thread whose death by an exception is kept.

    Args:
        run: What it does. It may return, and may not raise.
        name: The thread's name, which is shown.
        died: Is called in the thread after its death; must not raise.
    """

    def __init__(self, run: Callable[[], object], *, name: str, died: Callable[[], None] = lambda: None) -> None:
        self._run = run
        self._died = died
        self._problem = ""
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    @property
    def problem(self) -> str:
        """Why it died, or ""."""
        return self._problem

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start it; once."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for its end, if it was started."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 (nobody else would hear of it)
            self._problem = f"thread {self._thread.name} has died: {type(error).__name__}: {error}"
            _log.exception("a vital thread has died", thread=self._thread.name, hint="restart the worker")
            self._died()
