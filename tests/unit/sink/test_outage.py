"""How long something is waited for, and how often it is tried: Connect's errors.retry.* in their words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.errors import TransientError
from streamsink.sink.outage import Outage
from streamsink.testing.clock import SimClock
from tests.unit.transform.conftest import BASE, WORKER

AWAY = TransientError("away", hint="wait")


def of(limit_ms, delay_max_ms, clock=None):
    tally = SimpleNamespace(troubles={}, failed=lambda what: None)
    return Outage("registry", tally, clock or SimClock(), said="away", limit_ms=limit_ms, delay_max_ms=delay_max_ms)


@pytest.fixture
def clock():
    return SimClock()


def delays(one, clock, count):
    found = []
    for _ in range(count):
        one.met(AWAY)
        found.append(one.wait_s)
        clock.advance(one.wait_s)
    return found


def test_each_wait_is_twice_the_one_before_up_to_the_longest(clock):
    found = delays(of(-1, 2000, clock), clock, 40)
    assert found[:3] == pytest.approx([0.3, 0.6, 1.2])
    assert all(1.0 <= delay <= 2.0 for delay in found[3:])


def test_a_longest_wait_below_the_first_holds_from_the_start(clock):
    assert all(0.05 <= delay <= 0.1 for delay in delays(of(-1, 100, clock), clock, 5))


def test_the_last_try_is_at_the_limit_and_then_it_ends(clock):
    one = of(1000, 60_000, clock)
    assert delays(one, clock, 3) == pytest.approx([0.3, 0.6, 0.1])
    with pytest.raises(TransientError):
        one.met(AWAY)


def test_with_no_time_at_all_the_first_failure_ends_it():
    with pytest.raises(TransientError):
        of(0, 60_000).met(AWAY)


def test_what_answers_is_tried_from_the_start_again(clock):
    one = of(1000, 60_000, clock)
    delays(one, clock, 2)
    one.over()
    assert one.wait_s == 0
    assert delays(one, clock, 2) == pytest.approx([0.3, 0.6])


@pytest.mark.parametrize(("given", "limit_ms"), [({}, None), ({"errors.retry.timeout": "0"}, 0)])
def test_zero_is_not_the_same_as_nothing(given, limit_ms):
    errors = parse_sink(BASE | given, WORKER)[0].errors
    assert (errors.retry_timeout_ms, errors.retry_delay_max_ms) == (limit_ms, 60_000)


def test_who_asks_for_patience_gets_it(clock):
    one = of(-1, 2000)
    one.met(TransientError("busy", retry_after_s=20))
    assert one.wait_s == pytest.approx(20)
    limited = of(5000, 2000)
    limited.met(TransientError("busy", retry_after_s=20))
    assert limited.wait_s == pytest.approx(5)
