from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streamsink.config.sink import Rotation
from streamsink.sink.core.rotation import (
    Reason,
    age_deadline_s,
    next_schedule_s,
    rows_before_cut,
    schedule_deadline_s,
)

OFF = Rotation(size_bytes=None, age_ms=None)


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def test_without_limits_all_rows_are_taken_and_nothing_closes():
    assert rows_before_cut(OFF, count=5, base_time_ms=0, times_ms=None, rows=100) == (100, None)


def test_flush_size_is_never_exceeded():
    rotation = Rotation(flush_size=10)
    assert rows_before_cut(rotation, count=7, base_time_ms=0, times_ms=None, rows=100) == (3, Reason.RECORDS)
    assert rows_before_cut(rotation, count=7, base_time_ms=0, times_ms=None, rows=3) == (3, Reason.RECORDS)
    assert rows_before_cut(rotation, count=7, base_time_ms=0, times_ms=None, rows=2) == (2, None)


def test_a_record_an_interval_after_the_first_goes_to_the_next_file():
    rotation = Rotation(interval_ms=1000)
    times_ms = [100, 900, 50, 1100, 200]
    assert rows_before_cut(rotation, count=1, base_time_ms=100, times_ms=times_ms, rows=5) == (3, Reason.INTERVAL)
    assert rows_before_cut(rotation, count=1, base_time_ms=101, times_ms=times_ms, rows=5) == (5, None)


def test_the_nearer_of_two_limits_cuts():
    rotation = Rotation(interval_ms=1000, flush_size=2)
    assert rows_before_cut(rotation, count=0, base_time_ms=0, times_ms=[0, 1, 2, 5000], rows=4) == (2, Reason.RECORDS)
    assert rows_before_cut(rotation, count=0, base_time_ms=0, times_ms=[0, 5000, 2, 3], rows=4) == (1, Reason.INTERVAL)


def test_a_file_ages_from_its_opening_and_a_schedule_has_hours_of_its_own():
    opened = at("2026-11-22 10:20:00")
    assert age_deadline_s(Rotation(age_ms=600_000), opened) == opened + 600
    assert schedule_deadline_s(Rotation(schedule_interval_ms=3_600_000), opened) == at("2026-11-22 11:00:00")
    assert age_deadline_s(OFF, opened) is None
    assert schedule_deadline_s(OFF, opened) is None


@pytest.mark.parametrize(
    ("now", "zone", "interval_ms", "wanted"),
    [
        ("2026-11-22 10:20:00", "UTC", 3_600_000, "2026-11-22 11:00:00"),
        ("2026-11-22 11:00:00", "UTC", 3_600_000, "2026-11-22 12:00:00"),
        ("2026-11-22 23:30:00", "UTC", 7 * 3_600_000, "2026-11-23 00:00:00"),
        ("2026-11-22 10:20:00", "Asia/Kolkata", 3_600_000, "2026-11-22 11:00:00"),
        ("2026-03-29 01:30:00", "Europe/Berlin", 86_400_000, "2026-03-30 00:00:00"),
        ("2026-10-25 01:30:00", "Europe/Berlin", 86_400_000, "2026-10-25 23:00:00"),
    ],
)
def test_schedules_count_from_midnight_in_their_zone_and_end_at_the_next(now, zone, interval_ms, wanted):
    assert next_schedule_s(at(now, zone), interval_ms, ZoneInfo(zone)) == at(wanted, zone)
