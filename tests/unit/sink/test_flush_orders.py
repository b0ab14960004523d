"""An order to flush waits until the records that were there when it came are read, and never long."""

import pytest

from streamsink.consume.protocol import ReadProgress
from streamsink.record import TopicPartition
from streamsink.sink.flush_orders import READ_S, FlushOrders
from streamsink.testing.clock import SimClock

P, Q = TopicPartition("t", 0), TopicPartition("t", 1)


class Consumer:
    def __init__(self):
        self.found = {}

    def progress(self):
        return self.found


def at(next_offset, end_offset, *, at_end=False, paused=False):
    return ReadProgress(next_offset, end_offset, at_end=at_end, paused=paused, silent_s=0.0)


@pytest.fixture
def consumer():
    return Consumer()


@pytest.fixture
def clock():
    return SimClock()


@pytest.fixture
def orders(consumer, clock):
    made = FlushOrders(consumer, clock)
    made.take([7])
    return made


def due(orders, *, assigned=True, stopping=False):
    return orders.due(assigned=assigned, stopping=stopping)


def test_an_order_before_the_first_assignment_waits_for_it(orders, consumer):
    assert due(orders, assigned=False) == []
    consumer.found = {P: at(0, 10)}
    assert due(orders) == []
    consumer.found = {P: at(10, 10)}
    assert due(orders) == [7]
    assert due(orders) == []


def test_a_task_without_partitions_flushes_at_once(orders):
    assert due(orders) == [7]


def test_records_that_come_later_are_not_waited_for(orders, consumer):
    consumer.found = {P: at(4, 10), Q: at(5, 5, at_end=True)}
    assert due(orders) == []
    consumer.found = {P: at(10, 400), Q: at(5, 900)}
    assert due(orders) == [7]


def test_each_order_has_the_end_of_its_time(orders, consumer):
    consumer.found = {P: at(4, 10)}
    assert due(orders) == []
    orders.take([8])
    consumer.found = {P: at(4, 20)}
    assert due(orders) == []
    consumer.found = {P: at(10, 20)}
    assert due(orders) == [7]
    consumer.found = {P: at(20, 20)}
    assert due(orders) == [8]


def test_a_partition_that_rests_is_not_waited_for(orders, consumer):
    consumer.found = {P: at(4, 10, paused=True)}
    assert due(orders) == [7]


@pytest.mark.parametrize("assigned", [False, True])
def test_no_order_waits_longer_than_its_time(orders, consumer, clock, assigned):
    consumer.found = {P: at(4, 10)}
    assert due(orders, assigned=assigned) == []
    clock.advance(READ_S)
    assert due(orders, assigned=assigned) == [7]


def test_a_task_that_stops_waits_for_nothing(orders, consumer):
    consumer.found = {P: at(4, 10)}
    assert due(orders, stopping=True) == [7]
