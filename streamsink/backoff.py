"""Computes how long to wait before another try. Pure: callers bring the time and the randomness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

DOUBLED_MAX = 32
RETRY_AFTER_MAX_S = 60.0
"""A server may ask for any wait. A longer one than this is cut, so that a wrong header can't stop a task for a day."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A row of waits: each twice the one before, up to a longest one, less a random share.

    Attributes:
        first_s: The first wait, before its share is taken off.
        max_s: The longest wait.
        spread: The share of a wait that jitter may take off, from 0 to 1.
    """

    first_s: float
    max_s: float
    spread: float = 0.5

    def delay_s(self, attempt: int, *, jitter: float, retry_after_s: float | None = None) -> float:
        """The wait after a failed attempt.

        Args:
            attempt: Which attempt of the row has failed, from 1.
            jitter: A random number from 0 to 1; 0 gives the whole wait.
            retry_after_s: The wait that the server asked for. The wait is no shorter, but for `RETRY_AFTER_MAX_S`.

        Returns:
            Seconds.
        """
        assert attempt >= 1
        assert 0.0 <= jitter <= 1.0
        full_s = min(self.max_s, self.first_s * 2.0 ** min(attempt - 1, DOUBLED_MAX))
        delay_s = full_s * (1.0 - self.spread * jitter)
        return max(delay_s, min(retry_after_s or 0.0, RETRY_AFTER_MAX_S))


def read_retry_after(header: str | None, *, now_unix_s: float) -> float | None:
    """The wait that an HTTP `Retry-After` header asks for, as a number of seconds or a date.

    Args:
        header: The header's value, None where there is none.
        now_unix_s: The time, for a date.

    Returns:
        Seconds, at least 0; None where there is no header, or none that can be read.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_unix_s)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
