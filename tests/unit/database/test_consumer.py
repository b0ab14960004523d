"""The stages of a snapshot's consumer: each begins once all that came before it is committed."""

import threading
import time

import pyarrow as pa

from streamsink.consume.protocol import CommittedOffset
from streamsink.database.consumer import SnapshotConsumer
from streamsink.database.feed import RecordsFeed
from streamsink.record import TopicPartition
from tests.servers.listeners import Listener

FRAMES, ROWS = TopicPartition("db.shop", 1), TopicPartition("db.shop.orders", 1)


def feed(partition, count):
    return RecordsFeed(partition, 0, [(b"k", b"%d" % number) for number in range(count)])


def member(*, told_all=lambda: None, finished=lambda: None):
    stages = [lambda: [feed(FRAMES, 1)], lambda: [feed(ROWS, 3)], lambda: [feed(FRAMES, 2)]]
    consumer = SnapshotConsumer([FRAMES, ROWS], stages, told_all=told_all, finished=finished)
    return Listener(consumer.listened_to_by)


def commit(reader, partition, offset):
    reader.consumer.commit({partition: CommittedOffset(offset)}, done=lambda *_: None)


def test_rows_come_after_the_begin_record_is_committed_and_the_end_record_after_all_rows_are():
    told, finished = [], threading.Event()
    reader = member(told_all=lambda: told.append(1), finished=finished.set)
    reader.poll_until(lambda: reader.ends.get(FRAMES) == 1)
    for _ in range(3):
        reader.poll(0.01)
    assert (reader.offsets(FRAMES), reader.offsets(ROWS), len(told)) == ([0], [], 1)
    commit(reader, FRAMES, 1)
    reader.poll_until(lambda: reader.ends.get(ROWS) == 3)
    commit(reader, ROWS, 2)
    for _ in range(3):
        reader.poll(0.01)
    assert (reader.offsets(FRAMES), reader.offsets(ROWS), len(told)) == ([0], [0, 1, 2], 2)
    commit(reader, ROWS, 3)
    reader.poll_until(lambda: reader.ends.get(FRAMES) == 2)
    assert (reader.offsets(FRAMES), finished.is_set()) == ([0, 1], False)
    commit(reader, FRAMES, 2)
    assert finished.is_set()
    reader.consumer.close()


def test_a_flush_waits_for_no_partition_whose_stage_has_not_begun():
    reader = member()
    reader.poll_until(lambda: reader.ends.get(FRAMES) == 1)
    assert all(at.at_end for at in reader.consumer.progress().values())
    reader.consumer.close()


def test_what_reading_raises_comes_out_of_poll_once_and_the_next_poll_reads_again():
    class Broken(RecordsFeed):
        broken = True

        def slices(self, start):
            if Broken.broken:
                Broken.broken = False
                raise OSError("away")
            yield from super().slices(start)

    reader = Listener(SnapshotConsumer([ROWS], [lambda: [Broken(ROWS, 0, [(b"k", b"v")])]]).listened_to_by)
    errors = []
    until = time.monotonic() + 10
    while reader.ends.get(ROWS) != 1:
        assert time.monotonic() < until
        try:
            reader.poll()
        except OSError as error:
            errors.append(str(error))
    assert (errors, reader.offsets(ROWS)) == (["away"], [0])
    reader.consumer.close()


def test_rows_are_read_no_faster_than_the_rate():
    records = [(b"k", b"v")] * 10

    class Slow(RecordsFeed):
        def slices(self, start):
            for part in super().slices(start):
                for row in range(part.rows.num_rows):
                    yield type(part)(ROWS, row, row + 1, part.rows.slice(row, 1))

    consumer = SnapshotConsumer([ROWS], [lambda: [Slow(ROWS, 0, records)]], rate=50)
    reader = Listener(consumer.listened_to_by)
    began_s = time.monotonic()
    reader.poll_until(lambda: reader.ends.get(ROWS) == 10)
    assert time.monotonic() - began_s >= 0.15
    assert pa.concat_arrays([each.rows.column("offset") for each in reader.slices[ROWS]]).to_pylist() == list(range(10))
    reader.consumer.close()
