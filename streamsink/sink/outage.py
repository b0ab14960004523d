"""Counts one outage of a service that a task needs: logs its start and end, and fails the task after a limit."""

from __future__ import annotations

import random

import structlog

from streamsink.backoff import Backoff
from streamsink.clock import Clock
from streamsink.errors import TransientError
from streamsink.sink.tally import Tally

DELAY_FIRST_S = 0.3
"""As Kafka Connect's `errors.retry.*` has it."""

log = structlog.get_logger("streamsink.sink")


class Outage:
    """The outages of one thing, one after the other.

    Args:
        what: Its name in failures and snapshots.
        tally: Is told.
        clock: Tells the time.
        said: The line in the log when one begins.
        limit_ms: How long one may last; for ever where negative, and never where 0.
        delay_max_ms: How long to wait at most before it is tried again.
    """

    def __init__(
        self, what: str, tally: Tally, clock: Clock, *, said: str, limit_ms: int, delay_max_ms: int = 1000
    ) -> None:
        self._what = what
        self._tally = tally
        self._clock = clock
        self._said = said
        self._limit_ms = limit_ms
        self._backoff = Backoff(first_s=DELAY_FIRST_S, max_s=delay_max_ms / 1000)
        self._since_s: float | None = None
        self._tries = 0
        self._again_s = 0.0

    @property
    def wait_s(self) -> float:
        """The seconds until the next try."""
        return max(0.0, self._again_s - self._clock.monotonic_s())

    def met(self, error: TransientError) -> None:
        """Note a failure: the dependency is away.

        Raises:
            TransientError: The same, when it has been away for longer than the limit.
        """
        now_s = self._clock.monotonic_s()
        if self._what not in self._tally.troubles:
            self._tally.failed(self._what)
            log.warning(self._said, error=error.message, hint=error.hint)
        self._tally.troubles[self._what] = str(error)
        if self._since_s is None:
            self._since_s = now_s
        until_s = self._since_s + self._limit_ms / 1000
        if self._limit_ms >= 0 and until_s <= now_s:
            raise error
        self._tries += 1
        longest = self._backoff.delay_s(self._tries, jitter=0.0) == self._backoff.max_s
        delay_s = self._backoff.delay_s(
            self._tries,
            jitter=random.random() if longest else 0.0,  # noqa: S311 - so that tasks don't all ask at once
            retry_after_s=error.retry_after_s,
        )
        self._again_s = now_s + delay_s if self._limit_ms < 0 else min(now_s + delay_s, until_s)

    def answered(self) -> None:
        """Note that a try went through: the limit counts anew."""
        self._since_s = None
        self._tries, self._again_s = 0, 0.0

    def over(self) -> None:
        """Note that the dependency is of use again."""
        self.answered()
        self._tally.troubles.pop(self._what, None)
