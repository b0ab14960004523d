"""Computes a digest of records in offset order that does not depend on how they were batched. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NULL_LENGTH = -1

Parts = Sequence[tuple[str, memoryview]]
"""Bytes of records by column."""


class RecordsDigest:
    """SHA-256 over each column, and over those: offsets, times, keys, values, headers."""

    def __init__(self) -> None:
        self._columns = {name: hashlib.sha256() for name in _PARTS}

    def add(self, parts: Parts) -> None:
        """Take records in the order of offsets, as `digest_parts` gives them."""
        for name, data in parts:
            self._columns[name].update(data)

    def hexdigest(self) -> str:
        """One digest over all columns' digests."""
        return hashlib.sha256(b"".join(self._columns[name].digest() for name in _PARTS)).hexdigest()


def digest_parts(records: pa.RecordBatch) -> Parts:
    """The bytes that digests of records are made of, by column; made once for all digests the records are in.

    Args:
        records: In the columns of an audit.
    """
    headers = records.column("headers")
    parts = [
        ("offset", _bytes(records.column("offset").to_numpy())),
        ("timestamp", _bytes(_without_nulls(records.column("timestamp"), -1).to_numpy())),
        *_binary_parts("key", records.column("key")),
        *_binary_parts("value", records.column("value")),
        ("headers", _bytes(_without_nulls(pc.list_value_length(headers), 0).to_numpy().astype(np.int32, copy=False))),
    ]
    pairs = headers.flatten()
    if len(pairs):
        parts += _binary_parts("header.key", pc.struct_field(pairs, "key").cast(pa.binary()))
        parts += _binary_parts("header.value", pc.struct_field(pairs, "value"))
    return parts


def _binary_parts(name: str, cells: pa.BinaryArray) -> Iterator[tuple[str, memoryview]]:
    yield name, _bytes(_without_nulls(pc.binary_length(cells), NULL_LENGTH).to_numpy())
    # A null may have bytes behind it that nobody sees.
    filled = _without_nulls(cells, b"")
    data = filled.buffers()[2] if len(filled) else None
    if data is not None:
        ends = np.frombuffer(filled.buffers()[1], np.int32)[filled.offset : filled.offset + len(filled) + 1]
        yield f"{name}.bytes", memoryview(data)[int(ends[0]) : int(ends[-1])]


def _without_nulls(array: pa.Array, instead: int | bytes) -> pa.Array:
    return array.fill_null(instead) if array.null_count else array


def _bytes(numbers: npt.NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(numbers).view(np.uint8).data


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
