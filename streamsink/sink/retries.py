"""How long to wait before something is tried again, and when that has gone on for too long. Pure."""

from __future__ import annotations

from streamsink.errors import TransientError
from streamsink.sink.effects import Fail, Retrying

FIRST_DELAY_S = 0.5


class Retries:
    """Backoff, and the length of the present outage.

    Args:
        delay_s_max: The longest wait, before its spread.
        limit_s: How long an outage may last.
    """

    def __init__(self, *, delay_s_max: float, limit_s: float) -> None:
        self._delay_s_max = delay_s_max
        self._limit_s = limit_s
        self._since_s: float | None = None

    def delay_s(self, attempts: int, seed: int) -> float:
        """Exponential from half a second, with a spread that follows from the seed: the machine throws no dice."""
        spread = 0.5 + (seed * 2654435761 % 1000) / 1000
        return min(FIRST_DELAY_S * 2.0 ** min(attempts - 1, 16), self._delay_s_max) * spread

    def succeeded(self) -> None:
        """The outage is over."""
        self._since_s = None

    def failed(self, what: str, error: Exception, delay_s: float, now: float) -> Retrying | Fail | None:
        """What an attempt's failure means: a line where an outage begins, the end where it has lasted too long."""
        if self._since_s is None:
            self._since_s = now
            return Retrying(what, error, delay_s)
        if now - self._since_s > self._limit_s:
            return Fail(TransientError(f"the {what} has failed for {self._limit_s / 60:.0f} minutes: {error}"))
        return None
