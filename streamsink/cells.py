"""Bytes by row: cells are binary arrays, one cell for each row, joined into rows in bulk. Knows no format. Pure.

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
    """Concatenate parts row by row.

    Args:
        parts: In the order in which they are written. A binary array has one cell for each row; bytes are repeated in
            each row.
        count: Rows. Only needed where all parts are bytes, since no array then tells it.

    Returns:
        One cell for each row. A null in any part makes the row null.
    """
    merged = _merge_constants(parts)
    if len(merged) == 1 and not isinstance(merged[0], bytes):
        return merged[0]
    if all(isinstance(part, bytes) for part in merged):
        return constant(b"".join(part for part in merged if isinstance(part, bytes)), count)
    scalars = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in merged]
    return pc.binary_join_element_wise(*scalars, _EMPTY)


def constant(value: bytes, count: int) -> pa.BinaryArray:
    """Repeat one cell for each row.

    Args:
        value: The cell's bytes.
        count: Rows.

    Returns:
        `count` cells without nulls, `count * len(value)` bytes in all.
    """
    return from_lengths(np.full(count, len(value), dtype=np.int64), value * count)


def choose(valid: pa.BooleanArray, cells: pa.BinaryArray, otherwise: bytes) -> pa.BinaryArray:
    """Keep cells where they are valid, and put the same bytes elsewhere.

    Args:
        valid: One flag for each row.
        cells: One cell for each row; a null in it stays null where `valid` is set.
        otherwise: The cell of all other rows.

    Returns:
        One cell for each row.
    """
    return pc.if_else(valid, cells, pa.scalar(otherwise, pa.binary()))


def from_lengths(lengths: Int64s, data: bytes | Bytes) -> pa.BinaryArray:
    """Cut contiguous bytes into cells.

    Args:
        lengths: Bytes of each cell, int64.
        data: All cells, one after the other; below 2 GiB, as 32-bit offsets reach no further.

    Returns:
        One cell for each length, without nulls. It shares memory with `data`.
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    assert offsets[-1] < 2**31, "callers cut rows into pieces that 32-bit offsets reach"
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(lengths), buffers)


def from_fixed(values: npt.NDArray[np.generic], width: int) -> pa.BinaryArray:
    """Make cells of one width from numbers.

    Args:
        values: One value for each row, in the byte order that the cells shall have; or bytes, `width` of them a row.
        width: Bytes of each cell. 0 gives as many empty cells as there are values.

    Returns:
        One cell for each row, without nulls.
    """
    count = values.nbytes // width if width else len(values)
    return from_lengths(np.full(count, width, dtype=np.int64), np.ascontiguousarray(values).view(np.uint8).reshape(-1))


def varint(values: npt.NDArray[np.generic]) -> pa.BinaryArray:
    """Numbers as zigzag varints."""
    signed = values.astype(np.int64, copy=False)
    zigzag = ((signed << 1) ^ (signed >> 63)).view(np.uint64)
    if not len(zigzag) or int(zigzag.max()) < 128:
        return from_fixed(zigzag.astype(np.uint8), 1)
    lengths = np.ones(len(zigzag), dtype=np.int64)
    rest = zigzag >> np.uint64(7)
    while rest.any():
        lengths += rest != 0
        rest >>= np.uint64(7)
    return from_lengths(lengths, _spread(zigzag, lengths))


def _spread(zigzag: npt.NDArray[np.uint64], lengths: Int64s) -> npt.NDArray[np.uint8]:
    """Seven bits at a time, lowest first, the high bit set on all but each number's last byte."""
    starts = np.cumsum(lengths) - lengths
    data = np.empty(int(lengths.sum()), dtype=np.uint8)
    shortest = int(lengths.min())
    for index in range(int(lengths.max())):
        group = (zigzag >> np.uint64(7 * index)).astype(np.uint8) & np.uint8(0x7F)
        group |= ((lengths > index + 1) * 0x80).astype(np.uint8)
        if index < shortest:
            data[starts + index] = group
        else:
            longer = lengths > index
            data[starts[longer] + index] = group[longer]
    return data


def fold(lists: pa.Array, items: pa.BinaryArray) -> pa.BinaryArray:
    """Make one cell for each list: the cells of its items, one after the other.

    Args:
        lists: One list for each row. Only the lists' lengths are read.
        items: The cells of all lists' items, in order, without nulls.

    Returns:
        One cell for each list; an empty one for an empty or null list.
    """
    ends = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum(list_lengths(lists), out=ends[1:])
    starts, data = buffers_of(items)
    return from_lengths(np.diff(starts[ends]), data)


def list_lengths(lists: pa.Array) -> Int64s:
    """The number of items in each list; 0 for null."""
    lengths: Int64s = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def packed(cells: pa.BinaryArray) -> memoryview:
    """The contiguous bytes of all cells."""
    return memoryview(buffers_of(cells)[1].data)


def size_bytes(cells: pa.BinaryArray) -> int:
    """The bytes of all cells together."""
    return int(buffers_of(cells)[0][-1])


def buffers_of(cells: pa.BinaryArray) -> tuple[Int64s, Bytes]:
    """Find a column's bytes without copying them.

    Args:
        cells: The column, perhaps a slice of a longer one.

    Returns:
        `len(cells) + 1` positions, where each cell starts and where the last one ends, and the contiguous bytes that
        they count in.
    """
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
    """Decode what formats don't know: dictionaries to values, extensions to their storage, lists to one kind."""
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
    """A numeric column as numpy, nulls as zeros.

    Args:
        values: A numeric Arrow array.
        dtype: Type of the result.

    Returns:
        One number for each row. Zero stands for null, so that the caller needs the validity beside it.
    """
    filled = values.fill_null(0) if values.null_count else values
    result: npt.NDArray[np.generic] = filled.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return result


def pieces(group: pa.Table, bytes_max: int) -> list[pa.RecordBatch]:
    """Cut a group of rows into batches of about `bytes_max`.

    Args:
        group: The rows. Its mean bytes a row decide how many rows a batch has.
        bytes_max: Bytes in memory.

    Returns:
        Contiguous batches in order, none of them empty and each of one row or more.
    """
    rows = max(1, group.num_rows * bytes_max // max(1, group.nbytes))
    return [batch for batch in group.combine_chunks().to_batches(max_chunksize=rows) if batch.num_rows]


def cuts(starts: Int64s, bytes_max: int) -> list[tuple[int, int]]:
    """Cut rows into ranges of at most `bytes_max`.

    Args:
        starts: Where each row's bytes start, and where the last row's end: one more than there are rows, ascending.
        bytes_max: Bytes of a range. A longer row is a range alone.

    Returns:
        First row and the row behind the last of each range, in order.
    """
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
