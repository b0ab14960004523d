"""Time for simulations: it moves when told to, and never by itself."""

from __future__ import annotations


class SimClock:
    """Wall-clock seconds under the simulation's control."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time runs forward"
        self.now_s += seconds
