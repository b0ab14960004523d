"""Computes a digest of records in offset order that does not depend on how they were batched. Pure."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULL_LENGTH = -1


class RecordsDigest:
    """SHA-256 over each column, and over those: offsets, times, keys, values, headers."""

    def __init__(self) -> None:
        self._columns = {name: hashlib.sha256() for name in _PARTS}

    def add(self, records: pa.RecordBatch) -> None:
        """Take records in the columns of an audit, in the order of offsets."""
        self._add("offset", records.column("offset").to_numpy())
        self._add("timestamp", records.column("timestamp").fill_null(-1).to_numpy())
        self._add_binary("key", records.column("key"))
        self._add_binary("value", records.column("value"))
        headers = records.column("headers")
        self._add("headers", pc.list_value_length(headers).fill_null(0).to_numpy().astype(np.int32))
        pairs = headers.flatten()
        if len(pairs):
            self._add_binary("header.key", pc.struct_field(pairs, "key").cast(pa.binary()))
            self._add_binary("header.value", pc.struct_field(pairs, "value"))

    def hexdigest(self) -> str:
        """One digest over all columns' digests."""
        return hashlib.sha256(b"".join(self._columns[name].digest() for name in _PARTS)).hexdigest()

    def _add(self, name: str, numbers: np.ndarray[tuple[int], np.dtype[np.generic]]) -> None:
        self._columns[name].update(np.ascontiguousarray(numbers).tobytes())

    def _add_binary(self, name: str, cells: pa.BinaryArray) -> None:
        self._add(name, pc.binary_length(cells).fill_null(NULL_LENGTH).to_numpy())
        # A null may have bytes behind it that nobody sees.
        filled = cells.fill_null(b"") if cells.null_count else cells
        if len(filled):
            ends = np.frombuffer(filled.buffers()[1], np.int32)[filled.offset : filled.offset + len(filled) + 1]
            data = filled.buffers()[2]
            if data is not None:
                self._columns[f"{name}.bytes"].update(memoryview(data)[int(ends[0]) : int(ends[-1])])


_PARTS = (
    "offset",
    "timestamp",
    "key",
    "key.bytes",
    "value",
    "value.bytes",
    "headers",
    "header.key",
    "header.key.bytes",
    "header.value",
    "header.value.bytes",
)
