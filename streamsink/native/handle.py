"""A reader of the native library's, from opening to end, and the arrays that it gives. Knows no bytes, no schemas."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from streamsink.native.library import load

_ARRAY_BYTES = 80
"""Of `ArrowArray` in Arrow's C data interface."""

Taken = TypeVar("Taken")


def taken(fill: Callable[[object], int], take: Callable[[int], Taken]) -> Taken | None:
    """An array that the library hands over.

    Args:
        fill: Calls the library with a place for an array; anything but 0: there is none.
        take: Imports the array at an address. Arrow's documentation names `_import_from_c` as the way for programs
            that are no Python extension.

    Returns:
        None where the library gives none.
    """
    array = ctypes.create_string_buffer(_ARRAY_BYTES)
    return None if fill(array) else take(ctypes.addressof(array))


class Handle:
    """A reader of one description, closed with this object. Not thread-safe.

    Args:
        library: As `load` of `library.py` gives it.
        name: The reader's in the library: `json` or `avro`.
        address: What the library has opened.
        kind: The struct that its columns make.
    """

    def __init__(self, library: ctypes.CDLL, name: str, address: int, kind: pa.StructType) -> None:
        self._read = getattr(library, f"streamsink_{name}_read")
        self._handle = ctypes.c_void_p(address)
        self.kind = kind
        weakref.finalize(self, getattr(library, f"streamsink_{name}_close"), self._handle)

    def read(self, *arguments: object) -> pa.StructArray | None:
        """Call the library's reader with these arguments, which stand between the handle and the array's place.

        Returns:
            None where nothing could be read.
        """
        return taken(
            lambda array: self._read(self._handle, *arguments, array),
            lambda address: pa.Array._import_from_c(address, self.kind),  # noqa: SLF001
        )


def open_handle(name: str, description: bytes, kind: pa.StructType) -> Handle | None:
    """Open a reader.

    Args:
        name: The reader's in the library: `json` or `avro`.
        description: The columns, in the form of the reader's source.
        kind: The same columns as an Arrow type.

    Returns:
        None where there is no library, or it doesn't know such a description.
    """
    library = load()
    if library is None:
        return None
    opens = getattr(library, f"streamsink_{name}_open")
    opens.restype = ctypes.c_void_p
    address = opens(description, ctypes.c_size_t(len(description)))
    return Handle(library, name, address, kind) if address else None
