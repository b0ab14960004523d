"""Carries orders to a running task: to flush, and to stop. Values and a queue; starts nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlushDone:
    """A flush is answered: `complete` where all that had been read is stored and committed."""

    flush_id: int
    complete: bool


class TaskOrders(threading.Event):
    """Set when the task is to stop; beside that, the flushes it is asked for. Any thread may order.

    Args:
        answer: Called, on the task's thread, with each flush that is done.
    """

    def __init__(self, answer: Callable[[FlushDone], None]) -> None:
        super().__init__()
        self.answer = answer
        self._flushes: queue.SimpleQueue[int] = queue.SimpleQueue()

    def flush(self, flush_id: int) -> None:
        """Ask for everything read so far to be stored and committed."""
        self._flushes.put(flush_id)

    def flushes(self) -> list[int]:
        """Take the flushes that were asked for since the last call; for the task's thread."""
        taken = []
        while not self._flushes.empty():
            taken.append(self._flushes.get_nowait())
        return taken
