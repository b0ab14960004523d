"""`consumer.native=true`: the same slices as without it, and a client that ends in good order."""

import ctypes
import gc
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import TopicPartition as KafkaPartition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsink.consume.native.client import NativeConsumer
from streamsink.consume.native.partitions import partition_list
from streamsink.consume.protocol import CommittedOffset
from streamsink.record import RAW_SCHEMA, TopicPartition
from tests.servers.listeners import Member
from tests.servers.raw_headers import produce_raw
from tests.servers.topics import fill_awkwardly
from tests.servers.worker import wait_until

PARTITIONS = 12
EXAMPLES = int(os.environ.get("STREAMSINK_NATIVE_EXAMPLES", "60"))

CONTENT = st.none() | st.binary(max_size=40) | st.binary(min_size=3_000, max_size=3_000)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, PARTITIONS - 1),
        CONTENT,
        CONTENT,
        st.lists(st.tuples(NAMES, CONTENT), max_size=4),
        st.integers(1, 2**42),
    ),
    min_size=1,
    max_size=60,
)


def both(kafka, topic):
    """A member that reads Python's messages, and one that doesn't."""
    return [Member(kafka.bootstrap, f"{topic}-{native}", [topic], native=native) for native in (False, True)]


def read_to(members, ends):
    for member in members:
        member.poll_until(lambda member=member: {at.partition: end for at, end in member.ends.items()} == ends)


def assert_equal_slices(plain, native):
    """Equal to the byte, with all that is in no column; slices begin and end where they may."""
    assert plain.slices.keys() == native.slices.keys()
    for at, slices in plain.slices.items():
        tables = [pa.Table.from_batches([each.rows for each in one], RAW_SCHEMA) for one in (slices, native.slices[at])]
        assert tables[0].equals(tables[1])
        assert [bad for each in slices for bad in each.bad] == [bad for each in native.slices[at] for bad in each.bad]
        assert slices[0].start == native.slices[at][0].start
        assert slices[-1].next_offset == native.slices[at][-1].next_offset
        for each in native.slices[at]:
            each.rows.validate(full=True)


@pytest.fixture(scope="module")
def mirrored(kafka):
    """A topic with two members that have read it from its beginning."""
    topic = "native-mirrored"
    kafka.create_topic(topic, PARTITIONS)
    members = both(kafka, topic)
    for member in members:
        member.poll_until(lambda member=member: len(member.ends) == PARTITIONS)
    yield kafka, topic, members
    for member in members:
        member.consumer.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=RECORDS)
def test_columns_are_those_that_pythons_messages_make(mirrored, records):
    kafka, topic, members = mirrored
    producer = kafka.producer()
    for member in members:
        member.slices.clear()
    for partition, key, value, headers, time_ms in records:
        producer.produce(topic, value, key, partition=partition, headers=headers, timestamp=time_ms)
    assert producer.flush(30) == 0
    read_to(members, kafka.end_offsets(topic))
    assert_equal_slices(*members)


def test_holes_of_transactions_lie_within_slices_as_ever(kafka, unique):
    kafka.create_topic(unique, 3)
    fill_awkwardly(kafka, unique, 6_000, partitions=3)
    members = both(kafka, unique)
    read_to(members, kafka.end_offsets(unique))
    for member in members:
        member.consumer.close()
        for slices in member.slices.values():
            assert [each.start for each in slices[1:]] == [each.next_offset for each in slices[:-1]]
    assert_equal_slices(*members)


def test_records_whose_header_names_are_no_text_are_put_aside_whole(kafka, unique):
    kafka.create_topic(unique)
    broken = [(b"\xff", b"1"), (b"", None), (b"a\0b", b"cut"), (b"\xed\xa0\x80", b"")]
    records = [(b"%d" % number, [(b"good", b"0"), broken[number % 4]]) for number in range(40)]
    produce_raw(kafka.bootstrap, unique, records)
    members = both(kafka, unique)
    read_to(members, {0: 40})
    for member in members:
        member.consumer.close()
    assert_equal_slices(*members)
    at = TopicPartition(unique, 0)
    put_aside = [bad.offset for each in members[1].slices[at] for bad in each.bad]
    assert put_aside == [number for number in range(40) if number % 4 in {0, 3}]
    assert members[1].rows(at)[1]["headers"][1] == {"key": "a", "value": b"cut"}


