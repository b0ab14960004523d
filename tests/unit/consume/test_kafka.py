"""What no broker can be made to do: the clauses that one can are in `tests/contract/test_slice_consumer.py`."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, Message

from streamsink.consume.assignments import FROM_THE_START
from streamsink.consume.kafka import KafkaSliceConsumer
from streamsink.consume.poll_size import POLL_BYTES, POLL_RECORDS_FIRST
from streamsink.record import TopicPartition
from tests.unit.consume.test_commit_requests import ScriptedConsumer

AT = TopicPartition("t", 0)


class Ignoring:
    """A listener that does nothing."""

    def assigned(self, committed):
        """Nothing."""

    def revoked(self, partitions):
        """Nothing."""

    def lost(self, partitions):
        """Nothing."""


class ScriptedClient(ScriptedConsumer):
    """Gives its batches, one a call."""

    def __init__(self, *batches):
        super().__init__()
        self.batches = list(batches)
        self.asked_for = []
        self.orders = []

    def consume(self, count, _timeout_s):
        self.asked_for.append(count)
        return self.batches.pop(0) if self.batches else []

    def __getattr__(self, name):
        if name == "seek":
            return lambda at: self.orders.append((name, at.partition, at.offset))
        if name not in {"pause", "resume"}:
            raise AttributeError(name)
        return lambda partitions: self.orders.extend((name, at.partition, at.offset) for at in partitions)

    def subscribe(self, *_, **__):
        """Nothing."""


def messages(*offsets):
    return [Message(topic="t", partition=0, offset=at, timestamp=(1, 1), value=b"x") for at in offsets]


@pytest.fixture
def consumer():
    made = KafkaSliceConsumer(
        {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": "0"}, topics=["t"], listener=Ignoring()
    )
    yield made
    made._consumer = made.real
    made._assignments.end([AT])
    made.close()


@pytest.fixture
def giving(consumer):
    """Lets the consumer's client give batches, of a partition assigned at an offset."""

    def give(next_offset, *batches):
        consumer.real, consumer._consumer = consumer._consumer, ScriptedClient(*batches)
        consumer._assignments.begin(AT, next_offset)
        return consumer

    return give


def test_records_below_a_position_are_dropped_whatever_the_client_gives(giving):
    reader = giving(6, messages(4, 5, 6, 7), messages(5, 6, 7), messages(8))
    first, _ = reader.poll(timeout_s=0)
    assert (first[0].start, first[0].rows.column("offset").to_pylist()) == (6, [6, 7])
    assert reader.poll(timeout_s=0) == ([], [])
    third, _ = reader.poll(timeout_s=0)
    assert (third[0].start, third[0].next_offset) == (8, 9)


def test_records_of_a_partition_that_is_not_assigned_are_dropped(giving):
    reader = giving(0, messages(0, 1))
    reader._assignments.end([AT])
    assert reader.poll(timeout_s=0) == ([], [])


def test_large_records_are_taken_in_smaller_polls_and_small_ones_in_larger_ones(giving):
    large = Message(topic="t", partition=0, offset=0, timestamp=(1, 1), value=b"x" * (POLL_BYTES // 10))
    reader = giving(0, [large], messages(1))
    for _ in range(3):
        reader.poll(timeout_s=0)
    first, after_large, after_small = reader._consumer.asked_for
    assert (first, after_small) == (POLL_RECORDS_FIRST, 10_000)
    assert 8 <= after_large <= 10


def test_a_record_larger_than_a_poll_may_be_is_followed_by_others(giving):
    huge = Message(topic="t", partition=0, offset=0, timestamp=(1, 1), value=b"x" * (2 * POLL_BYTES))
    reader = giving(0, [huge], messages(1))
    reader.poll(timeout_s=0)
    assert [each.next_offset for each in reader.poll(timeout_s=0)[0]] == [2]
    assert reader._consumer.asked_for[1] == 1


def test_a_partition_paused_while_its_beginning_is_asked_for_is_asked_for_anew_when_it_resumes(giving):
    reader = giving(FROM_THE_START)
    reader.pause([AT])
    reader.resume([AT])
    assert reader._consumer.orders[-1] == ("seek", AT.partition, OFFSET_BEGINNING)


def test_a_partition_that_has_given_records_is_only_resumed(giving):
    reader = giving(FROM_THE_START, messages(0))
    reader.poll(timeout_s=0)
    reader.pause([AT])
    reader.resume([AT])
    assert [name for name, _, _ in reader._consumer.orders] == ["pause", "resume"]
