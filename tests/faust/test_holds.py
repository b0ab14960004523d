"""Holds keep every message from Faust's accounts until it is released, in order."""

import gc
import weakref

import pytest
from faust.types import TP, Message

from streamsink.faust.holds import Holds

TOPIC = TP("orders", 0)


class Harness:
    def __init__(self):
        self.handed, self.released, self.forgotten, self.given_up = [], [], [], []
        self.holds = Holds(
            hand_over=self.take, forget=self.forgotten.append, given_up=self.given_up.append, release=self.release
        )

    def take(self, held):
        self.handed.append(held.offset)

    def release(self, message):
        self.released.append(message.offset)

    def hold(self, offset, *, generation=1, streams=1):
        message = Message("orders", 0, offset, 0.0, 1, None, b"k", b"value", None, tp=TOPIC, generation_id=generation)
        held = self.holds.hold(message)
        message.incref(streams)
        return held

    def finish(self, held):
        held.message.decref()
        self.holds.settle(held)


def test_messages_are_handed_over_in_order_however_they_end():
    harness = Harness()
    first, second, third = [harness.hold(offset) for offset in (5, 6, 7)]
    harness.finish(second)
    harness.finish(third)
    assert harness.handed == []
    harness.finish(first)
    assert harness.handed == [5, 6, 7]


def test_a_message_that_another_agent_is_at_is_not_handed_over():
    harness = Harness()
    held = harness.hold(5, streams=2)
    harness.finish(held)
    assert harness.handed == []
    harness.finish(held)
    assert harness.handed == [5]


def test_nothing_is_released_before_it_is_stored_and_then_in_portions():
    harness = Harness()
    for offset in range(10):
        harness.finish(harness.hold(offset))
    assert not harness.holds.release_some()
    harness.holds.may_release(TOPIC, 7)
    assert harness.holds.release_some(3)
    assert harness.released == [0, 1, 2]
    assert not harness.holds.release_some()
    assert harness.released == list(range(7))


def test_a_message_given_up_is_not_kept_alive_nor_released():
    harness = Harness()
    held = harness.hold(5)
    gone = weakref.ref(held.message)
    harness.finish(held)
    (partition,) = harness.holds.partitions()
    assert harness.holds.give_up(partition) == 1
    assert [message.offset for message in harness.given_up] == [5]
    harness.given_up.clear()
    gc.collect()
    assert gone() is None
    harness.holds.may_release(TOPIC, 100)
    assert not harness.holds.release_some()
    assert harness.released == []
    assert harness.forgotten == [TOPIC]
    assert harness.holds.size_bytes == 0
    assert harness.holds.partitions() == []


@pytest.mark.parametrize(("offset", "generation"), [(5, 2), (3, 1)], ids=["a rebalance", "a seek"])
def test_messages_that_come_again_replace_those_held(offset, generation):
    harness = Harness()
    old = harness.hold(5)
    harness.finish(old)
    new = harness.hold(offset, generation=generation)
    assert old.message is None
    assert harness.forgotten == [TOPIC]
    harness.finish(new)
    assert harness.handed == [5, offset]


def test_what_was_given_up_ends_without_a_trace():
    harness = Harness()
    held = harness.hold(5)
    message = held.message
    harness.holds.enter(held)
    (partition,) = harness.holds.partitions()
    assert harness.holds.give_up(partition) == 0
    assert harness.holds.streams == 0
    harness.holds.leave(held)
    message.decref()
    harness.holds.settle(held)
    assert harness.handed == []
    assert harness.holds.streams == 0
