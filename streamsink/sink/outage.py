"""Something a task can't do without, while it is away: said once, waited for, given up after a limit."""

from __future__ import annotations

import time

import structlog

from streamsink.errors import TransientError
from streamsink.sink.tally import Tally

log = structlog.get_logger("streamsink.sink")


class Outage:
    """The outages of one thing, one after the other.

    Args:
        what: Its name in failures and snapshots.
        tally: Is told.
        said: The line in the log when one begins.
        limit_ms: How long one may last; for ever where negative.
    """

    def __init__(self, what: str, tally: Tally, *, said: str, limit_ms: int) -> None:
        self._what = what
        self._tally = tally
        self._said = said
        self._limit_ms = limit_ms
        self._since_s: float | None = None

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
        if 0 <= self._limit_ms < (now_s - self._since_s) * 1000:
            raise error

    def answered(self) -> None:
        """It was not away just now: the limit counts anew."""
        self._since_s = None

    def over(self) -> None:
        """It is of use again."""
        self.answered()
        self._tally.troubles.pop(self._what, None)
