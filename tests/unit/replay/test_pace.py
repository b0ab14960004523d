import numpy as np
import pytest

from streamsink.errors import ConfigError
from streamsink.replay.pace import Pace, parse_speed
from streamsink.replay.target import Partitions, Rule, parse_partitions


def run(pace, times_ms, seconds):
    """Sent by each second's end, where the clock goes on as the pace says."""
    times = np.array(times_ms, np.int64)
    now, sent = 0.0, 0
    while now < seconds and sent < len(times):
        count, wait_s = pace.due(times[sent:], now=now)
        pace.sent(count)
        sent += count
        now += wait_s
    return sent


def test_without_limits_all_is_due():
    assert Pace().free
    assert Pace().due(np.zeros(500, np.int64), now=3.0) == (500, 0.0)


@pytest.mark.parametrize("rate", [0.5, 7, 1000, 250_000])
def test_a_rate_is_kept(rate):
    assert abs(run(Pace(rate=rate), np.zeros(int(rate * 20), np.int64), 10) - rate * 10) <= max(1, rate * 0.06)


def test_a_stall_is_not_made_up_for():
    pace = Pace(rate=100)
    pace.due(np.zeros(10, np.int64), now=0.0)
    assert pace.due(np.zeros(1000, np.int64), now=60.0)[0] <= 5


def test_the_original_pace_is_kept_times_the_speed():
    second_apart = [1_700_000_000_000 + number * 1000 for number in range(100)]
    assert run(Pace(speed=1), second_apart, 9.9) == 10
    assert run(Pace(speed=5), second_apart, 9.9) == 50


def test_records_without_a_time_are_due_at_once():
    assert run(Pace(speed=1), [0, 0, 0, 1_700_000_000_000], 0.1) == 4


@pytest.mark.parametrize(("text", "speed"), [("2x", 2), ("0.5", 0.5), (" 10x ", 10)])
def test_speeds_are_factors(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0x", "-1", "inf", "nan", ""])
def test_what_is_no_factor_is_refused(text):
    with pytest.raises(ConfigError, match="--speed"):
        parse_speed(text)


def test_partitions_are_kept_hashed_or_mapped():
    assert parse_partitions("keep").of(7) == 7
    assert parse_partitions("HASH").of(7) == -1
    mapped = parse_partitions("0:2, 1:0")
    assert (mapped.rule, mapped.of(0), mapped.of(1), str(mapped)) == (Rule.MAP, 2, 0, "0:2,1:0")
    with pytest.raises(ConfigError, match="partition 5"):
        mapped.of(5)
    assert str(Partitions()) == "keep"


@pytest.mark.parametrize("text", ["", "0", "0:a", "0:1,0:2", "-1:2", "keep,hash"])
def test_what_is_no_map_is_refused(text):
    with pytest.raises(ConfigError, match="--partitions"):
        parse_partitions(text)
