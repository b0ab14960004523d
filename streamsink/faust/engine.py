"""The sink's task on a thread of its own, as the worker runs it, fed by a Faust app. Decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamsink.config.sink import SinkConfig
from streamsink.errors import TerminalError
from streamsink.faust.consumer import HeldConsumer
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.sink.build import build_task
from streamsink.upload.open import open_store


class Engine:
    """One thread: opens the store, runs the task until it is stopped or fails.

    Args:
        config: The task's configuration.
        consumer: What feeds it.
        ended: Called on the thread with the error that ended it, or None.
    """

    def __init__(
        self, config: SinkConfig, consumer: HeldConsumer, ended: Callable[[BaseException | None], None]
    ) -> None:
        self.config = config
        self.snapshot: TaskSnapshot | None = None
        self._consumer = consumer
        self._ended = ended
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamsink-archive", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Drain and end; whether it has ended in time. Blocks."""
        self._stop.set()
        self._consumer.wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._run_task()
        except BaseException as error:  # noqa: BLE001 - a thread's exception must reach the app, whatever it is
            self._ended(error)
        else:
            self._ended(None if self._stop.is_set() else TerminalError("the archive's task ended by itself"))

    def _run_task(self) -> None:
        store = open_store(self.config.archive_url, self.config.archive_options)
        try:
            task = build_task(self.config, 0, store, results=True)
            self._consumer.listener = task
            task.consumer = self._consumer
            try:
                task.run(self._stop, self._report)
            finally:
                task.close()
        finally:
            store.close()

    def _report(self, snapshot: TaskSnapshot) -> None:
        self.snapshot = snapshot
