"""Reads JSON records into Arrow columns with the native library; knows bytes and types, and nothing of shapes.

It reads by a description of the columns (`src/place.rs` says how one is written), and never gives a row that may be
wrong: what it isn't sure of is in doubt.
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


class JsonReader:
    """A reader of one set of columns. Not thread-safe.

    Args:
        library: As `load` of `library.py` gives it.
        description: The columns to read.
        kind: The struct that the columns make.

    Raises:
        ValueError: The library doesn't know such a description.
    """

    def __init__(self, library: ctypes.CDLL, description: bytes, kind: pa.StructType) -> None:
        library.streamsink_json_open.restype = ctypes.c_void_p
        handle = library.streamsink_json_open(description, ctypes.c_size_t(len(description)))
        if not handle:
            raise ValueError("the native library doesn't know such columns")
        self._read = library.streamsink_json_read
        self._handle = ctypes.c_void_p(handle)
        self._kind = kind
        weakref.finalize(self, library.streamsink_json_close, self._handle)

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
            return pa.nulls(rows, self._kind), doubt
        size = 0 if data is None else data.size
        array = ctypes.create_string_buffer(_ARRAY_BYTES)
        failed = self._read(
            self._handle,
            ctypes.c_void_p(offsets.address + values.offset * 4),
            ctypes.c_size_t(rows),
            ctypes.c_void_p(data.address if size else None),
            ctypes.c_size_t(size),
            ctypes.c_void_p(doubt.ctypes.data),
            array,
        )
        if failed:
            return None
        # Arrow's documentation names this as the way for programs that are no Python extension.
        return pa.Array._import_from_c(ctypes.addressof(array), self._kind), doubt  # noqa: SLF001


def make_reader(description: bytes, kind: pa.StructType) -> JsonReader | None:
    """Make a reader of columns.

    Args:
        description: The columns, as `src/place.rs` describes them.
        kind: The same columns as an Arrow type.

    Returns:
        None where there is no library, or it doesn't know such a description.
    """
    library = load()
    if library is None:
        return None
    try:
        return JsonReader(library, description, kind)
    except ValueError:
        return None
