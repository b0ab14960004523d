"""Finds where each field's value lies in many BSON documents at once, for those of one layout. Pure: numpy alone.

A layout is the names of a document's fields, in order. Types may differ from document to document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DOUBLE, STRING, DOCUMENT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOL, DATE, NULL = range(1, 11)
REGEX, CODE, SYMBOL, SCOPED, INT32, TIMESTAMP, INT64, DECIMAL = 0x0B, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13
MIN_KEY, MAX_KEY = 0xFF, 0x7F

_FIXED = np.full(256, -1, np.int64)
for _type, _size in {
    DOUBLE: 8,
    UNDEFINED: 0,
    OBJECT_ID: 12,
    BOOL: 1,
    DATE: 8,
    NULL: 0,
    INT32: 4,
    TIMESTAMP: 8,
    INT64: 8,
    DECIMAL: 16,
    MIN_KEY: 0,
    MAX_KEY: 0,
}.items():
    _FIXED[_type] = _size
_MORE = np.full(256, -1, np.int64)
for _type, _size in {STRING: 4, DOCUMENT: 0, ARRAY: 0, BINARY: 5, CODE: 4, SYMBOL: 4, SCOPED: 0}.items():
    _MORE[_type] = _size
"""Bytes beside those that the length in front of a value counts."""
WORD = 8
EMPTY_BYTES = 5
"""A document or array without members."""
_TEXTS = np.isin(np.arange(256), [STRING, CODE, SYMBOL])


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one field, one for each document.

    Attributes:
        types: BSON's.
        starts: Where each begins.
        sizes: How many bytes each has.
    """

    types: Bytes
    starts: Int64s
    sizes: Int64s

    def of(self, rows: Int64s | Mask) -> Values:
        """The values of some documents."""
        return Values(self.types[rows], self.starts[rows], self.sizes[rows])


class Data:
    """Bytes, as numbers that begin at any of them."""

    def __init__(self, data: Bytes) -> None:
        # A few bytes more, so that a number may be read at the end of damaged ones as well.
        self.bytes = np.concatenate([data, np.zeros(WORD, np.uint8)])
        self.size = data.size

    def numbers(self, kind: str, starts: Int64s) -> npt.NDArray[np.generic]:
        """Read numbers that begin at any byte.

        Args:
            kind: The number's numpy type, as `<i4`.
            starts: Where each begins.
        """
        dtype = np.dtype(kind)
        count = self.bytes.size - dtype.itemsize + 1
        return np.ndarray((count,), dtype, self.bytes.data, strides=(1,))[starts]

    def begins_with(self, starts: Int64s, text: bytes) -> Mask:
        """Tell where a text stands. Eight bytes at a time: a byte at a time costs eight times as much.

        Args:
            starts: Where to look; from each on there are as many bytes as the text has.
            text: What to look for.
        """
        same = np.ones(starts.size, bool)
        for done in range(0, len(text), WORD):
            part = text[done : done + WORD]
            words = self.numbers("<u8", starts + done).astype(np.uint64)
            if len(part) < WORD:
                words &= np.uint64(2 ** (8 * len(part)) - 1)
            same &= words == np.uint64(int.from_bytes(part, "little"))
        return same

    def runs(self, starts: Int64s, size: int) -> Bytes:
        """Copy stretches of one length.

        Args:
            starts: Where each begins.
            size: Bytes of each stretch.

        Returns:
            An array of `len(starts)` rows and `size` columns.
        """
        found: Bytes = self.bytes[starts[:, None] + np.arange(size)]
        return found


def whole_documents(data: Data, starts: Int64s, ends: Int64s) -> Mask:
    """Find documents that begin with their length and end with a zero.

    Args:
        data: All documents.
        starts: Where each begins.
        ends: Where each ends.

    Returns:
        One entry a document.
    """
    sizes = ends - starts
    whole = (sizes >= 5) & (starts + 4 <= data.size)
    safe = np.where(whole, starts, 0)
    whole &= data.numbers("<i4", safe) == sizes
    whole &= data.bytes[np.where(whole, ends - 1, 0)] == 0
    return np.asarray(whole, bool)


