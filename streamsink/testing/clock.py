"""Time for simulations: it moves when told to, and never by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable


class SimClock:
    """Both clocks under the simulation's control; see `streamsink.clock.Clock`.

    Args:
        wall_s: What the wall clock shows at first.
    """

    def __init__(self, wall_s: float = 1_700_000_000.0) -> None:
        self._monotonic_s = 1_000.0
        self._wall_ahead_s = wall_s - self._monotonic_s
        self.waiting: Callable[[float], None] = self.advance
        """What happens while somebody waits that many seconds: by default time passes."""

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return self._monotonic_s

    def wall_s(self) -> float:
        """See `Clock.wall_s`."""
        return self._monotonic_s + self._wall_ahead_s

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:  # noqa: ARG002 - nobody runs beside us
        """See `Clock.wait`."""
        if seconds > 0:
            self.waiting(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time runs forward"
        self._monotonic_s += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back where negative."""
        self._wall_ahead_s += seconds
