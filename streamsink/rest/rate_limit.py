"""Bounds how often each address may ask, by a token bucket each. Pure: callers bring the time."""

from __future__ import annotations

from collections import OrderedDict

ADDRESSES_MAX = 10_000


class RateLimit:
    """A bucket as deep as a second's worth of requests, filled as fast. A refused request takes nothing out.

    Args:
        per_second: Requests a second that one address may make.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = float(per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def ask(self, address: str, *, now_s: float) -> float:
        """Take one request out of an address's bucket.

        Args:
            address: Who asks.
            now_s: The monotonic time.

        Returns:
            0.0 where it is allowed, else the seconds until the next one is.
        """
        left, at_s = self._buckets.get(address, (self._per_second, now_s))
        left = min(self._per_second, left + (now_s - at_s) * self._per_second)
        # Sums of thirds and tenths miss a whole by a little.
        if left < 1.0 - 1e-9:
            return (1.0 - left) / self._per_second
        self._buckets[address] = (left - 1.0, now_s)
        self._buckets.move_to_end(address)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return 0.0
