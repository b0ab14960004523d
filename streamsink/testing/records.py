"""Records of a simulation, as slices a consumer gives, and how they are decoded and partitioned. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from streamsink.errors import TransientError
from streamsink.record import (
    HEADERS_TYPE,
    RAW_SCHEMA,
    TIMESTAMP_TYPE,
    BadRecord,
    DecodedSlice,
    RawSlice,
    TopicPartition,
)
from streamsink.sink.core.open_file import Lane

CACHED = 1 << 16
BAD = "bad"
"""The schema of records that can't be decoded."""
ROW_BYTES = 20
"""What a record occupies in memory beside its own size."""

SLICE_ROWS_MAX = 64

Row = tuple[int, "SimRecord"]
"""An offset and its record."""


@dataclass(frozen=True, slots=True)
class SimRecord:
    """One record: the encoded partition its value belongs to, its schema, its time, its size."""

    encoded_partition: str
    schema: str
    time_ms: int
    size_bytes: int

    @property
    def bad(self) -> bool:
        """Whether it can't be decoded."""
        return self.schema == BAD

    @property
    def key(self) -> tuple[str, int]:
        """The key by which a later record supersedes this one."""
        return self.encoded_partition, self.size_bytes % 3

    @property
    def tag(self) -> str:
        """Tagged schemas never share a file, others widen."""
        return self.schema if self.schema.startswith("tag") else ""

    def to_bytes(self) -> bytes:
        """The record's value."""
        return f"{self.encoded_partition}|{self.schema}|{self.time_ms}|{self.size_bytes}".encode()


@lru_cache(CACHED)
def from_bytes(value: bytes) -> SimRecord:
    """The record of a value."""
    path, schema, time_ms, size_bytes = value.decode().split("|")
    return SimRecord(path, schema, int(time_ms), int(size_bytes))


def lane_of(record: SimRecord, layout: str) -> Lane:
    """Find the lane of a record. Under another layout it is another one.

    Args:
        record: Its encoded partition and tag decide.
        layout: The first part of the lane's path.

    Returns:
        Path and schema tag.
    """
    return Lane(f"{layout}/{record.encoded_partition}", record.tag)


@lru_cache(CACHED)
def lane_key(record: SimRecord, layout: str) -> str:
    """Name the lane of a record.

    Args:
        record: Its encoded partition and tag decide.
        layout: The first part of the lane's path.
    """
    return lane_of(record, layout).key


_SAME = (
    pa.array(np.ones(SLICE_ROWS_MAX, np.int8)),
    pa.nulls(SLICE_ROWS_MAX, pa.binary()),
    pa.array([[]] * SLICE_ROWS_MAX, HEADERS_TYPE),
)
"""Timestamp types, keys and headers are the same for all."""


def raw_slice(partition: TopicPartition, start: int, rows: Sequence[Row]) -> RawSlice:
    """Make a slice from `start` to its last record, as a consumer gives it.

    Args:
        partition: The topic partition.
        start: The slice's first offset, which may be a hole.
        rows: Offsets and records, ascending, at least one.

    Returns:
        The columns of `RAW_SCHEMA`, one row a record.
    """
    count = len(rows)
    columns = [
        pa.array([offset for offset, _ in rows], pa.int64()),
        pa.array([record.time_ms for _, record in rows], TIMESTAMP_TYPE),
        *(column.slice(0, count) for column in _SAME[:2]),
        pa.array([record.to_bytes() for _, record in rows], pa.binary()),
        _SAME[2].slice(0, count),
    ]
    return RawSlice(partition, start, rows[-1][0] + 1, pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA))


def rows_of(batch: pa.RecordBatch) -> list[Row]:
    """The rows of a batch that has offsets and values."""
    offsets, values = batch.column("offset").to_pylist(), batch.column("value").to_pylist()
    return [(offset, from_bytes(value)) for offset, value in zip(offsets, values, strict=True)]


class SimDecoder:
    """A `Decoder`: widens what has no tag, leaves out bad records, and waits for a registry while that is away."""

    def __init__(self) -> None:
        self.away = False
        self._widest = ""

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """See `Decoder.parts`.

        Raises:
            TransientError: The registry is away.
        """
        if self.away:
            raise TransientError("the registry is away", hint="wait")
        tags = [record.tag for _, record in rows_of(raw.rows)]
        if len(set(tags)) == 1:
            return [raw]
        found = []
        for tag in sorted(set(tags)):
            chosen = [index for index, other in enumerate(tags) if other == tag]
            found.append(RawSlice(raw.topic_partition, raw.start, raw.next_offset, raw.rows.take(pa.array(chosen))))
        return found

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """See `Decoder.decode`."""
        rows = rows_of(raw.rows)
        good = [index for index, (_, record) in enumerate(rows) if not record.bad]
        self._widest = max([self._widest, *(rows[index][1].schema for index in good)])
        tag = rows[0][1].tag
        kept = raw.rows if len(good) == len(rows) else raw.rows.take(pa.array(good, pa.int64()))
        decoded = kept.select(["offset", "value"]).replace_schema_metadata({"schema": tag or self._widest})
        times_ms = pa.array([rows[index][1].time_ms for index in good], pa.int64())
        bad = tuple(_bad_record(raw.topic_partition, *row) for row in rows if row[1].bad)
        return DecodedSlice(
            raw.topic_partition,
            raw.start,
            raw.next_offset,
            decoded,
            decoded.column("offset"),
            times_ms,
            bad=bad,
            schema_tag=tag,
        )


def _bad_record(partition: TopicPartition, offset: int, record: SimRecord) -> BadRecord:
    return BadRecord(
        partition, offset, record.time_ms, None, record.to_bytes(), (), "VALUE_CONVERTER", "bad", "DecodeError"
    )


class SimPartitioner:
    """A `Partitioner`: the layout, then the record's own path.

    Args:
        layout: Decides the names, as a configuration does.
    """

    deterministic = True

    def __init__(self, layout: str) -> None:
        self._layout = layout

    def encode(self, rows: DecodedSlice, *, now_ms: int) -> str | pa.DictionaryArray:  # noqa: ARG002 - no wall clock
        """See `Partitioner.encode`."""
        paths = [f"{self._layout}/{record.encoded_partition}" for _, record in rows_of(rows.rows)]
        known = sorted(set(paths))
        if len(known) == 1:
            return known[0]
        return pa.DictionaryArray.from_arrays(pa.array([known.index(path) for path in paths], pa.int32()), known)
