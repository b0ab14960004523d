from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.partition.calendar import Zone
from streamsink.partition.pattern import Pattern, PatternError

MOMENT_MS = 1_704_492_306_007  # Friday 2024-01-05 22:05:06.007 UTC


def local(zone: Zone, utc_ms: int) -> int:
    return utc_ms + zone.offset_ms(utc_ms)


def formatted(pattern: str, *, zone: str = "UTC", utc_ms: int = MOMENT_MS) -> str:
    there = Zone(zone)
    return Pattern(pattern).format(there.moment(local(there, utc_ms)))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("YYYY-MM-dd", "2024-01-05"),
        ("yy YY y Y", "24 24 2024 2024"),
        ("M MM MMM MMMM", "1 01 Jan January"),
        ("D DDD", "5 005"),
        ("E EEE EEEE e", "Fri Fri Friday 5"),
        ("x-'W'ww w", "2024-W01 1"),
        ("H HH h hh K KK k a", "22 22 10 10 10 10 22 PM"),
        ("m mm s ss", "5 05 6 06"),
        ("S SS SSS SSSS", "0 00 007 0070"),
        ("G C", "AD 20"),
        ("'it''s' '' 'T'", "it's ' T"),
        ("Z ZZ ZZZ z", "+0000 +00:00 UTC UTC"),
        ("'year'=YYYY/'hour'=HH", "year=2024/hour=22"),
        ("'yyyy'", "yyyy"),
    ],
)
def test_letters_mean_what_joda_says(pattern: str, text: str):
    assert formatted(pattern) == text


def test_offsets_are_told_with_their_sign():
    assert formatted("Z ZZ", zone="America/St_Johns") == "-0330 -03:30"
    assert formatted("Z", zone="+05:45") == "+0545"


@pytest.mark.parametrize("hour", [0, 12])
def test_midnight_and_noon_are_counted_as_clocks_do(hour: int):
    assert formatted("h K k a", utc_ms=hour * 3_600_000) == ("12 0 24 AM" if hour == 0 else "12 0 12 PM")


@pytest.mark.parametrize("pattern", ["b", "YYYY-J", "'open", "HH'"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str):
    with pytest.raises(PatternError):
        Pattern(pattern)


@given(st.datetimes(dt.datetime(1, 1, 4), dt.datetime(9999, 12, 27)))  # noqa: DTZ001
def test_weeks_are_the_iso_weeks(moment: dt.datetime):
    utc_ms = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)  # noqa: DTZ001
    year, week, weekday = moment.isocalendar()
    assert formatted("x w e D", utc_ms=utc_ms) == f"{year} {week} {weekday} {moment.timetuple().tm_yday}"


def test_a_time_the_clocks_skip_comes_out_behind_the_gap():
    skipped = (dt.datetime(2018, 11, 4) - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)  # noqa: DTZ001
    assert Pattern("dd HH").format(Zone("America/Sao_Paulo").moment(skipped)) == "04 01"
