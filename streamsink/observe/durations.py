"""Counts durations in buckets, as Prometheus' histograms do. Reads no clock."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper ends of the buckets, in seconds; one more takes what is longer."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Counts by bucket, none of them including another, and all seconds together."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    def took(self, seconds: float) -> Durations:
        """Give the counts with one more duration."""
        at = bisect_left(BOUNDS_S, seconds)
        return Durations((*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :]), self.sum_s + seconds)

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus' form: upper ends as text, counts including all smaller ones."""
        total = 0.0
        found = []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found