def committed_bytes(kafka, group, at):
    """A commit's metadata as the broker keeps it."""
    reader = consumer(kafka, group)
    library = reader._library
    with partition_list(library, [KafkaPartition(at.topic, at.partition)]) as asked:
        assert library.committed(reader._handle, asked, 10_000) == 0
        told = asked.contents.elems[0]
        found = ctypes.string_at(told.metadata, told.metadata_size) if told.metadata else b""
    reader.close()
    return found


@pytest.mark.parametrize("metadata", ['{"v":1,"ahead":{"dt=ü":9}}', "x", ""])
def test_commits_are_the_same_bytes_whichever_client_sends_them(kafka, unique, metadata):
    kafka.create_topic(unique)
    at = TopicPartition(unique, 0)
    for member in both(kafka, unique):
        member.poll_until(lambda member=member: member.ends)
        member.commit({at: CommittedOffset(0, metadata)})
        member.consumer.close()
    kept = {committed_bytes(kafka, f"{unique}-{native}", at) for native in (False, True)}
    assert len(kept) == 1, kept


def consumer(kafka, group, **callbacks):
    config = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": group,
        "enable.partition.eof": "true",
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
        "statistics.interval.ms": "50",
        "error_cb": print,
        "stats_cb": lambda _: None,
        "on_commit": print,
        **callbacks,
    }
    return NativeConsumer(config, logger=logging.getLogger("test"))


def read_on(reader):
    """The first runs that come."""
    deadline = time.monotonic() + 30
    while not (runs := reader.read(10, 0.1).runs):
        assert time.monotonic() < deadline
    return runs


def threads():
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def test_a_consumer_that_nobody_closes_ends_its_client_when_it_is_collected(kafka, unique):
    kafka.create_topic(unique)
    gc.collect()
    before = threads()
    reader = Member(kafka.bootstrap, unique, [unique], native=True)
    while not reader.ends:
        reader.poll()
    assert threads() > before
    del reader
    gc.collect()
    assert threads() == before


def test_what_a_callback_raises_comes_out_of_the_call_once(kafka, unique):
    def fail(_):
        raise KeyboardInterrupt

    reader = consumer(kafka, unique, stats_cb=fail)
    with pytest.raises(KeyboardInterrupt):
        read_on(reader)
    reader._callbacks.failed = None
    reader.close()
    for call in (reader.unsubscribe, lambda: reader.read(10, 0.1)):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_a_rebalance_callback_that_fails_leaves_the_group_as_the_group_wants_it(kafka, unique):
    kafka.create_topic(unique)
    producer = kafka.producer()
    producer.produce(unique, b"x")
    assert producer.flush(30) == 0

    def fail(*_):
        raise ValueError("not mine")

    reader = consumer(kafka, unique)
    reader.subscribe([unique], on_assign=fail)
    with pytest.raises(ValueError, match="not mine"):
        read_on(reader)
    (run,) = read_on(reader)
    reader.close()
    assert run.rows.num_rows == 1


def test_where_the_library_is_absent_validate_and_the_task_say_so(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    path = worker.connector(
        unique, {"topics": unique, "archive.url": (tmp_path / "archive").as_uri(), "consumer.native": "true"}
    )
    environ = {"STREAMSINK_NATIVE": "off"}
    worker.start(**environ)
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", timeout_s=60, worker=worker)
    trace = worker.task(unique)["trace"]
    assert "the native library isn't there" in trace
    assert "set consumer.native=false" in trace
    said = subprocess.run(
        [sys.executable, "-m", "streamsink", "connectors", "validate", str(path), "--url", worker.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 2
    assert "consumer.native: the native client can't be used: the native library isn't there" in said.stdout
