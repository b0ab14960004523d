"""How long a turn waits for records and for ended uploads, and that small files don't crawl for it."""

from __future__ import annotations

import pytest

from streamsink.config.sink import Rotation
from streamsink.record import TopicPartition
from streamsink.sink.waits import LINE_POLL_S, POLL_S, TRICKLE_POLL_S, TRICKLE_RECORDS, TRICKLE_SLICES
from tests.unit.sink.scripted import Bench, assign, records

P = TopicPartition("t", 0)
PARTITIONS = [TopicPartition("t", number) for number in range(6)]
MANY = [TopicPartition("t", number) for number in range(TRICKLE_SLICES)]


def claim(bench):
    """Let the group take the claims, so that uploads may begin."""
    bench.turn()
    bench.store_all()
    bench.turn(lambda consumer: consumer.answer())


def at_once(*partitions, count):
    """A poll that gives a slice of each partition."""
    return lambda consumer: ([slice_ for name in partitions for slice_ in records(name, 0, count)(consumer)[0]], [])


def test_a_poll_waits_long_while_no_file_waits_in_line():
    bench = Bench()
    bench.turn(assign(P))
    claim(bench)
    bench.turn(records(P, 0, 1), lambda _consumer: None)
    assert len(bench.pool.jobs) == 1
    assert bench.consumer.timeouts_s[-1] == POLL_S


def test_a_poll_is_short_while_files_wait_in_line_and_long_again_afterwards():
    bench = Bench()
    bench.turn(assign(*PARTITIONS))
    claim(bench)
    bench.turn(*[records(name, 0, 1) for name in PARTITIONS])
    bench.turn()
    assert bench.consumer.timeouts_s[-1] == LINE_POLL_S
    bench.store_all()
    bench.turn()
    bench.store_all()
    bench.turn()
    bench.turn()
    assert bench.consumer.timeouts_s[-1] == POLL_S


def test_where_memory_is_full_the_task_waits_for_the_next_upload_and_not_for_records():
    bench = Bench(rotation=Rotation(flush_size=20, size_bytes=None), memory_bytes_max=100)
    bench.turn(assign(P))
    claim(bench)
    bench.turn(records(P, 0, 20))
    assert bench.machine.paused
    assert bench.machine.uploads.under_way
    began_s = bench.clock.monotonic_s()
    bench.store_while_waiting()
    bench.turn()
    assert bench.consumer.timeouts_s[-1] == 0.0
    assert bench.clock.monotonic_s() > began_s
    assert not bench.machine.paused
    assert bench.consumer.of("resume")[-1] == ["t-0"]
    assert len(bench.consumer.of("resume")) == 2, "once when its topic was known, once when memory was free"


@pytest.mark.parametrize(
    ("partitions", "records_each", "poll_s"),
    [
        (MANY, 1, TRICKLE_POLL_S),
        (MANY, TRICKLE_RECORDS - 1, TRICKLE_POLL_S),
        (MANY, TRICKLE_RECORDS, POLL_S),
        (MANY[:-1], 1, POLL_S),
    ],
)
def test_a_poll_waits_longer_after_one_of_many_small_slices(partitions, records_each, poll_s):
    bench = Bench(rotation=Rotation(flush_size=1000, size_bytes=None))
    bench.turn(assign(*partitions))
    claim(bench)
    bench.turn(at_once(*partitions, count=records_each))
    bench.turn()
    assert bench.consumer.timeouts_s[-1] == poll_s
    bench.turn()
    assert bench.consumer.timeouts_s[-1] == POLL_S, "the poll before gave nothing"


def test_no_poll_waits_beyond_a_file_s_age():
    bench = Bench(rotation=Rotation(age_ms=300, flush_size=None, size_bytes=None))
    bench.turn(assign(*MANY))
    claim(bench)
    bench.turn(at_once(*MANY, count=1))
    bench.turn()
    assert 0 < bench.consumer.timeouts_s[-1] <= 0.3
