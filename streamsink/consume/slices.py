"""Messages to raw slices: the one place with Python per record. Reads each message's fields once, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

import numpy as np
import pyarrow as pa
from confluent_kafka import Message

from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition

NO_TIMESTAMP = 0
"""librdkafka's timestamp type for "the broker kept none"."""

_TOPIC, _PARTITION, _OFFSET = Message.topic, Message.partition, Message.offset
_KEY, _VALUE, _TIMESTAMP, _HEADERS = Message.key, Message.value, Message.timestamp, Message.headers


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
    """One partition's messages as a slice that begins at `start`, holes before the first one included."""
    offsets = np.fromiter(map(_OFFSET, messages), dtype=np.int64, count=len(messages))
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(offsets),
            *_timestamps(list(map(_TIMESTAMP, messages))),
            pa.array(list(map(_KEY, messages)), pa.binary()),
            pa.array(list(map(_VALUE, messages)), pa.binary()),
            _headers(cast("list[list[tuple[str, bytes | None]] | None]", list(map(_HEADERS, messages)))),
        ],
        schema=RAW_SCHEMA,
    )
    return RawSlice(topic_partition, start, int(offsets[-1]) + 1, rows)


def _timestamps(pairs: list[tuple[int, int]]) -> tuple[pa.Array, pa.Array]:
    types = np.fromiter(map(itemgetter(0), pairs), dtype=np.int8, count=len(pairs))
    times = np.fromiter(map(itemgetter(1), pairs), dtype=np.int64, count=len(pairs))
    unknown = types == NO_TIMESTAMP
    mask = unknown if unknown.any() else None
    return pa.array(times, pa.int64(), mask=mask).cast(TIMESTAMP_TYPE), pa.array(types)


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
