"""Holds the offsets of a partition that are stored already: by lane, and by offset alone. Pure: values only.

Objects of the present layout say which lane they hold, and cover it from their first offset to their last. Objects of
another layout hold offsets that belong to lanes of the present one in no simple way: of these each offset counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamsink.sink.core.rotation import Int64s

Array = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Inclusive ranges, ascending, apart from each other."""

    firsts: Array = field(default_factory=lambda: _NONE)
    lasts: Array = field(default_factory=lambda: _NONE)

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Ranges:
        """Ranges in any order, which may touch or overlap."""
        given = np.array(sorted(pairs), np.int64).reshape(-1, 2)
        return cls.joined(given[:, 0], given[:, 1])

    @classmethod
    def joined(cls, firsts: Array, lasts: Array) -> Ranges:
        """Join ranges that touch or overlap.

        Args:
            firsts: The first offset of each range, ascending.
            lasts: The last offset of each range, inclusive.
        """
        if not firsts.size:
            return cls()
        reached = np.maximum.accumulate(lasts)
        begins = np.concatenate([[True], firsts[1:] > reached[:-1] + 1])
        ends = np.concatenate([np.flatnonzero(begins)[1:] - 1, [firsts.size - 1]])
        return cls(firsts[begins], reached[ends])

    @property
    def last(self) -> int:
        """The largest offset, -1 where there is none."""
        return int(self.lasts[-1]) if self.lasts.size else -1

    def cover(self, offsets: Array) -> Mask:
        """Say which of these offsets lie in a range."""
        if not self.lasts.size:
            return np.zeros(offsets.size, np.bool_)
        at = np.searchsorted(self.firsts, offsets, side="right") - 1
        return (at >= 0) & (offsets <= self.lasts[np.maximum(at, 0)])

    def begin_between(self, after: int, before: int) -> bool:
        """Whether a range begins between two offsets, both exclusive.

        Args:
            after: The lower offset.
            before: The upper offset.
        """
        at = int(np.searchsorted(self.firsts, after, side="right"))
        return at < self.firsts.size and int(self.firsts[at]) < before


@dataclass(frozen=True, slots=True)
class StoredRanges:
    """The stored offsets: `lanes` by the lane's key, `offsets` of objects whose lanes say nothing."""

    lanes: Mapping[str, Ranges] = field(default_factory=dict)
    offsets: Ranges = field(default_factory=Ranges)
    gone_last: int = -1
    """The largest offset of objects that only the manifest has: the member that stores them again must know of them."""

    @property
    def last(self) -> int:
        """The largest offset of all, -1 where nothing is stored or told of."""
        return max([self.gone_last, self.offsets.last, *(ranges.last for ranges in self.lanes.values())])

    def missing(self, lane: str, offsets: Int64s, start: int) -> list[tuple[int, int]]:
        """Find rows of a lane that are not stored.

        Args:
            lane: The lane's key.
            offsets: The offset of each row, ascending.
            start: The first row to look at.

        Returns:
            Runs of row indices, each with the first row and the row after the last, counted in `offsets`.
        """
        rest = np.asarray(offsets, dtype=np.int64)[start:]
        stored = self.offsets.cover(rest)
        if (ranges := self.lanes.get(lane)) is not None:
            stored |= ranges.cover(rest)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], stored, [True]]).astype(np.int8)))
        return [(start + int(first), start + int(stop)) for first, stop in zip(edges[::2], edges[1::2], strict=True)]

    def parts(self, lane: str, after: int, before: int) -> bool:
        """Whether an object of the lane begins between two offsets, so that one file must not hold both.

        Args:
            lane: The lane's key.
            after: The lower offset, exclusive.
            before: The upper offset, exclusive.
        """
        ranges = self.lanes.get(lane)
        return ranges is not None and ranges.begin_between(after, before)
