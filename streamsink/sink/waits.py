"""Computes how long a turn of the task may wait for records, and for an ended upload. Pure.

A poll can't be interrupted. So it is short while files wait in line for their upload, and where memory is full, so that
no records can come, the task waits for the next upload to end instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.sink.core.machine import SinkMachine

POLL_S = 0.1
"""How long a poll may wait for records: an ended upload waits as long where no file waits in line."""

LINE_POLL_S = 0.01
"""How long a poll may wait while files wait in line: long enough to gather records into slices."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long one turn may wait for records, then for an ended upload, in seconds."""

    records_s: float
    upload_s: float = 0.0


def waits(machine: SinkMachine, now: float) -> Waits:
    """Compute the waits of one turn from the machine's state.

    Args:
        machine: The task's.
        now: Monotonic time in seconds.
    """
    deadline = machine.next_deadline()
    left_s = POLL_S if deadline is None else min(POLL_S, max(0.0, deadline - now))
    if machine.paused and machine.uploads.under_way:
        return Waits(0.0, left_s)
    return Waits(min(LINE_POLL_S, left_s) if machine.uploads.waits else left_s)
