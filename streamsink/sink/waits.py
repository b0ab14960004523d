"""Computes how long a turn of the task may wait for records, and for an ended upload. Pure.

A poll can't be interrupted. So it is short while files wait in line for their upload, and where memory is full, so that
no records can come, the task waits for the next upload to end instead. It is long where records trickle in from many
partitions, since a slice of one record costs as much as one of fifty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamsink.record import RawSlice
from streamsink.sink.core.machine import SinkMachine

POLL_S = 0.1
"""How long a poll may wait for records: an ended upload waits as long where no file waits in line."""

LINE_POLL_S = 0.01
"""How long a poll may wait while files wait in line: long enough to gather records into slices."""

TRICKLE_POLL_S = 0.5
"""How long a poll may wait after one of many small slices: an order to stop or to flush waits as long."""

TRICKLE_SLICES = 16
"""From so many slices a poll their number is worth the wait."""

TRICKLE_RECORDS = 16
"""Slices of fewer records on average are small."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long one turn may wait for records, then for an ended upload, in seconds."""

    records_s: float
    upload_s: float = 0.0


class Pace:
    """How long each turn waits.

    Args:
        machine: The task's.
    """

    def __init__(self, machine: SinkMachine) -> None:
        self._machine = machine
        self._poll_s = POLL_S

    def polled(self, slices: Sequence[RawSlice]) -> None:
        """Take note of a poll's slices."""
        records = sum(slice_.rows.num_rows for slice_ in slices)
        trickles = len(slices) >= TRICKLE_SLICES and records < TRICKLE_RECORDS * len(slices)
        self._poll_s = TRICKLE_POLL_S if trickles else POLL_S

    def waits(self, now: float) -> Waits:
        """Compute the waits of one turn from the machine's state.

        Args:
            now: Monotonic time in seconds.
        """
        machine, deadline = self._machine, self._machine.next_deadline()
        left_s = self._poll_s if deadline is None else min(self._poll_s, max(0.0, deadline - now))
        if machine.paused and machine.uploads.under_way:
            return Waits(0.0, left_s)
        return Waits(min(LINE_POLL_S, left_s) if machine.uploads.waits else left_s)
