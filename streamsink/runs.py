"""Offsets as runs without holes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

_FIRST, _LAST = np.array([0]), np.array([-1])
_NEXT_OBJECT = 2
"""Stands for the step from one object to the next: it ends a run, and ascends."""


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
        [runs] = cls.of_each(offsets, np.array([offsets.size]))
        return runs

    @classmethod
    def of_each(cls, offsets: Int64s, counts: Int64s) -> list[Runs]:
        """Find the runs of several objects' offsets, which costs hardly more than those of one.

        Args:
            offsets: All offsets: those of an object, in any order, follow those of the object before.
            counts: How many each object has, at least one.
        """
        if not counts.size:
            return []
        ends = np.cumsum(counts)
        starts = ends - counts
        steps = np.diff(offsets)
        steps[starts[1:] - 1] = _NEXT_OBJECT
        firsts_at, firsts, lasts = _cut(offsets, steps)
        cuts = [*np.searchsorted(firsts_at, starts).tolist(), firsts_at.size]
        found = [cls(firsts[cut:end], lasts[cut:end]) for cut, end in pairwise(cuts)]
        for at in set(np.searchsorted(ends, np.flatnonzero(steps < 1), side="right").tolist()):
            ordered = np.sort(offsets[starts[at] : ends[at]])
            found[at] = cls(*_cut(ordered, np.diff(ordered))[1:], ascending=False)
        return found

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


def _cut(offsets: Int64s, steps: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Cut offsets where a step isn't one: the places of the first offsets, these, and the last ones."""
    breaks = np.flatnonzero(steps != 1)
    firsts_at, lasts_at = np.concatenate([_FIRST, breaks + 1]), np.concatenate([breaks, _LAST])
    return firsts_at, offsets[firsts_at], offsets[lasts_at]
