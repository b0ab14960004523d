"""The consumer on a real broker: what the sink's task rests on."""

import time

import pytest

from streamsink.consume.protocol import CommittedOffset
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from tests.servers.listeners import Member
from tests.servers.topics import fill_awkwardly, read_topic


@pytest.fixture(params=[False, True], ids=["plain", "native"])
def native(request):
    """Whether members read natively."""
    return request.param


@pytest.fixture
def member(kafka, native):
    """Members of groups, closed with the test."""
    members = []

    def join(group, *topics, bootstrap=kafka.bootstrap, **properties):
        members.append(Member(bootstrap, group, topics, native=native, **properties))
        return members[-1]

    yield join
    for each in members:
        each.consumer.close()


def produce(kafka, topic, count, *, partition=0, **config):
    producer = kafka.producer(**config)
    for number in range(count):
        producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(30) == 0


def seen(record):
    offset, time_ms, kind, key, value, headers = record
    return offset, time_ms, kind, key, value, headers


def taken(row):
    stamp = row["timestamp"]
    headers = tuple((header["key"], header["value"]) for header in row["headers"])
    time_ms = None if stamp is None else round(stamp.timestamp() * 1000)
    return row["offset"], time_ms, row["timestamp_type"], row["key"], row["value"], headers


def test_awkward_records_come_through_exactly_and_slices_tile(kafka, member, unique):
    kafka.create_topic(unique, 2)
    fill_awkwardly(kafka, unique, 8000, partitions=2)
    truth, ends = read_topic(kafka, unique), kafka.end_offsets(unique)
    reader = member(unique, unique)
    reader.poll_until(lambda: {at.partition: end for at, end in reader.ends.items()} == ends)
    for partition, records in truth.items():
        at = TopicPartition(unique, partition)
        assert [taken(row) for row in reader.rows(at)] == records
        slices = reader.slices[at]
        assert [each.start for each in slices[1:]] == [each.next_offset for each in slices[:-1]]
        assert len(reader.offsets(at)) < ends[partition]


def test_the_end_is_told_past_an_aborted_transaction_with_nothing_after_it(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 3)
    producer = kafka.producer(transactional_id=unique)
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(unique, b"never")
    producer.flush(30)
    producer.abort_transaction(30)
    reader = member(unique, unique)
    at = TopicPartition(unique, 0)
    reader.poll_until(lambda: reader.ends.get(at) == 5)
    assert reader.offsets(at) == [0, 1, 2]
    produce(kafka, unique, 1)
    reader.poll_until(lambda: reader.offsets(at) == [0, 1, 2, 5])
    assert reader.slices[at][-1].start == 5


def test_an_end_is_never_behind_the_records_told_with_it(kafka, member, unique):
    kafka.create_topic(unique)
    reader = member(unique, unique)
    at = TopicPartition(unique, 0)
    reader.poll_until(lambda: at in reader.ends)
    for _ in range(20):
        produce(kafka, unique, 1)
        time.sleep(0.01)
    while reader.offsets(at) != list(range(20)):
        slices, ends = reader.poll(1.0)
        if slices and ends:
            assert min(end.next_offset for end in ends) >= slices[-1].next_offset


def test_without_a_commit_latest_begins_at_the_end(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique, auto_offset_reset="latest")
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    produce(kafka, unique, 2)
    reader.poll_until(lambda: reader.offsets(at))
    assert reader.offsets(at)[0] == 10


def test_retention_that_has_passed_the_commit_is_an_error_that_counts(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 30)
    at = TopicPartition(unique, 0)
    first = member(unique, unique)
    first.poll_until(lambda: first.ends.get(at) == 30)
    first.commit({at: CommittedOffset(10)})
    first.consumer.close()
    kafka.delete_records(unique, 0, 25)
    second = member(unique, unique)
    with pytest.raises(TerminalError, match=r"retention has removed 15 records") as raised:
        second.poll_until(lambda: second.ends)
    assert raised.value.hint
    assert not second.slices


def test_retention_before_the_first_commit_is_no_error(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 30)
    kafka.delete_records(unique, 0, 25)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique)
    reader.poll_until(lambda: reader.ends.get(at) == 30)
    assert reader.offsets(at) == [25, 26, 27, 28, 29]
    assert reader.slices[at][0].start == 25


