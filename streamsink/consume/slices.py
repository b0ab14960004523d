"""Makes raw slices of messages, reading each message's fields once. The one place with Python per record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, cast

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, Message

from streamsink.consume.assignments import FROM_THE_START
from streamsink.consume.reading import Reading
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, BadRecord, RawSlice, TopicPartition

HEADER_STAGE = "HEADER_CONVERTER"

NO_TIMESTAMP = -1
"""Kafka's timestamp type for "the broker kept none"; librdkafka counts from 0 where Kafka counts from -1."""

_TOPIC, _PARTITION, _OFFSET = Message.topic, Message.partition, Message.offset
_KEY, _VALUE, _TIMESTAMP, _HEADERS = Message.key, Message.value, Message.timestamp, Message.headers
_ERROR = Message.error


@dataclass(frozen=True, slots=True)
class MessageRun:
    """A run of confluent-kafka's messages; see `Run`."""

    topic_partition: TopicPartition
    messages: Sequence[Message]

    def slice_from(self, position: int) -> RawSlice | None:
        """See `Run.slice_from`."""
        messages = self.messages
        first = _OFFSET(messages[0]) or 0
        if first < position:
            messages = [message for message in messages if (message.offset() or 0) >= position]
            if not messages:
                return None
        return raw_slice(self.topic_partition, first if position == FROM_THE_START else position, messages)


def read_messages(consumer: Consumer, count: int, timeout_s: float) -> Reading:
    """Read with confluent-kafka's client.

    Args:
        consumer: The client, whose callbacks run meanwhile.
        count: How many messages to take at most.
        timeout_s: How long to wait for the first one.

    Raises:
        KafkaException: The client can't read.
    """
    messages = consumer.consume(count, timeout_s)
    records, events = messages, []
    if any(map(_ERROR, messages)):
        records = [message for message in messages if message.error() is None]
        events = [message for message in messages if message.error() is not None]
    return Reading([MessageRun(*run) for run in group_messages(records).items()], events)


def group_messages(messages: Sequence[Message]) -> dict[TopicPartition, list[Message]]:
    """Messages by partition, in order. `consume` gives them in runs, so that the grouping costs little."""
    grouped: dict[TopicPartition, list[Message]] = {}
    for partition, by_partition in groupby(messages, key=_PARTITION):
        run = list(by_partition)
        topic = _TOPIC(run[0])
        if topic == _TOPIC(run[-1]) and len({*map(_TOPIC, run)}) == 1:
            grouped.setdefault(TopicPartition(topic or "", partition or 0), []).extend(run)
            continue
        for name, by_topic in groupby(run, key=_TOPIC):
            grouped.setdefault(TopicPartition(name or "", partition or 0), []).extend(by_topic)
    return grouped


def raw_slice(topic_partition: TopicPartition, start: int, messages: Sequence[Message]) -> RawSlice:
    """Make a slice of one partition's messages. Messages that can't be read go to its `bad` rows.

    Args:
        topic_partition: The messages' partition.
        start: The offset where the slice begins: the holes before the first message belong to it.
        messages: At least one, in offset order.
    """
    next_offset = cast("int", _OFFSET(messages[-1])) + 1
    messages, headers, bad = _readable(topic_partition, messages)
    offsets = np.fromiter(map(_OFFSET, messages), dtype=np.int64, count=len(messages))
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(offsets),
            *_timestamps(map(_TIMESTAMP, messages), len(messages)),
            pa.array(list(map(_KEY, messages)), pa.binary()),
            pa.array(list(map(_VALUE, messages)), pa.binary()),
            _headers(cast("list[list[tuple[str, bytes | None]] | None]", headers)),
        ],
        schema=RAW_SCHEMA,
    )
    return RawSlice(topic_partition, start, next_offset, rows, bad)


def _readable(
    topic_partition: TopicPartition, messages: Sequence[Message]
) -> tuple[Sequence[Message], list[Any], tuple[BadRecord, ...]]:
    """The messages whose headers can be read, these headers, and the other messages as bad records.

    Headers are asked for once: after a failure the client keeps a broken list, and to read that ends the process.
    """
    headers: list[Any] = []
    bad: dict[int, BadRecord] = {}
    left = iter(messages)
    while True:
        try:
            headers.extend(map(_HEADERS, left))
        except (SystemError, UnicodeDecodeError):
            at = len(headers) + len(bad)
            bad[at] = _unreadable(topic_partition, messages[at])
        else:
            break
    read = [message for at, message in enumerate(messages) if at not in bad] if bad else messages
    return read, headers, tuple(bad.values())


def _unreadable(topic_partition: TopicPartition, message: Message) -> BadRecord:
    kind, time_ms = _TIMESTAMP(message)
    return unreadable(
        topic_partition,
        offset=cast("int", _OFFSET(message)),
        timestamp_ms=time_ms if kind else None,
        key=_KEY(message),
        value=_VALUE(message),
    )


def unreadable(
    topic_partition: TopicPartition, *, offset: int, timestamp_ms: int | None, key: bytes | None, value: bytes | None
) -> BadRecord:
    """Make a bad record of one whose headers can't be read.

    Args:
        topic_partition: Its partition.
        offset: Its offset.
        timestamp_ms: Its timestamp, None where the broker kept none.
        key: Its key.
        value: Its value.
    """
    return BadRecord(
        topic_partition=topic_partition,
        offset=offset,
        timestamp_ms=timestamp_ms,
        key=key,
        value=value,
        headers=(),
        stage=HEADER_STAGE,
        error="a header's key is not UTF-8, so that no header of the record can be read",
        error_class="DecodeError",
    )


def _timestamps(pairs: Iterable[tuple[int, int]], count: int) -> tuple[pa.Array, pa.Array]:
    flat = np.fromiter(chain.from_iterable(pairs), dtype=np.int64, count=2 * count)
    types = flat[::2].astype(np.int8) + np.int8(NO_TIMESTAMP)
    times = flat[1::2].copy()
    unknown = types == NO_TIMESTAMP
    mask = unknown if unknown.any() else None
    return pa.array(times, pa.int64(), mask=mask).view(TIMESTAMP_TYPE), pa.array(types)


def _headers(found: list[list[tuple[str, bytes | None]] | None]) -> pa.Array:
    if not any(found):
        return _lists(np.zeros(len(found) + 1, dtype=np.int32), [], [])
    counts = np.fromiter((len(headers) if headers else 0 for headers in found), dtype=np.int32, count=len(found))
    ends = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    flat = [header for headers in found if headers for header in headers]
    return _lists(ends, [key for key, _ in flat], [value for _, value in flat])


def _lists(ends: Any, keys: list[str], values: list[bytes | None]) -> pa.Array:
    pairs = pa.StructArray.from_arrays(
        [pa.array(keys, pa.string()), pa.array(values, pa.binary())], fields=list(HEADERS_TYPE.value_type)
    )
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pairs, type=HEADERS_TYPE)
