"""Decides how long to wait before a task's process is started again. Pure but for the jitter it draws."""

from __future__ import annotations

import random
from dataclasses import dataclass

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with jitter: `base_s` doubled for each attempt in a row, at most `max_s`, of which half is random.

    A process that reported for `healthy_s` starts the row anew. The row itself never ends: a broker that is away for
    a day is no reason to give a task up; only the worker's stop, or a changed configuration, ends it.
    """

    base_s: float = 1.0
    max_s: float = 60.0
    healthy_s: float = 60.0

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait before the `attempt`th start in a row, counted from 1."""
        assert attempt >= 1
        full_s = min(self.max_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        return full_s * _RANDOM.uniform(0.5, 1.0)
