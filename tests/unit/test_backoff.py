"""Waits before something is tried again: longer each time, never too long, as long as a server asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.backoff import RETRY_AFTER_MAX_S, Backoff, read_retry_after

NOW_S = 1_700_000_000.0
SOME = Backoff(0.5, 30.0)


def test_each_wait_is_twice_the_one_before_up_to_the_longest():
    assert [SOME.delay_s(attempt, jitter=0.0) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_jitter_takes_off_at_most_its_share(attempt, jitter, spread):
    full_s = SOME.delay_s(attempt, jitter=0.0)
    delay_s = Backoff(0.5, 30.0, spread).delay_s(attempt, jitter=jitter)
    assert full_s * (1 - spread) * 0.999 <= delay_s <= full_s <= 30.0


def test_a_longest_wait_below_the_first_holds_from_the_start():
    assert Backoff(0.5, 0.1).delay_s(1, jitter=0.0) == 0.1


def test_a_server_that_asks_for_more_gets_it_up_to_a_bound():
    assert SOME.delay_s(1, jitter=0.5, retry_after_s=7) == 7
    assert SOME.delay_s(1, jitter=0.0, retry_after_s=0.1) == 0.5
    assert SOME.delay_s(9, jitter=0.0, retry_after_s=1e9) == RETRY_AFTER_MAX_S


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        (format_datetime(datetime.fromtimestamp(NOW_S + 30, UTC), usegmt=True), 30.0),
        (format_datetime(datetime.fromtimestamp(NOW_S - 30, UTC), usegmt=True), 0.0),
        ("Wed, 15 Nov 2023 04:13:50 -0000", 21_630.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_a_header_is_seconds_or_a_date(header, expected):
    assert read_retry_after(header, now_unix_s=NOW_S) == expected


@given(st.text())
def test_no_header_can_do_harm(header):
    found = read_retry_after(header, now_unix_s=NOW_S)
    assert found is None or found >= 0
