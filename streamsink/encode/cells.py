"""Bytes by row: cells are binary arrays, one cell for each row, joined into rows in bulk. Knows no format.

A row is written as the parts it consists of, in order: each a binary array, or bytes that are the same in each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Part: TypeAlias = pa.BinaryArray | bytes
"""One cell for each row, or the same bytes for all."""

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_EMPTY = pa.scalar(b"", pa.binary())


def join(parts: Sequence[Part], count: int) -> pa.BinaryArray:
    """Concatenate parts row by row."""
    merged = _merge_constants(parts)
    if len(merged) == 1 and not isinstance(merged[0], bytes):
        return merged[0]
    if all(isinstance(part, bytes) for part in merged):
        return constant(b"".join(part for part in merged if isinstance(part, bytes)), count)
    scalars = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in merged]
    return pc.binary_join_element_wise(*scalars, _EMPTY)


def constant(value: bytes, count: int) -> pa.BinaryArray:
    """The same cell for each row."""
    return from_lengths(np.full(count, len(value), dtype=np.int64), value * count)


def choose(valid: pa.BooleanArray, cells: pa.BinaryArray, otherwise: bytes) -> pa.BinaryArray:
    """`cells` where `valid`, else the same bytes."""
    return pc.if_else(valid, cells, pa.scalar(otherwise, pa.binary()))


def from_lengths(lengths: Int64s, data: bytes | Bytes) -> pa.BinaryArray:
    """Cells of these lengths, cut from contiguous bytes."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    assert offsets[-1] < 2**31, "callers cut rows into pieces that 32-bit offsets reach"
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(lengths), buffers)


def from_fixed(values: npt.NDArray[np.generic], width: int) -> pa.BinaryArray:
    """Cells of one width, from values in the byte order they shall have."""
    count = values.nbytes // width if width else len(values)
    return from_lengths(np.full(count, width, dtype=np.int64), np.ascontiguousarray(values).view(np.uint8).reshape(-1))


def fold(lists: pa.Array, items: pa.BinaryArray) -> pa.BinaryArray:
    """One cell for each list: the cells of its items, one after the other. Null lists give empty cells."""
    ends = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum(list_lengths(lists), out=ends[1:])
    starts, data = layout(items)
    return from_lengths(np.diff(starts[ends]), data)


def list_lengths(lists: pa.Array) -> Int64s:
    """How many items each list has; 0 for null."""
    lengths: Int64s = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def packed(cells: pa.BinaryArray) -> memoryview:
    """The contiguous bytes of all cells."""
    return memoryview(layout(cells)[1].data)


def size_bytes(cells: pa.BinaryArray) -> int:
    """How many bytes all cells have."""
    return int(layout(cells)[0][-1])


def layout(cells: pa.BinaryArray) -> tuple[Int64s, Bytes]:
    """Where each cell starts, and where the last ends, in the contiguous bytes that follow."""
    if not len(cells):
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    _, offsets_buffer, data_buffer = cells.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    if data_buffer is None:
        return offsets.astype(np.int64), np.zeros(0, dtype=np.uint8)
    return offsets.astype(np.int64) - first, np.frombuffer(data_buffer, dtype=np.uint8)[first:last]


def binary(values: pa.Array) -> pa.BinaryArray:
    """Strings or binaries of any kind as cells; null gives an empty cell."""
    cells = values if values.type == pa.binary() else values.cast(pa.binary())
    return cells.fill_null(b"") if cells.null_count else cells


def plain(values: pa.Array) -> pa.Array:
    """Without what formats don't know: dictionaries decoded, extensions as their storage, lists of one kind."""
    if isinstance(values, pa.ExtensionArray):
        return plain(values.storage)
    type_ = values.type
    if pa.types.is_dictionary(type_):
        return values.dictionary_decode()
    if pa.types.is_map(type_):
        entry = pa.field("entry", pa.struct([type_.key_field, type_.item_field]), nullable=False)
        return values.cast(pa.list_(entry))
    if pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return values.cast(pa.list_(type_.value_field))
    return values


def numbers(values: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """A numeric column as numpy, nulls as zeros."""
    filled = values.fill_null(0) if values.null_count else values
    result: npt.NDArray[np.generic] = filled.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return result


def pieces(group: pa.Table, bytes_max: int) -> list[pa.RecordBatch]:
    """The group in batches of about `bytes_max`, each contiguous."""
    rows = max(1, group.num_rows * bytes_max // max(1, group.nbytes))
    return [batch for batch in group.combine_chunks().to_batches(max_chunksize=rows) if batch.num_rows]


def cuts(starts: Int64s, bytes_max: int) -> list[tuple[int, int]]:
    """Row ranges of at most `bytes_max` each, or of one row, from where each row's bytes start."""
    ranges: list[tuple[int, int]] = []
    first, count = 0, len(starts) - 1
    while first < count:
        stop = int(np.searchsorted(starts, starts[first] + bytes_max, side="right")) - 1
        stop = min(count, max(first + 1, stop))
        ranges.append((first, stop))
        first = stop
    return ranges


def _merge_constants(parts: Sequence[Part]) -> list[Part]:
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        elif part != b"" if isinstance(part, bytes) else True:
            merged.append(part)
    return merged or [b""]
