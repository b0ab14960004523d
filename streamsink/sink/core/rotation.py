"""Decides when a file closes, and why. Pure: time comes in as numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from streamsink.config.sink import Rotation
from streamsink.java.zones import zone_of

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
    FOLDER = "folder"
    METADATA = "metadata"
    FLUSH = "flush"
    STORED = "stored"
    REVOKED = "revoked"
    STOPPING = "stopping"


def next_schedule_s(now_s: float, interval_ms: int, zone: tzinfo) -> float:
    """The next scheduled rotation after `now_s`, as Unix time in seconds.

    Periods are counted from midnight in `zone` and the last one of a day is cut at the next midnight, as Confluent's
    `rotate.schedule.interval.ms` does.

    Args:
        now_s: Unix time in seconds.
        interval_ms: The period's length.
        zone: The zone whose midnights count.
    """
    local = datetime.fromtimestamp(now_s, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    tomorrow = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    interval_s = interval_ms / 1000
    periods = int((now_s - midnight.timestamp()) // interval_s) + 1
    return min(midnight.timestamp() + periods * interval_s, tomorrow.timestamp())


def age_deadline_s(rotation: Rotation, opened_at_s: float) -> float | None:
    """When a file is as old as files become, by the clock of `opened_at_s`; None where age is no limit.

    Args:
        rotation: The limits.
        opened_at_s: When the file opened, in seconds.
    """
    return None if rotation.age_ms is None else opened_at_s + rotation.age_ms / 1000


def schedule_deadline_s(rotation: Rotation, wall_s: float) -> float | None:
    """When a file closes by schedule, as Unix time in seconds; None without a schedule.

    Args:
        rotation: The limits.
        wall_s: Unix time in seconds when the file opened.
    """
    if rotation.schedule_interval_ms is None:
        return None
    return next_schedule_s(wall_s, rotation.schedule_interval_ms, zone_of(rotation.timezone))


def rows_before_cut(
    rotation: Rotation, *, count: int, base_time_ms: int, times_ms: Int64s | None, rows: int
) -> tuple[int, Reason | None]:
    """Find how many of the next `rows` belong to the open files, and why these close behind them.

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


def rows_before_folder(
    rotation: Rotation, folders: npt.NDArray[np.int64], *, open_folders: Collection[int], last_folder: int
) -> tuple[int, Reason | None]:
    """Find the first of the next rows whose folder closes open files.

    Args:
        rotation: The limits.
        folders: The number of each new row's folder.
        open_folders: The numbers of folders that have a file open.
        last_folder: The folder of the row before, -1 where nothing is open.

    Returns:
        How many rows come before it, and why it closes files. All rows and None where none does.
    """
    take, reason = len(folders), None
    if rotation.on_folder_change:
        before = np.concatenate([[folders[0] if last_folder < 0 else last_folder], folders[:-1]])
        changes = np.flatnonzero(folders != before)
        if changes.size:
            take, reason = int(changes[0]), Reason.FOLDER
    if rotation.files_open_max is not None:
        numbers, firsts = np.unique(folders, return_index=True)
        fresh = sorted(
            int(at) for number, at in zip(numbers.tolist(), firsts, strict=True) if number not in open_folders
        )
        room = max(0, rotation.files_open_max - len(open_folders))
        if len(fresh) > room and fresh[room] < take:
            take, reason = fresh[room], Reason.OPEN_FILES
    return take, reason
