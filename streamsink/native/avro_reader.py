"""Reads Avro records of one schema into Arrow columns with the native library; knows bytes and types, no schemas.

It reads by a description of the fields (`src/avro.rs` reads it). Records that aren't all in order it doesn't read.
"""

from __future__ import annotations

import ctypes
import weakref

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.native.library import load

_ARRAY_BYTES = 80
"""Of `ArrowArray` in Arrow's C data interface."""


class AvroRecords:
    """A reader of one schema. Not thread-safe.

    Args:
        library: As `load` of `library.py` gives it.
        description: The fields to read.
        kind: The struct that they make.

    Raises:
        ValueError: The library doesn't know such a description.
    """

    def __init__(self, library: ctypes.CDLL, description: bytes, kind: pa.StructType) -> None:
        library.streamsink_avro_open.restype = ctypes.c_void_p
        handle = library.streamsink_avro_open(description, ctypes.c_size_t(len(description)))
        if not handle:
            raise ValueError("the native library doesn't know such fields")
        self._read = library.streamsink_avro_read
        self._handle = ctypes.c_void_p(handle)
        self._kind = kind
        weakref.finalize(self, library.streamsink_avro_close, self._handle)

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
        array = ctypes.create_string_buffer(_ARRAY_BYTES)
        failed = self._read(
            self._handle,
            ctypes.c_void_p(data.ctypes.data),
            ctypes.c_size_t(len(data)),
            ctypes.c_void_p(starts.ctypes.data),
            ctypes.c_void_p(stops.ctypes.data),
            ctypes.c_size_t(len(starts)),
            array,
        )
        if failed:
            return None
        # Arrow's documentation names this as the way for programs that are no Python extension.
        return pa.Array._import_from_c(ctypes.addressof(array), self._kind)  # noqa: SLF001


def make_records(description: bytes, kind: pa.StructType) -> AvroRecords | None:
    """Make a reader of records.

    Args:
        description: Their fields, as `src/avro.rs` reads them.
        kind: The same fields as an Arrow type.

    Returns:
        None where there is no library, or it doesn't know such a description.
    """
    library = load()
    if library is None:
        return None
    try:
        return AvroRecords(library, description, kind)
    except ValueError:
        return None
