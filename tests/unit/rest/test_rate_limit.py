"""Requests of an address: as many as allowed get through, however many are refused."""

from __future__ import annotations

import pytest

from streamsink.rest import rate_limit
from streamsink.rest.rate_limit import RateLimit


def allowed(limit, times_s, address="a"):
    return [at_s for at_s in times_s if limit.ask(address, now_s=at_s) == 0]


@pytest.mark.parametrize("asked_per_second", [10, 11, 20, 1000])
def test_who_asks_too_often_gets_what_is_allowed(asked_per_second):
    times_s = [1000 + number / asked_per_second for number in range(asked_per_second * 30)]
    found = allowed(RateLimit(10), times_s)
    by_second = [sum(1000 + second <= at_s < 1001 + second for at_s in found) for second in range(30)]
    assert all(count >= 9 for count in by_second)
    assert sum(by_second) <= 10 * 30 + 10


def test_the_answer_says_when_to_come_again():
    limit = RateLimit(4)
    assert allowed(limit, [0.0] * 5) == [0.0] * 4
    assert limit.ask("a", now_s=0.1) == pytest.approx(0.15)
    assert limit.ask("a", now_s=0.25) == 0
    assert limit.ask("a", now_s=0.25) == pytest.approx(0.25)


def test_addresses_have_buckets_of_their_own_and_their_number_is_bounded(monkeypatch):
    monkeypatch.setattr(rate_limit, "ADDRESSES_MAX", 3)
    limit = RateLimit(1)
    assert [limit.ask(address, now_s=0.0) for address in "abcde"] == [0] * 5
    assert len(limit._buckets) == 3
    assert limit.ask("e", now_s=0.0) > 0
