"""A partition that is behind its end and gets nowhere: when that is said, and what is tried."""

from __future__ import annotations

import pytest

from streamsink.consume.protocol import ReadProgress
from streamsink.errors import TransientError
from streamsink.record import TopicPartition
from tests.unit.sink.scripted import Bench, assign, records

P = TopicPartition("t", 0)
TIMEOUT_S = 120.0


class Stalling(Bench):
    """A task whose consumer tells of one partition what the test says."""

    def __init__(self):
        super().__init__()
        self.read = ReadProgress(1, None, at_end=False, paused=False, silent_s=0.0)
        self.consumer.progress = lambda: {P: self.read}
        self.turn(assign(P), lambda consumer: consumer.answer(), records(P, 0, 1))
        self.consumer.calls.clear()

    def later(self, seconds, **read):
        """So much later the consumer says this, and the task has a turn."""
        self.clock.advance(seconds)
        fields = {"next_offset": 1, "end_offset": None, "at_end": False, "paused": False, "silent_s": seconds, **read}
        self.read = ReadProgress(**fields)
        self.turn()

    @property
    def said(self):
        """What the task says of it."""
        return self.snapshots[-1].stalled


def test_a_partition_that_gives_nothing_is_said_to_be_stalled_with_the_reason():
    task = Stalling()
    task.later(TIMEOUT_S - 1)
    assert task.said == ""
    task.later(2, silent_s=TIMEOUT_S + 1)
    assert task.said == "t-0: neither records nor the end have come, for 120 s"
    assert task.snapshots[-1].failures == {"stall": 1}


def test_it_is_set_back_then_the_group_is_joined_anew_then_the_task_fails():
    task = Stalling()
    task.later(TIMEOUT_S + 1)
    assert task.consumer.of("seek") == [("t-0", 1)]
    assert task.consumer.of("rejoin") == []
    task.later(TIMEOUT_S + 1)
    assert len(task.consumer.of("rejoin")) == 1
    with pytest.raises(TransientError, match="t-0 is stalled"):
        task.later(TIMEOUT_S + 1)


def test_it_goes_on_being_said_while_what_was_tried_has_not_helped():
    task = Stalling()
    task.later(TIMEOUT_S + 1)
    task.later(2)
    assert "t-0" in task.said
    task.later(2, next_offset=5, silent_s=0.0)
    assert task.said == ""


def test_a_partition_that_is_silent_at_its_end_is_asked_for_it_again_and_is_not_stalled():
    task = Stalling()
    task.later(TIMEOUT_S + 1, at_end=True)
    assert task.consumer.of("seek") == [("t-0", 1)]
    assert task.said == ""
    task.later(1, at_end=True)
    assert task.said == ""
    assert task.consumer.of("rejoin") == []


def test_an_end_that_is_not_said_again_is_a_stall():
    task = Stalling()
    task.later(TIMEOUT_S + 1, at_end=True)
    task.later(TIMEOUT_S + 1)
    assert "neither records nor the end" in task.said


def test_memory_that_is_full_is_no_stall():
    task = Stalling()
    task.machine.memory.bytes = task.machine.memory.bytes_max
    task.later(10 * TIMEOUT_S, paused=True)
    assert task.said == ""


def test_a_partition_that_rests_though_memory_is_free_is_resumed():
    task = Stalling()
    task.later(TIMEOUT_S + 1, paused=True)
    assert "paused, though memory is free" in task.said
    assert task.consumer.of("resume") == [["t-0"]]


def test_what_is_read_and_not_taken_is_read_again():
    task = Stalling()
    task.later(2, next_offset=9, silent_s=0.0)
    task.later(TIMEOUT_S + 1, next_offset=9, silent_s=0.0)
    assert "read to 9, taken to 1" in task.said
    assert task.consumer.of("seek") == [("t-0", 1)]


def test_nothing_is_tried_while_no_broker_answers():
    task = Stalling()

    def poll(*, timeout_s):
        raise TransientError("no broker")

    task.consumer.poll = poll
    for _ in range(3):
        task.later(TIMEOUT_S + 1)
    assert task.consumer.calls == []
    assert "t-0" in task.said


def test_what_else_is_away_keeps_nothing_from_being_tried():
    task = Stalling()
    task.task.tally.troubles["registry"] = "away"
    task.later(TIMEOUT_S + 1)
    assert task.consumer.of("seek") == [("t-0", 1)]
