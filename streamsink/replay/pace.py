"""Computes how many records may be sent by now, at a rate or in their original pace. Pure: time comes in as `now`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamsink.errors import ConfigError, Problem

SLEEP_S_MAX = 0.2
"""Longer sleeps are cut, so that orders to stop are heard."""
BURST_S = 0.05
"""What a rate gives at once."""


class Pace:
    """Says how many of the next records are due.

    Args:
        rate: Records a second, None for no limit.
        speed: How many times the original pace, None for no heed to it.
    """

    def __init__(self, rate: float | None = None, speed: float | None = None) -> None:
        self._rate = rate
        self._speed = speed
        self._began: float | None = None
        self._first_ms: int | None = None
        self._first_s = 0.0
        self._sent = 0

    @property
    def free(self) -> bool:
        """Whether every record is due at once."""
        return self._rate is None and self._speed is None

    def due(self, times_ms: npt.NDArray[np.int64], *, now: float) -> tuple[int, float]:
        """Compute how many of the next records may be sent now.

        Args:
            times_ms: When each was written, never falling, 0 where unknown; not looked at unless there is a speed.
            now: A monotonic clock, in seconds.

        Returns:
            The number, and where it is 0 the seconds to wait before asking again.
        """
        if self._began is None:
            self._began = now
        count, wait_s = len(times_ms), 0.0
        if self._rate is not None:
            # Time not used is not made up for: after a stall the rate is kept as well.
            allowed = (now - self._began) * self._rate - self._sent
            burst = max(1.0, self._rate * BURST_S)
            if allowed > burst:
                self._began = now - (self._sent + burst) / self._rate
                allowed = burst
            count = min(count, int(allowed))
            wait_s = (1 - allowed) / self._rate if not count else 0.0
        if self._speed is not None and count:
            count, wait_s = self._in_pace(times_ms[:count], now)
        return count, min(max(wait_s, 0.001), SLEEP_S_MAX) if not count else 0.0

    def _in_pace(self, times_ms: npt.NDArray[np.int64], now: float) -> tuple[int, float]:
        assert self._speed is not None
        # Records without a time, or before the first that has one, are due at once.
        timeless = int(np.searchsorted(times_ms, 0, side="right"))
        if timeless:
            return timeless, 0.0
        if self._first_ms is None:
            self._first_ms, self._first_s = int(times_ms[0]), now
        reached = self._first_ms + (now - self._first_s) * 1000 * self._speed
        count = int(np.searchsorted(times_ms, reached, side="right"))
        return count, 0.0 if count else (int(times_ms[0]) - reached) / 1000 / self._speed

    def sent(self, count: int) -> None:
        """Tell how many were sent."""
        self._sent += count


def parse_speed(text: str) -> float:
    """`2x`, `2` or `0.5x`.

    Raises:
        ConfigError: It is none.
    """
    try:
        speed = float(text.strip().removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError([Problem("--speed", f"{text!r} is not a factor such as 2x")])
    return speed
