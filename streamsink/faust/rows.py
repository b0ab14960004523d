"""Results as raw slices: what the sink's task would have read from Kafka. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from faust.types import Message

from streamsink.record import RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition

CREATE_TIME = 1
NO_TIME = 0

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Row:
    """One result, with what its message says of itself."""

    offset: int
    timestamp_s: float | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(slots=True)
class Gathered:
    """What came of one partition since the last slice: its rows, and the range of offsets they are all of."""

    start: int
    end: int
    rows: list[Row] = field(default_factory=list)

    def as_slice(self, name: TopicPartition) -> RawSlice:
        """As the task takes it."""
        rows = self.rows
        times_s = np.array([row.timestamp_s for row in rows], np.float64)  # None is NaN
        unknown = np.isnan(times_s)
        times_ms = np.where(unknown, 0, np.rint(times_s * 1000)).astype(np.int64)
        columns = [
            pa.array(np.fromiter([row.offset for row in rows], np.int64, len(rows))),
            pa.array(times_ms, pa.int64(), mask=unknown).cast(TIMESTAMP_TYPE),
            pa.array(np.where(unknown, NO_TIME, CREATE_TIME).astype(np.int8)),
            pa.array([row.key for row in rows], pa.binary()),
            pa.array([row.value for row in rows], pa.binary()),
            pa.array([row.headers for row in rows], RAW_SCHEMA.field("headers").type),
        ]
        return RawSlice(name, self.start, self.end, pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA))


def headers_of(message: Message) -> Headers:
    """A message's headers in Kafka's form: ordered, doubles kept."""
    headers = message.headers
    if not headers:
        return ()
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)
