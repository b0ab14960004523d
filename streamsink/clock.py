"""Time and waiting as one value, so that a simulation can take its place. Decides nothing."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets it pass. Deadlines and durations use `monotonic_s`, never `wall_s`."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; they never go back, and setting the machine's clock doesn't change them."""
        ...

    def wall_s(self) -> float:
        """Unix time in seconds, as the machine's clock has it: it may be set back or forward at any moment."""
        ...

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Let time pass.

        Args:
            seconds: How long; nothing where it is not above 0.
            wake: Ends the wait early once it is set.
        """
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return time.monotonic()

    def wall_s(self) -> float:
        """See `Clock.wall_s`."""
        return time.time()

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        """See `Clock.wait`."""
        if seconds <= 0:
            return
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)


SYSTEM_CLOCK = SystemClock()