def layout_of(data: Data, start: int, end: int) -> list[bytes] | None:
    """Read the names of one document's fields.

    Args:
        data: All documents.
        start: Where the document begins.
        end: Where it ends.

    Returns:
        The names in order, each with the zero behind it; None where a field's size can't be told, or two names are
        equal.
    """
    names: list[bytes] = []
    at = start + 4
    while at < end - 1:
        stop = at + 1
        while stop < end and data.bytes[stop]:
            stop += 1
        names.append(data.bytes[at + 1 : stop + 1].tobytes())
        size = sizes_of(data, data.bytes[at : at + 1], np.array([stop + 1]), np.array([end]))[0]
        if size < 0:
            return None
        at = stop + 1 + int(size)
    return names if at == end - 1 and len(set(names)) == len(names) else None


def find_values(data: Data, names: list[bytes], starts: Int64s, ends: Int64s) -> tuple[Mask, list[Values]]:
    """Find the values of all fields in documents of one layout.

    Args:
        data: All documents.
        names: The layout, each name with the zero behind it.
        starts: Where each document begins; all are whole.
        ends: Where each ends.

    Returns:
        One entry a document, whether it has this layout; and for each name the values of all documents, which say
        nothing for documents of another layout.
    """
    alike = np.ones(starts.size, bool)
    at = starts + 4
    found: list[Values] = []
    for name in names:
        values = at + (1 + len(name))
        inside = values < ends
        if not inside.all():
            alike &= inside
            at, values = np.where(inside, at, 0), np.where(inside, values, 0)
        types = data.bytes[at]
        alike &= data.begins_with(at + 1, name)
        sizes = sizes_of(data, types, values, ends)
        alike &= sizes >= 0
        if not alike.all():
            values, sizes = np.where(alike, values, 0), np.where(alike, sizes, 0)
        found.append(Values(types, values, sizes))
        at = values + sizes
    alike &= at == ends - 1
    return alike, found


def sizes_of(data: Data, types: Bytes, starts: Int64s, ends: Int64s) -> Int64s:
    """Tell how many bytes values have.

    Args:
        data: All documents.
        types: The values'.
        starts: Where each begins.
        ends: Where the document that each is in ends.

    Returns:
        One size a value, -1 where it is damaged, or of a type that isn't read here.
    """
    only = only_one(types)
    if only is not None and _FIXED[only] >= 0:
        size = int(_FIXED[only])
        return np.where(starts + size < ends, size, -1)
    if only is not None and _MORE[only] >= 0:
        sizes = data.numbers("<i4", np.minimum(starts, data.size)).astype(np.int64)
        sizes = np.where(sizes >= 0, sizes + _MORE[only], -1)
        texts: Mask | None = np.ones(types.size, bool) if _TEXTS[only] else None
    else:
        sizes = _sizes_of_any(data, types, starts, ends)
        texts = np.asarray(_TEXTS[types], bool)
    fits = (sizes >= 0) & (starts + sizes < ends)
    if texts is not None and texts.any():
        # A text's length counts the zero behind it.
        last = data.bytes[np.where(fits & texts, starts + sizes - 1, 0)]
        fits &= ~texts | ((sizes > 4) & (last == 0))
    return np.where(fits, sizes, -1)


def _sizes_of_any(data: Data, types: Bytes, starts: Int64s, ends: Int64s) -> Int64s:
    sizes: Int64s = _FIXED[types]
    more = _MORE[types]
    counted = more >= 0
    if counted.any():
        lengths = data.numbers("<i4", np.where(counted, np.minimum(starts, data.size), 0)).astype(np.int64)
        sizes = np.where(counted, np.where(lengths >= 0, lengths + more, -1), sizes)
    for row in np.flatnonzero(types == REGEX).tolist():
        sizes[row] = _regex_size(data, int(starts[row]), int(ends[row]))
    return sizes


def only_one(types: Bytes) -> int | None:
    """Give the type that all values have; None where they have several, or there are none."""
    return int(types[0]) if types.size and (types == types[0]).all() else None


def _regex_size(data: Data, start: int, end: int) -> int:
    text = data.bytes[start:end].tobytes()
    pattern = text.find(b"\0")
    options = text.find(b"\0", pattern + 1) if pattern >= 0 else -1
    return options + 1 if options >= 0 else -1
