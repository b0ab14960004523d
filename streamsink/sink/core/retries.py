"""Computes the wait before another try, and when trying has gone on for too long. Pure."""

from __future__ import annotations

from enum import StrEnum

from streamsink.backoff import Backoff
from streamsink.errors import TransientError

FIRST_DELAY_S = 0.5


class Dependency(StrEnum):
    """A service that the sink can't do without. Status, metrics and logs use these words."""

    STORE = "store"
    COORDINATOR = "coordinator"
    DEAD_LETTERS = "dead_letters"

    @property
    def words(self) -> str:
        """The dependency's name in a sentence."""
        return {"coordinator": "group coordinator", "dead_letters": "place of dead letters"}.get(self.value, self.value)


class Retries:
    """Backoff for one dependency, and the length of its present outage.

    Args:
        delay_s_max: The longest wait, before its spread.
        limit_s: How long an outage may last.
    """

    def __init__(self, *, delay_s_max: float, limit_s: float) -> None:
        self._backoff = Backoff(first_s=FIRST_DELAY_S, max_s=delay_s_max)
        self._limit_s = limit_s
        self._since_s: float | None = None
        self._failed_at_s = 0.0

    def delay_s(self, attempts: int, seed: int, error: Exception) -> float:
        """The wait after an attempt that failed, in seconds.

        Args:
            attempts: Failed attempts in a row.
            seed: The jitter follows from it, since the machine throws no dice.
            error: The last attempt's; a `TransientError` may say how long to wait at least.
        """
        asked_s = error.retry_after_s if isinstance(error, TransientError) else None
        return self._backoff.delay_s(attempts, jitter=(seed * 2654435761 % 1000) / 1000, retry_after_s=asked_s)

    def succeeded(self) -> bool:
        """Note that the dependency answers, and say whether that ends an outage."""
        was_away, self._since_s = self._since_s is not None, None
        return was_away

    def failed(self, now: float) -> bool:
        """Note a failed attempt, and say whether an outage begins with it.

        Failures further apart than the limit are no outage: nothing was tried in between.
        """
        begins = self._since_s is None or now - self._failed_at_s > self._limit_s
        if begins:
            self._since_s = now
        self._failed_at_s = now
        return begins

    def too_long(self, since_s: float | None, now: float) -> bool:
        """Say whether the outage, or one thing's failing, has lasted longer than the limit.

        Args:
            since_s: Monotonic time in seconds since when this one thing has failed; None where it hasn't.
            now: Monotonic time in seconds.
        """
        return any(began_s is not None and now - began_s > self._limit_s for began_s in (self._since_s, since_s))
