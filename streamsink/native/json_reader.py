"""Reads JSON records into Arrow columns with the native library; knows bytes and types, and nothing of shapes.

It reads by a description of the columns (`src/place.rs` says how one is written), and never gives a row that may be
wrong: what it isn't sure of is in doubt.
"""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.native.handle import Handle, open_handle


class JsonReader:
    """A reader of one set of columns. Not thread-safe.

    Args:
        handle: The library's reader of them.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def read(self, values: pa.Array) -> tuple[pa.StructArray, npt.NDArray[np.bool_]] | None:
        """One row a value, and which rows are in doubt; those are null in all columns.

        Args:
            values: Binary, none null.

        Returns:
            None where nothing could be read.
        """
        rows = len(values)
        doubt = np.zeros(rows, bool)
        _, offsets, data = values.buffers()
        if rows == 0 or offsets is None:
            return pa.nulls(rows, self._handle.kind), doubt
        size = 0 if data is None else data.size
        array = self._handle.read(
            ctypes.c_void_p(offsets.address + values.offset * 4),
            ctypes.c_size_t(rows),
            ctypes.c_void_p(data.address if size else None),
            ctypes.c_size_t(size),
            ctypes.c_void_p(doubt.ctypes.data),
        )
        return None if array is None else (array, doubt)


def make_reader(description: bytes, kind: pa.StructType) -> JsonReader | None:
    """Make a reader of columns.

    Args:
        description: The columns, as `src/place.rs` describes them.
        kind: The same columns as an Arrow type.

    Returns:
        None where there is no library, or it doesn't know such a description.
    """
    handle = open_handle("json", description, kind)
    return None if handle is None else JsonReader(handle)
