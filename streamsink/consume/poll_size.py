"""Says how many records to poll for, so that they take about `POLL_BYTES`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from streamsink.record import RawSlice

POLL_BYTES = 4 * 1024 * 1024
"""About what one poll gives at most: until their slices are made, records are in memory twice."""
POLL_RECORDS_FIRST = 1000
"""What is asked for while the records' size is unknown."""


class PollSize:
    """The size of the next poll.

    Args:
        records_max: Records one poll gives at most.
    """

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self.records = min(records_max, POLL_RECORDS_FIRST)
        """Records to ask for next; `learn` sets it."""

    def learn(self, slices: Sequence[RawSlice]) -> None:
        """Ask for as many records as `POLL_BYTES` holds of the size that the last ones had."""
        count = sum(slice_.rows.num_rows for slice_ in slices)
        if count:
            mean = sum(slice_.rows.nbytes for slice_ in slices) / count
            self.records = max(1, min(self._records_max, int(POLL_BYTES / mean)))
