"""Reads Avro records of one schema into Arrow columns with the native library; knows bytes and types, no schemas.

It reads by a description of the fields (`src/avro.rs` reads it). Records that aren't all in order it doesn't read.
"""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.native.handle import Handle, open_handle


class AvroRecords:
    """A reader of one schema. Not thread-safe.

    Args:
        handle: The library's reader of it.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def read(
        self, data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
    ) -> pa.StructArray | None:
        """One row a record.

        Args:
            data: The records' buffer.
            starts: Where each begins.
            stops: Where each ends.

        Returns:
            None where a record isn't in order.
        """
        starts, stops = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(stops, np.int64)
        if not len(starts) or len(starts) != len(stops) or not len(data):
            return None
        return self._handle.read(
            ctypes.c_void_p(data.ctypes.data),
            ctypes.c_size_t(len(data)),
            ctypes.c_void_p(starts.ctypes.data),
            ctypes.c_void_p(stops.ctypes.data),
            ctypes.c_size_t(len(starts)),
        )


def make_records(description: bytes, kind: pa.StructType) -> AvroRecords | None:
    """Make a reader of records.

    Args:
        description: Their fields, as `src/avro.rs` reads them.
        kind: The same fields as an Arrow type.

    Returns:
        None where there is no library, or it doesn't know such a description.
    """
    handle = open_handle("avro", description, kind)
    return None if handle is None else AvroRecords(handle)
