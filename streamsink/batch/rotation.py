"""When a file closes, and why. Pure: time comes in as numbers; it may not read a clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from streamsink.config.sink import Rotation

Int64s = Sequence[int] | npt.NDArray[np.int64]
"""Offsets or times beside rows: a list in the simulator, an array in the worker."""


class Reason(StrEnum):
    """Why a file closed; logs, metrics and object metadata use these words."""

    RECORDS = "records"
    BYTES = "bytes"
    AGE = "age"
    INTERVAL = "interval"
    SCHEDULE = "schedule"
    SCHEMA = "schema"
    MEMORY = "memory"
    OPEN_FILES = "open_files"
    METADATA = "metadata"
    FLUSH = "flush"
    REVOKED = "revoked"
    STOPPING = "stopping"


def next_schedule_s(now_s: float, interval_ms: int, zone: ZoneInfo) -> float:
    """The next scheduled rotation after `now_s`.

    Periods are counted from midnight in `zone` and the last one of a day is cut at the next midnight, as Confluent's
    `rotate.schedule.interval.ms` does.
    """
    local = datetime.fromtimestamp(now_s, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    tomorrow = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    interval_s = interval_ms / 1000
    periods = int((now_s - midnight.timestamp()) // interval_s) + 1
    return min(midnight.timestamp() + periods * interval_s, tomorrow.timestamp())


def wall_deadline(rotation: Rotation, opened_at_s: float) -> tuple[float, Reason] | None:
    """When a file opened at `opened_at_s` closes by the wall clock, and for which of the two rules."""
    candidates: list[tuple[float, Reason]] = []
    if rotation.age_ms is not None:
        candidates.append((opened_at_s + rotation.age_ms / 1000, Reason.AGE))
    if rotation.schedule_interval_ms is not None:
        zone = ZoneInfo(rotation.timezone)
        candidates.append((next_schedule_s(opened_at_s, rotation.schedule_interval_ms, zone), Reason.SCHEDULE))
    return min(candidates, default=None)


def rows_before_cut(
    rotation: Rotation, *, count: int, base_time_ms: int, times_ms: Int64s | None, rows: int
) -> tuple[int, Reason | None]:
    """How many of the next `rows` still belong to what is open, and why it closes after them.

    Args:
        rotation: The limits.
        count: Records taken since the last rotation.
        base_time_ms: Record time of the first of them (of the first new row where there is none).
        times_ms: Record times of the new rows, when `rotate.interval.ms` asks for them.
        rows: How many new rows there are.

    Returns:
        The number of rows to take (0 to `rows`), and the reason to close afterwards, or None to leave open.
    """
    take, reason = rows, None
    if rotation.interval_ms is not None and times_ms is not None:
        late_enough = np.flatnonzero(np.asarray(times_ms) >= base_time_ms + rotation.interval_ms)
        if late_enough.size:
            take, reason = int(late_enough[0]), Reason.INTERVAL
    if rotation.flush_size is not None and count + take >= rotation.flush_size:
        take, reason = rotation.flush_size - count, Reason.RECORDS
    return take, reason
