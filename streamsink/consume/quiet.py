"""Thins librdkafka's log to one line of a kind a minute; it has one every 50 ms while a broker is away."""

from __future__ import annotations

import logging
import re
import time

REPEAT_S = 60.0
KINDS_MAX = 1000


class OncePerMinute(logging.Filter):
    """Passes a line, and drops lines that differ from it in numbers only for the next minute."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is news."""
        kind = re.sub(r"\d+", "#", record.getMessage())
        now_s = time.monotonic()
        if now_s - self._passed_at_s.get(kind, -REPEAT_S) < REPEAT_S:
            return False
        if len(self._passed_at_s) >= KINDS_MAX:
            self._passed_at_s.clear()
        self._passed_at_s[kind] = now_s
        return True


def librdkafka_log() -> logging.Logger:
    """The logger to hand to librdkafka's clients."""
    logger = logging.getLogger("streamsink.librdkafka")
    if not any(isinstance(known, OncePerMinute) for known in logger.filters):
        logger.addFilter(OncePerMinute())
    return logger
