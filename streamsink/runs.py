"""Offsets as runs without holes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

_FIRST, _LAST = np.array([0]), np.array([-1])


@dataclass(frozen=True, slots=True)
class Runs:
    """An object's offsets as runs without holes, ascending: far fewer numbers than offsets."""

    firsts: Int64s
    """The first offset of each run."""
    lasts: Int64s
    """The last offset of each run, inclusive. An offset that the object has twice is in two runs."""
    ascending: bool = True
    """Whether each offset was above the one before it, as they were given."""

    @classmethod
    def of(cls, offsets: Int64s) -> Runs:
        """Find the runs of offsets in any order."""
        if not offsets.size:
            return cls(offsets, offsets)
        steps = np.diff(offsets)
        ascending = bool((steps > 0).all())
        if not ascending:
            offsets = np.sort(offsets)
            steps = np.diff(offsets)
        breaks = np.flatnonzero(steps != 1)
        firsts, lasts = np.concatenate([_FIRST, breaks + 1]), np.concatenate([breaks, _LAST])
        return cls(offsets[firsts], offsets[lasts], ascending)

    @classmethod
    def without_holes(cls, first: int, last: int, count: int) -> Runs | None:
        """The one run of a range with so many offsets; None where it has room for holes.

        Args:
            first: The range's first offset.
            last: Its last offset, inclusive.
            count: The number of offsets in it.
        """
        whole = last - first + 1 == count
        return cls(np.array([first], np.int64), np.array([last], np.int64)) if whole else None

    @property
    def first_offset(self) -> int:
        """The least offset; there must be one."""
        return int(self.firsts[0])

    @property
    def last_offset(self) -> int:
        """The greatest offset; there must be one."""
        return int(self.lasts[-1])

    def __len__(self) -> int:
        """The number of runs."""
        return self.firsts.size
