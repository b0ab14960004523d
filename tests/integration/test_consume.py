"""The consumer on a real broker: what the sink's task rests on."""

import time

import pytest

from streamsink.consume.protocol import CommittedOffset
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from tests.servers.kafka import KafkaServer
from tests.servers.listeners import Member
from tests.servers.process import free_port
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.topics import fill_awkwardly, read_topic


@pytest.fixture
def member(kafka, request):
    """Members of groups, closed with the test."""
    members = []

    def join(group, *topics, bootstrap=kafka.bootstrap, **properties):
        members.append(Member(bootstrap, group, topics, **properties))
        return members[-1]

    yield join
    for each in members:
        each.consumer.close()


@pytest.fixture
def far_kafka(tmp_path):
    """A broker that clients reach through a proxy only, and the proxy."""
    port = free_port()
    server = KafkaServer(tmp_path / "kafka", advertised_port=port)
    proxy = TcpProxy(port, server.port)
    proxy.start()
    server.start()
    yield server, proxy
    proxy.stop()
    server.stop()


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


@pytest.mark.parametrize("waiting", [True, False])
def test_a_commit_keeps_offset_and_metadata_for_the_next_member(kafka, member, unique, waiting):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at, commit = TopicPartition(unique, 0), CommittedOffset(7, '{"v":1,"ahead":{"dt=ü":9}}')
    first = member(unique, unique)
    first.poll_until(lambda: first.ends.get(at) == 10)
    assert first.held == {at: CommittedOffset(None, "")}
    answers = []
    if waiting:
        first.consumer.commit({at: commit}, done=None)
    else:
        first.consumer.commit({at: commit}, done=lambda offsets, error: answers.append((offsets, error)))
        assert answers == []
        first.poll_until(lambda: answers)
        assert answers == [({at: commit}, None)]
    assert kafka.committed(unique, unique) == {0: (7, commit.metadata)}
    first.consumer.close()
    second = member(unique, unique)
    second.poll_until(lambda: second.ends.get(at) == 10)
    assert second.held == {at: commit}
    assert second.offsets(at) == [7, 8, 9]


def test_each_of_many_commits_is_answered_once_and_in_order(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique)
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    answered = []
    for offset in (1, 2, 2, 3, 10):
        reader.consumer.commit({at: CommittedOffset(offset)}, done=lambda told, _: answered.append(told[at].offset))
    reader.poll_until(lambda: len(answered) == 5)
    assert answered == [1, 2, 2, 3, 10]


def test_a_second_member_takes_half_after_the_first_has_committed_in_its_callback(kafka, member, unique):
    kafka.create_topic(unique, 4)
    for partition in range(4):
        produce(kafka, unique, 5, partition=partition)
    first = member(unique, unique)
    first.poll_until(lambda: len(first.ends) == 4)

    def commit(leaving):
        first.consumer.commit(dict.fromkeys(leaving, CommittedOffset(5, "left")), done=None)

    first.on_revoked = commit
    second = member(unique, unique)
    deadline = time.monotonic() + 30
    while not (len(first.held) == 2 and len(second.held) == 2):
        assert time.monotonic() < deadline
        first.poll(0.05)
        second.poll(0.05)
    (given,) = first.revocations
    assert given == set(second.held)
    assert set(second.held.values()) == {CommittedOffset(5, "left")}
    assert not first.losses


def test_seek_goes_back_and_forward_and_nothing_older_follows(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 20_000)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique)
    reader.poll_until(lambda: reader.slices[at])
    for target in (15_000, 3, 19_990):
        reader.slices.clear()
        reader.consumer.seek(at, target)
        reader.poll_until(lambda: reader.slices[at])
        assert reader.slices[at][0].start == target
        assert reader.offsets(at)[0] == target
        assert reader.offsets(at) == list(range(target, target + len(reader.offsets(at))))
    reader.poll_until(lambda: reader.ends.get(at) == 20_000)


def test_a_paused_partition_rests_and_then_goes_on_without_loss(kafka, member, unique):
    kafka.create_topic(unique, 2)
    for partition in (0, 1):
        produce(kafka, unique, 5_000, partition=partition)
    resting, going = TopicPartition(unique, 0), TopicPartition(unique, 1)
    reader = member(unique, unique)
    reader.poll_until(lambda: reader.slices[resting])
    reader.consumer.pause([resting, TopicPartition("not-ours", 0)])
    before = len(reader.offsets(resting))
    reader.poll_until(lambda: reader.ends.get(going) == 5_000)
    for _ in range(5):
        reader.poll()
    assert len(reader.offsets(resting)) == before
    reader.consumer.resume([resting, TopicPartition("not-ours", 0)])
    reader.poll_until(lambda: reader.ends.get(resting) == 5_000)
    assert reader.offsets(resting) == list(range(5_000))
    assert reader.consumer.end_offsets([resting, going]) == {resting: 5_000, going: 5_000}


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
    first.consumer.commit({at: CommittedOffset(10)}, done=None)
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
    first.consumer.commit({at: CommittedOffset(100)}, done=None)
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


