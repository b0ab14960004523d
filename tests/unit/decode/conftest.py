from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition

MakeSlice = Callable[..., RawSlice]


@pytest.fixture
def make_slice() -> MakeSlice:
    def make(
        values: Sequence[bytes | None], *, keys: Sequence[bytes | None] | None = None, start: int = 100
    ) -> RawSlice:
        count = len(values)
        columns = [
            pa.array(range(start, start + count), pa.int64()),
            pa.array([1_000 + row if row else None for row in range(count)], TIMESTAMP_TYPE),
            pa.array([1] * count, pa.int8()),
            pa.array(keys or [b"k"] * count, pa.binary()),
            pa.array(values, pa.binary()),
            pa.array([[{"key": "h", "value": None}, {"key": "h", "value": b""}]] * count, HEADERS_TYPE),
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)
        return RawSlice(TopicPartition("logs", 3), start, start + count + 5, rows)

    return make
