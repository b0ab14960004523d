"""What librdkafka says of a message, as a slice has it."""

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from streamsink.consume import slices
from streamsink.consume.slices import _timestamps
from streamsink.record import TopicPartition


def test_timestamp_types_are_kafkas_own_numbers():
    pairs = [(TIMESTAMP_NOT_AVAILABLE, 0), (TIMESTAMP_CREATE_TIME, 5), (TIMESTAMP_LOG_APPEND_TIME, 6)]
    times, types = _timestamps(pairs, len(pairs))
    assert types.to_pylist() == [-1, 0, 1]
    assert [None if time is None else time.timestamp() * 1000 for time in times.to_pylist()] == [None, 5, 6]


def test_a_record_whose_headers_can_not_be_read_is_put_aside_with_the_rest_of_it(monkeypatch):
    asked = set()

    def headers(message):
        # The client fails once, and gives a list with nothing behind its items from then on.
        assert message.offset() not in asked, "headers are asked for again"
        asked.add(message.offset())
        if message.offset() in {5, 7}:
            raise SystemError("<method 'headers' of 'cimpl.Message' objects> returned a result with an exception set")
        return [("h", b"v")]

    monkeypatch.setattr(slices, "_HEADERS", headers)
    messages = [Message(topic="t", partition=0, offset=offset, key=b"k", value=b"v") for offset in (4, 5, 6, 7)]
    raw = slices.raw_slice(TopicPartition("t", 0), 3, messages)
    assert (raw.start, raw.next_offset) == (3, 8)
    assert raw.rows.column("offset").to_pylist() == [4, 6]
    assert [(bad.offset, bad.stage, bad.key, bad.value) for bad in raw.bad] == [
        (5, "HEADER_CONVERTER", b"k", b"v"),
        (7, "HEADER_CONVERTER", b"k", b"v"),
    ]


def test_a_slice_of_unreadable_records_only_still_moves_on(monkeypatch):
    def headers(_message):
        raise SystemError("no text")

    monkeypatch.setattr(slices, "_HEADERS", headers)
    raw = slices.raw_slice(TopicPartition("t", 0), 3, [Message(topic="t", partition=0, offset=9, value=b"v")])
    assert (raw.start, raw.next_offset, raw.rows.num_rows, len(raw.bad)) == (3, 10, 0, 1)