def test_what_a_listener_raises_comes_out_of_poll(kafka, member, unique):
    kafka.create_topic(unique)
    reader = member(unique, unique)

    def fail(_):
        raise TerminalError("the listener can't", hint="none")

    reader.assigned = fail
    with pytest.raises(TerminalError, match="the listener can't"):
        reader.poll_until(lambda: False)


def test_what_an_answer_to_a_commit_raises_comes_out_of_poll_and_records_stay(kafka, member, unique):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique)
    reader.poll_until(lambda: reader.ends.get(at) == 10)

    def fail(*_):
        raise TerminalError("the answer can't", hint="none")

    reader.consumer.commit({at: CommittedOffset(10)}, done=fail)
    produce(kafka, unique, 10)
    with pytest.raises(TerminalError, match="the answer can't"):
        reader.poll_until(lambda: False)
    reader.poll_until(lambda: reader.ends.get(at) == 20)
    assert reader.offsets(at) == list(range(20))


def test_partitions_whose_committed_offsets_can_not_be_read_are_taken_over_later(kafka, member, unique, monkeypatch):
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    first = member(unique, unique)
    first.poll_until(lambda: first.ends.get(at) == 10)
    first.consumer.commit({at: CommittedOffset(4, "four")}, done=None)
    first.consumer.close()
    with monkeypatch.context() as patched:
        patched.setattr("streamsink.consume.kafka.REQUEST_TIMEOUT_S", 0.0001)
        patched.setattr("streamsink.consume.kafka.COMMITTED_TIMEOUT_S", 1.0)
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


def test_unusable_properties_are_an_error_that_names_them(kafka, unique):
    with pytest.raises(TerminalError, match="fetch.min.bytes"):
        Member(kafka.bootstrap, unique, [unique], fetch_min_bytes="many")


def test_a_broker_that_goes_is_told_and_its_return_is_enough(far_kafka, member, unique):
    kafka, proxy = far_kafka
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique, bootstrap=kafka.bootstrap)
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    proxy.cut()
    with pytest.raises(TransientError, match="broker"):
        reader.poll_until(lambda: False)
    began_s = time.monotonic()
    with pytest.raises(TransientError):
        reader.consumer.commit({at: CommittedOffset(10)}, done=None)
    assert time.monotonic() - began_s < 30
    proxy.restore()
    produce(kafka, unique, 10)
    deadline = time.monotonic() + 60
    while reader.offsets(at) != list(range(20)):
        assert time.monotonic() < deadline
        try:
            reader.poll()
        except TransientError as error:
            assert "broker" in str(error)
    reader.consumer.commit({at: CommittedOffset(20)}, done=None)


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_leaving_a_group_whose_broker_does_not_answer_is_bounded(far_kafka, member, unique, fault):
    kafka, proxy = far_kafka
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique, bootstrap=kafka.bootstrap)
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    failures = []

    def commit(leaving):
        try:
            reader.consumer.commit(dict.fromkeys(leaving, CommittedOffset(10)), done=None)
        except TransientError as error:
            failures.append(error)

    reader.on_revoked = commit
    getattr(proxy, fault)()
    began_s = time.monotonic()
    reader.consumer.close()
    took_s = time.monotonic() - began_s
    assert len(failures) == 1
    assert took_s < 30


def test_a_member_that_stalled_past_its_session_loses_its_partitions_and_gets_them_back(far_kafka, member, unique):
    kafka, proxy = far_kafka
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    at = TopicPartition(unique, 0)
    reader = member(unique, unique, bootstrap=kafka.bootstrap, session_timeout_ms="6000", heartbeat_interval_ms="1000")
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    proxy.stall()
    time.sleep(7)
    proxy.restore()
    refused = []
    reader.consumer.commit({at: CommittedOffset(10)}, done=lambda _, error: refused.append(error))
    reader.poll_until(lambda: reader.losses and at in reader.held and refused)
    assert refused[0] is not None
    produce(kafka, unique, 5)
    reader.poll_until(lambda: reader.ends.get(at) == 15)
