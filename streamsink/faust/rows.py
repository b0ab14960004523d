"""Makes raw slices of results, as the sink's task would read them from Kafka. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamsink.faust.messages import Rows
from streamsink.record import RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice

CREATE_TIME = 0
NO_TIME = -1


def as_slice(rows: Rows, start: int) -> RawSlice:
    """Make a raw slice of results, as the task takes it.

    Args:
        rows: The results, in order of their offsets. A time of None becomes a null.
        start: Where the slice before has ended.

    Returns:
        The columns of `RAW_SCHEMA`, one row a result.
    """
    times_s = np.array(rows.times_s, np.float64)  # None is NaN
    unknown = np.isnan(times_s)
    times_ms = np.where(unknown, 0, np.rint(times_s * 1000)).astype(np.int64)
    columns = [
        pa.array(np.array(rows.offsets, np.int64)),
        pa.array(times_ms, pa.int64(), mask=unknown).cast(TIMESTAMP_TYPE),
        pa.array(np.where(unknown, NO_TIME, CREATE_TIME).astype(np.int8)),
        pa.array(rows.keys, pa.binary()),
        pa.array(rows.values, pa.binary()),
        pa.array(rows.headers, RAW_SCHEMA.field("headers").type),
    ]
    return RawSlice(rows.name, start, rows.end, pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA))
