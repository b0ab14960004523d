"""Keeps an outage clock for store, coordinator and dead letters; only a success of the same one sets it back. Pure."""

from __future__ import annotations

from collections.abc import Callable

from streamsink.errors import TransientError
from streamsink.sink.core.effects import Effect, Fail, Recovered, Retrying, Untried
from streamsink.sink.core.retries import Dependency, Retries


class Outages:
    """Says when an outage begins, when it ends, and when it has lasted too long.

    Args:
        delay_s_max: The longest wait before another try, before its spread.
        limit_s: How long an outage may last, and how long one file or one partition's commit may fail beside others
            that succeed.
        emit: Takes the effects.
    """

    def __init__(self, *, delay_s_max: float, limit_s: float, emit: Callable[[Effect], None]) -> None:
        self._limit_s = limit_s
        self._emit = emit
        self._retries = {what: Retries(delay_s_max=delay_s_max, limit_s=limit_s) for what in Dependency}

    def delay_s(self, what: Dependency, attempts: int, seed: int, error: Exception) -> float:
        """How long to wait before another try, in seconds.

        Args:
            what: The dependency that failed.
            attempts: Failed attempts in a row.
            seed: Any number; waits of different seeds spread.
            error: The last attempt's; it may say how long to wait at least.
        """
        return self._retries[what].delay_s(attempts, seed, error)

    def works(self, what: Dependency) -> None:
        """Note that a dependency has answered."""
        if self._retries[what].succeeded():
            self._emit(Recovered(what))

    def released(self, *, partitions_left: int) -> None:
        """A partition is let go of; without any, nothing is tried, so that no success would ever end an outage."""
        for what, retries in self._retries.items():
            if not partitions_left and retries.succeeded():
                self._emit(Untried(what))

    def failed(self, what: Dependency, error: Exception, delay_s: float, *, now: float, since_s: float) -> bool:
        """An attempt has failed.

        Args:
            what: The dependency.
            error: Why.
            delay_s: How long until the next attempt.
            now: Monotonic time.
            since_s: When this file or this commit failed first.

        Returns:
            Whether the task can't go on: it has lasted too long.
        """
        if self._retries[what].failed(now):
            self._emit(Retrying(what, error, delay_s))
        if not self._retries[what].too_long(since_s, now):
            return False
        minutes = self._limit_s / 60
        self._emit(
            Fail(
                TransientError(
                    f"the {what.words} has failed for {minutes:.0f} minutes: {error}",
                    hint="the task starts anew and reads again what is not committed",
                )
            )
        )
        return True