def test_a_commit_beyond_the_end_is_an_error(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 3)
    at = TopicPartition(unique, 0)
    first = member(unique, unique)
    first.poll_until(lambda: first.ends.get(at) == 3)
    first.commit({at: CommittedOffset(100)})
    first.consumer.close()
    second = member(unique, unique)
    with pytest.raises(TerminalError, match="the broker has 0 to 3"):
        second.poll_until(lambda: second.ends)


def test_a_missing_topic_is_told_and_read_once_it_is_there(kafka, member, unique):
    reader = member(unique, unique, topic_metadata_refresh_interval_ms="500")
    with pytest.raises(TransientError, match=unique) as raised:
        reader.poll_until(lambda: reader.held)
    assert "create it" in raised.value.hint
    kafka.create_topic(unique)
    produce(kafka, unique, 3)
    at = TopicPartition(unique, 0)
    deadline = time.monotonic() + 30
    while reader.offsets(at) != [0, 1, 2]:
        assert time.monotonic() < deadline
        try:
            reader.poll()
        except TransientError as error:
            assert unique in error.message


def test_one_missing_topic_of_two_is_told_while_the_other_is_read(kafka, member, unique, monkeypatch):
    monkeypatch.setattr("streamsink.consume.trouble.MISSING_TOPIC_S", 2.0)
    kafka.create_topic(unique)
    produce(kafka, unique, 3)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique, f"{unique}-missing")
    told = []
    while len(told) < 3:
        try:
            reader.poll()
        except TransientError as error:
            told.append(error.message)
    assert all(f"{unique}-missing does not exist" in each for each in told)
    assert reader.offsets(at) == [0, 1, 2]


def test_a_regex_takes_whole_names_only_and_none_of_kafkas_own(kafka, member, unique):
    kafka.create_topic(f"{unique}-logs")
    kafka.create_topic(f"{unique}-logs-private")
    named = member(f"{unique}-1", regex=rf"{unique}-(?!x)[\w.]+")
    named.poll_until(lambda: named.ends)
    assert {at.topic for at in named.held} == {f"{unique}-logs"}
    everything = member(f"{unique}-2", regex=".*")
    everything.poll_until(lambda: len(everything.held) >= 2)
    assert not [at.topic for at in everything.held if at.topic.startswith("__")]


def test_partitions_whose_committed_offsets_can_not_be_read_are_taken_over_later(kafka, member, unique, monkeypatch):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    first = member(unique, unique)
    first.poll_until(lambda: first.ends.get(at) == 10)
    first.commit({at: CommittedOffset(4, "four")})
    first.consumer.close()

    def fail(*_):
        raise TransientError("the coordinator does not answer")

    with monkeypatch.context() as patched:
        patched.setattr("streamsink.consume.rebalance.committed_offsets", fail)
        second = member(unique, unique)
        with pytest.raises(TransientError):
            second.poll_until(lambda: second.held)
    second.poll_until(lambda: second.ends.get(at) == 10)
    assert second.held == {at: CommittedOffset(4, "four")}
    assert second.offsets(at) == list(range(4, 10))


def test_a_static_member_that_another_replaced_is_told_so(kafka, member, unique):
    kafka.create_topic(unique)
    first = member(unique, unique, group_instance_id="one")
    first.poll_until(lambda: first.ends)
    second = member(unique, unique, group_instance_id="one")
    second.poll_until(lambda: second.ends)
    with pytest.raises(TerminalError) as raised:
        first.poll_until(lambda: False)
    assert raised.value.hint


def test_wrong_credentials_are_an_error_at_once(kafka, member, unique):
    reader = member(
        unique,
        unique,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="nobody",
        sasl_password="wrong",
    )
    with pytest.raises((TerminalError, TransientError)) as raised:
        reader.poll_until(lambda: False)
    assert "wrong" not in str(raised.value).split("right")[0]


def test_unusable_properties_are_an_error_that_names_them(kafka, unique, native):
    with pytest.raises(TerminalError, match="fetch.min.bytes"):
        Member(kafka.bootstrap, unique, [unique], native=native, fetch_min_bytes="many")
