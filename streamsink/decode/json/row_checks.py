"""Looks at JSON texts and at what Arrow read of them, row by row: which rows may be wrong. Pure.

Each function errs on the side of doubt: the exact reader then decides.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.json.fast_reader import DoubtError, buffers
from streamsink.decode.json.text import DOUBLE_EXACT_MAX

Mask = npt.NDArray[np.bool_]

_SPACES = np.frombuffer(b" \t\r\n", np.uint8)
_SPACES_MAX = 4
_COLON, _QUOTE, _SPACE, _NULL, _OPEN, _CLOSE = (ord(sign) for sign in ':" n{}')


def looks(values: pa.Array, clashes: list[re.Pattern[bytes]]) -> Mask:
    """Rows that are no one object in UTF-8, or look like a clash.

    Args:
        values: Binary, none null.
        clashes: What values that a column can't take look like.
    """
    offsets, data = buffers(values)
    starts, ends = offsets[:-1], offsets[1:]
    doubt: Mask = (ends - starts) < 2
    if doubt.all():
        return doubt
    if doubt.any():
        starts, ends = np.where(doubt, 0, starts), np.where(doubt, 1, ends)
    doubt |= data[starts] != _OPEN
    doubt |= ~_closed(data, starts, ends)
    used = data[offsets[0] : offsets[-1]]
    if len(used) and used.min() == 0:
        zeros = np.flatnonzero(used == 0) + offsets[0]
        doubt[np.searchsorted(offsets, zeros, side="right") - 1] = True
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        doubt |= np.array([not _is_utf8(value) for value in values.to_pylist()])
    for clash in clashes:
        mark(clash, used, offsets, doubt)
    return doubt


def _closed(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32]) -> Mask:
    """Which values end with a brace, a few spaces after it allowed."""
    lasts = ends - 1
    closed: Mask = data[lasts] == _CLOSE
    for _ in range(_SPACES_MAX):
        if closed.all():
            break
        spaces = ~closed & np.isin(data[lasts], _SPACES) & (lasts > starts)
        if not spaces.any():
            break
        lasts = lasts - spaces
        closed |= spaces & (data[lasts] == _CLOSE)
    return closed


def mark(pattern: re.Pattern[bytes], data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32], doubt: Mask) -> None:
    """Mark the rows in which a pattern is found.

    Args:
        pattern: What to find.
        data: All rows' bytes.
        offsets: Where each row begins, and the last one ends.
        doubt: One flag a row.
    """
    places = [found.start() for found in pattern.finditer(data.data)]
    if places:
        doubt[np.searchsorted(offsets, np.array(places) + offsets[0], side="right") - 1] = True


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A table's column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def is_there(array: pa.Array) -> Mask:
    """Say which values aren't null."""
    return np.asarray(array.is_valid())


def judge_doubles(array: pa.Array, doubt: Mask) -> None:
    """Mark rows whose double may differ from the text.

    Integers past 2**53 may have lost digits; NaN and infinities aren't JSON.

    Args:
        array: Doubles.
        doubt: One entry a row; changed in place.
    """
    numbers = np.abs(array.fill_null(0).to_numpy(zero_copy_only=False) if array.null_count else array.to_numpy())
    if not bool((numbers < DOUBLE_EXACT_MAX).all()):
        doubt |= ~(numbers < DOUBLE_EXACT_MAX)


def integers(array: pa.Array, doubt: Mask) -> pa.Array:
    """Turn doubles into the integers they may be written as.

    Args:
        array: Doubles.
        doubt: One entry a row; rows with other numbers are marked in place.
    """
    numbers = array.fill_null(0).to_numpy(zero_copy_only=False) if array.null_count else array.to_numpy()
    whole = (
        (np.abs(numbers) < DOUBLE_EXACT_MAX) & (np.floor(numbers) == numbers) & ~((numbers == 0) & np.signbit(numbers))
    )
    doubt |= ~whole
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=mask)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def keys_of(values: pa.Array) -> npt.NDArray[np.int64]:
    """Count each value's keys that may hold more than null: more where strings look like keys, never fewer.

    Each key is a quote and a colon. Inside a string such a pair may stand as well, behind a backslash; and where a
    null follows, it does so for both.

    Raises:
        DoubtError: There are spaces between quotes and colons.
    """
    offsets, data = buffers(values)
    data = data[offsets[0] : offsets[-1]]
    colons = np.flatnonzero(data == _COLON)
    colons = colons[colons > 0]
    before = data[colons - 1]
    apart = colons[before <= _SPACE]
    if len(apart) and bool(((data[apart - 2] == _QUOTE) | (data[apart - 2] <= _SPACE)).any()):
        raise DoubtError
    keys = colons[before == _QUOTE]
    last = len(data) - 1
    follows = data[np.minimum(keys + 1, last)]
    follows = np.where(follows == _SPACE, data[np.minimum(keys + 2, last)], follows)
    counts: npt.NDArray[np.int64] = np.diff(np.searchsorted(keys[follows != _NULL], offsets - offsets[0]))
    return counts


def keys_read(array: pa.Array) -> npt.NDArray[np.int64]:
    """Count the keys that each row's cell stands for: the cell's own, and the keys inside it."""
    kind = array.type
    own = is_there(array).astype(np.int64) if array.null_count else np.ones(len(array), np.int64)
    if pa.types.is_struct(kind):
        for member in array.flatten():
            own += keys_read(member)
    if pa.types.is_list(kind) and pa.types.is_nested(kind.value_type):
        inner = keys_read(array.flatten())
        inside = np.asarray(pc.list_parent_indices(array))
        # An item has no key of its own.
        np.add.at(own, inside, inner - is_there(array.flatten()).astype(np.int64))
    return own


def overlaid(array: pa.Array, exact: pa.Array, doubt: Mask) -> pa.Array:
    """Put exact values into the rows in doubt.

    Args:
        array: The whole column.
        exact: The exact reader's values, one for each row in doubt.
        doubt: One entry a row of `array`.
    """
    if not len(exact) or (exact.null_count == len(exact) and array.null_count == len(array)):
        return array
    if len(exact) == len(array):
        return exact
    if not pa.types.is_nested(array.type):
        return pc.replace_with_mask(array, pa.array(doubt), exact)
    places = np.arange(len(array))
    places[doubt] = len(array) + np.arange(len(exact))
    return pa.concat_arrays([array, exact]).take(pa.array(places))
