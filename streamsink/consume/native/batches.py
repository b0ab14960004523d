"""Reads a queue of librdkafka's by the native library: Arrow columns of each partition's records, and the events."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

from streamsink.consume.assignments import FROM_THE_START
from streamsink.consume.native.library import Library
from streamsink.consume.native.partitions import error_of
from streamsink.consume.reading import Reading
from streamsink.consume.slices import unreadable
from streamsink.errors import TerminalError
from streamsink.native.handle import taken
from streamsink.record import RAW_SCHEMA, BadRecord, RawSlice, TopicPartition

FUNCTIONS = (
    "consume_batch_queue",
    "message_timestamp",
    "message_headers",
    "header_get_all",
    "message_errstr",
    "topic_name",
    "message_destroy",
)
"""What the native library calls, in the order of `Functions` in `native/src/kafka.rs`."""


class _CRun(ctypes.Structure):
    _fields_ = [
        ("topic", c_void_p),
        ("topic_len", c_size_t),
        ("partition", c_int32),
        ("first", c_int64),
        ("last", c_int64),
        ("rows", c_size_t),
        ("unreadable", c_size_t),
    ]


class _CEvent(ctypes.Structure):
    _fields_ = [
        ("topic", c_void_p),
        ("topic_len", c_size_t),
        ("text", c_void_p),
        ("text_len", c_size_t),
        ("partition", c_int32),
        ("err", c_int),
        ("offset", c_int64),
    ]


class _CTold(ctypes.Structure):
    _fields_ = [
        ("runs", POINTER(_CRun)),
        ("run_count", c_size_t),
        ("events", POINTER(_CEvent)),
        ("event_count", c_size_t),
    ]


@dataclass(frozen=True, slots=True)
class NativeRun:
    """A run as columns; see `Run`.

    Attributes:
        topic_partition: The records' partition.
        first: The offset of the first record, be it readable or not.
        next_offset: The offset behind the last one.
        rows: The records, in the columns of `RAW_SCHEMA`.
        unreadable: Those whose headers can't be read, with no headers; None where all can.
    """

    topic_partition: TopicPartition
    first: int
    next_offset: int
    rows: pa.RecordBatch
    unreadable: pa.RecordBatch | None

    def slice_from(self, position: int) -> RawSlice | None:
        """See `Run.slice_from`."""
        if self.next_offset <= position:
            return None
        rows, unread = self.rows, self.unreadable
        if self.first < position:
            rows, unread = _from(rows, position), None if unread is None else _from(unread, position)
        return RawSlice(
            self.topic_partition,
            self.first if position == FROM_THE_START else position,
            self.next_offset,
            rows,
            () if unread is None else tuple(self._bad(unread)),
        )

    def _bad(self, unread: pa.RecordBatch) -> Iterator[BadRecord]:
        times = unread.column("timestamp").cast(pa.int64())
        for row, timestamp_ms in zip(unread.to_pylist(), times.to_pylist(), strict=True):
            yield unreadable(
                self.topic_partition,
                offset=row["offset"],
                timestamp_ms=timestamp_ms,
                key=row["key"],
                value=row["value"],
            )


class BatchReader:
    """Reads queues of one librdkafka.

    Args:
        library: librdkafka.
        native: The native library.
    """

    def __init__(self, library: Library, native: ctypes.CDLL) -> None:
        self._library = library
        self._functions = (c_void_p * len(FUNCTIONS))(*map(library.address, FUNCTIONS))
        self._read, self._run, self._free = (
            native.streamsink_kafka_read,
            native.streamsink_kafka_run,
            native.streamsink_kafka_free,
        )
        self._read.restype = c_void_p
        self._read.argtypes = [c_void_p, c_void_p, c_int, c_size_t, POINTER(_CTold)]
        self._run.argtypes = [c_void_p, c_size_t, c_int, c_char_p]
        self._free.restype, self._free.argtypes = None, [c_void_p]

    def read(self, queue: int, count: int, timeout_ms: int) -> Reading:
        """Take messages. Callbacks run meanwhile.

        Args:
            queue: librdkafka's.
            count: How many messages to take at most.
            timeout_ms: How long to wait for the first one.

        Raises:
            TerminalError: They can't be read; some may be lost to this client.
        """
        told = _CTold()
        batch = self._read(self._functions, queue, timeout_ms, count, told)
        if not batch:
            raise TerminalError("the native library can't read messages", hint="set consumer.native=false")
        try:
            runs = [self._take(batch, at, told.runs[at]) for at in range(told.run_count)]
            return Reading(runs, [self._event(told.events[at]) for at in range(told.event_count)])
        finally:
            self._free(batch)

    def _take(self, batch: int, at: int, told: Any) -> NativeRun:
        return NativeRun(
            TopicPartition(_text(told.topic, told.topic_len), told.partition),
            told.first,
            told.last + 1,
            self._columns(batch, at, unread=False),
            self._columns(batch, at, unread=True) if told.unreadable else None,
        )

    def _columns(self, batch: int, at: int, *, unread: bool) -> pa.RecordBatch:
        rows = taken(
            lambda array: self._run(batch, at, int(unread), array),
            lambda address: pa.RecordBatch._import_from_c(address, RAW_SCHEMA),  # noqa: SLF001
        )
        if rows is None:
            raise TerminalError("the native library can't give records", hint="set consumer.native=false")
        return rows

    def _event(self, told: Any) -> Message:
        return Message(
            topic=_text(told.topic, told.topic_len) or None,
            partition=told.partition,
            offset=told.offset,
            error=error_of(self._library, told.err, _text(told.text, told.text_len)),
        )


def _from(rows: pa.RecordBatch, position: int) -> pa.RecordBatch:
    return rows.filter(pc.greater_equal(rows.column("offset"), position))


def _text(start: int | None, size: int) -> str:
    return ctypes.string_at(start, size).decode(errors="replace") if start and size else ""
