"""Reads Avro's numbers and byte strings from all records of a batch at once, each at its position. Pure.

A record that can't be read on is marked with the reason, and from there on reads as empty: others are not disturbed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

PADDING_BYTES = 64
"""Read past the last record instead of asking at each byte; no value that reaches there is kept."""

_HIGH = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)


class Cursor:
    """Records of one buffer, each between where it is read and where it ends.

    Args:
        data: All records' bytes, `PADDING_BYTES` behind them.
        at: Where each is read next; rising.
        end: Where each ends.
        rows: Which row of the batch each is.
        bad: Why rows can't be read; shared by all cursors of a batch.
    """

    def __init__(self, data: Bytes, at: Int64s, end: Int64s, rows: Int64s, bad: dict[int, str]) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.rows = rows
        self.bad = bad
        self.words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data.data, strides=(1,))

    def __len__(self) -> int:
        """How many records."""
        return len(self.at)

    def take(self, chosen: Int64s) -> Cursor:
        """Take some of the records out; `put` brings back how far they were read."""
        return Cursor(self.data, self.at[chosen], self.end[chosen], self.rows[chosen], self.bad)

    def put(self, chosen: Int64s, other: Cursor) -> None:
        """Move records on to where another cursor has read them.

        Args:
            chosen: Indices of the records, as `take` was given them.
            other: The cursor that `take` gave.
        """
        self.at[chosen] = other.at

    def fail(self, which: npt.NDArray[np.bool_], why: str) -> None:
        """Mark records as bad; each keeps its first reason, and from here on reads as empty.

        Args:
            which: One entry a record of this cursor.
            why: The reason, for an operator.
        """
        for row in self.rows[which].tolist():
            self.bad.setdefault(row, why)
        self.at[which] = self.end[which]

    def good(self) -> npt.NDArray[np.bool_]:
        """Say which records are not marked as bad."""
        if not self.bad:
            return np.ones(len(self), np.bool_)
        return ~np.isin(self.rows, np.fromiter(self.bad, np.int64, len(self.bad)))

    def forward(self, lengths: Int64s | int, what: str) -> Int64s:
        """Pass over bytes of each record. A record that has fewer is marked as bad.

        Args:
            lengths: How many bytes, for each record or for all.
            what: What the bytes are, for the reason, as "a string".

        Returns:
            Where the bytes of each record start.
        """
        start = self.at
        after = start + lengths
        short = after > self.end
        if isinstance(lengths, np.ndarray):
            short |= lengths < 0
        self.at = after
        if short.any():
            self.fail(short, f"it ends within {what}")
            start = np.where(short, self.end, start)
        return start

    def longs(self) -> Int64s:
        """A zigzag varint of each."""
        words = self.words[self.at]
        if not (words & np.uint64(0x80)).any():
            zigzag = words & np.uint64(0x7F)
            self.forward(1, "a number")
        else:
            zigzag = self._many_bytes(words)
        return (zigzag >> _ONE).view(np.int64) ^ -(zigzag & _ONE).view(np.int64)

    def _many_bytes(self, words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Eight bytes at once: where the varint ends, then its groups of seven bits moved together."""
        ends = ~words & _HIGH
        lowest = ends & (~ends + _ONE)
        below = lowest - _ONE
        lengths = (np.bitwise_count(below).astype(np.int64) + 1) // 8
        bits = words & (below | lowest) & ~_HIGH
        bits = (bits & np.uint64(0x007F007F007F007F)) | ((bits & np.uint64(0x7F007F007F007F00)) >> _ONE)
        bits = (bits & np.uint64(0x00003FFF00003FFF)) | ((bits & np.uint64(0x3FFF00003FFF0000)) >> np.uint64(2))
        bits = (bits & np.uint64(0x000000000FFFFFFF)) | ((bits & np.uint64(0x0FFFFFFF00000000)) >> np.uint64(4))
        long = np.flatnonzero(ends == 0)
        if long.size:
            self._longer(long, bits, lengths)
        self.forward(lengths, "a number")
        return bits

    def _longer(self, long: Int64s, bits: npt.NDArray[np.uint64], lengths: Int64s) -> None:
        """Nine and ten bytes."""
        ninth = self.data[self.at[long] + 8].astype(np.uint64)
        tenth = self.data[self.at[long] + 9].astype(np.uint64)
        more = ninth >= 0x80
        wrong = more & (tenth > 1)
        bits[long] |= (ninth & np.uint64(0x7F)) << np.uint64(56)
        bits[long[more]] |= (tenth[more] & _ONE) << np.uint64(63)
        lengths[long] = 9 + more
        if wrong.any():
            marked = np.zeros(len(self), np.bool_)
            marked[long[wrong]] = True
            self.fail(marked, "a number has more than 64 bits")
            lengths[marked] = 0

    def cells(self, starts: Int64s, stops: Int64s) -> pa.BinaryArray:
        """Copy stretches of bytes into one cell each.

        One Arrow array is laid over both the stretches and the gaps between them, and its even cells are taken: Arrow
        does the copying.

        Args:
            starts: Where each stretch starts, ascending.
            stops: Where it ends, not past the next start.
        """
        count = len(starts)
        if not count:
            return pa.array([], pa.binary())
        offsets = np.empty(2 * count, np.int32)
        offsets[0::2], offsets[1::2] = starts, stops
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        between = pa.Array.from_buffers(pa.binary(), 2 * count - 1, buffers)
        return between.take(pa.array(np.arange(0, 2 * count - 1, 2)))

    def block(self, starts: Int64s, size: int) -> Bytes:
        """Copy stretches of one length.

        Args:
            starts: Where each stretch starts.
            size: Bytes of each stretch.

        Returns:
            An array of `len(starts)` rows and `size` columns.
        """
        found: Bytes = self.data[starts[:, None] + np.arange(size)]
        return found
