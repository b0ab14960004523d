"""Turns signals into an event, safely where signals come in a burst. Stops nothing itself.

A handler runs between two steps of the main thread, perhaps inside another handler. `Event.set` takes a lock that is
not reentrant, so two signals in a row could hold the main thread for good: handlers put a number into a queue that may
be written to at any time, and a thread sets the event.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType

Handler = Callable[[int], None]
End = Callable[[], None]


def set_on_signal(event: threading.Event, numbers: Iterable[int], *, again: Handler | None = None) -> End:
    """Set `event` when one of these signals comes. To be called on the main thread.

    Args:
        event: What the signals set.
        numbers: The signals.
        again: Called, inside the handler, with each signal that comes after the first one of the same number. It must
            take no lock.

    Returns:
        Gives the signals back to their handlers of before; to be called on the main thread too.
    """
    told: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    met: set[int] = set()

    def handle(number: int, _frame: FrameType | None) -> None:
        if number in met and again is not None:
            again(number)
        met.add(number)
        told.put(number)

    def follow() -> None:
        if told.get() is not None:
            event.set()

    before = {number: signal.signal(number, handle) for number in numbers}

    def end() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        told.put(None)

    threading.Thread(target=follow, name="follow-signals", daemon=True).start()
    return end
