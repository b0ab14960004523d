"""Something a task can't do without, while it is away: said once, waited for, given up after a limit."""

from __future__ import annotations

import random
import time

import structlog

from streamsink.errors import TransientError
from streamsink.sink.tally import Tally

DELAY_FIRST_S = 0.3
DOUBLED_MAX = 30

log = structlog.get_logger("streamsink.sink")


class Outage:
    """The outages of one thing, one after the other.

    Args:
        what: Its name in failures and snapshots.
        tally: Is told.
        said: The line in the log when one begins.
        limit_ms: How long one may last; for ever where negative, and never where 0.
        delay_max_ms: How long to wait at most before it is tried again.
    """

    def __init__(self, what: str, tally: Tally, *, said: str, limit_ms: int, delay_max_ms: int = 1000) -> None:
        self._what = what
        self._tally = tally
        self._said = said
        self._limit_ms = limit_ms
        self._delay_max_s = delay_max_ms / 1000
        self._since_s: float | None = None
        self._tries = 0
        self._again_s = 0.0

    @property
    def wait_s(self) -> float:
        """How long it is not to be tried again."""
        return max(0.0, self._again_s - time.monotonic())

    def met(self, error: TransientError) -> None:
        """It is away.

        Raises:
            TransientError: The same, when it has been away for longer than the limit.
        """
        now_s = time.monotonic()
        if self._what not in self._tally.troubles:
            self._tally.failed(self._what)
            log.warning(self._said, error=error.message, hint=error.hint)
        self._tally.troubles[self._what] = str(error)
        if self._since_s is None:
            self._since_s = now_s
        until_s = self._since_s + self._limit_ms / 1000
        if self._limit_ms >= 0 and until_s <= now_s:
            raise error
        delay_s = min(DELAY_FIRST_S * 2.0 ** min(self._tries, DOUBLED_MAX), self._delay_max_s)
        if delay_s == self._delay_max_s:
            delay_s *= random.uniform(0.5, 1.0)  # noqa: S311 - so that tasks don't all ask at once
        self._tries += 1
        self._again_s = now_s + delay_s if self._limit_ms < 0 else min(now_s + delay_s, until_s)

    def answered(self) -> None:
        """It was not away just now: the limit counts anew."""
        self._since_s = None
        self._tries, self._again_s = 0, 0.0

    def over(self) -> None:
        """It is of use again."""
        self.answered()
        self._tally.troubles.pop(self._what, None)
