"""Checks that a partition's objects cover its offsets without overlap, and names those in none. Pure.

Objects of different encoded partitions interleave, so their ranges overlap while their offsets must not. Offsets come
as runs, object by object in the order of first offsets; what lies below an object's first is settled and forgotten
once enough runs wait, since settling costs as much for one run as for hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamsink.runs import Int64s, Runs

LISTED_MAX = 1000
"""Holes and overlaps beyond this many are counted, not kept."""

WAITING_MAX = 1024
"""Runs that wait to be settled together."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Offsets that two objects hold, inclusive."""

    first_offset: int
    last_offset: int
    names: tuple[str, str]


@dataclass(slots=True)
class Tiling:
    """One topic partition's coverage so far. Holes are inclusive ranges between the first and the last offset."""

    first_offset: int | None = None
    last_offset: int | None = None
    holes: list[tuple[int, int]] = field(default_factory=list)
    hole_count: int = 0
    offsets_missing: int = 0
    overlaps: list[Overlap] = field(default_factory=list)
    overlap_count: int = 0
    _names: list[str] = field(default_factory=list)
    _starts: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    _ends: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    _owners: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    _last_owner: int = -1
    _waiting: list[Runs] = field(default_factory=list)
    """The runs of the latest objects, by object."""
    _waiting_runs: int = 0

    def add(self, name: str, runs: Runs) -> None:
        """Take an object's offsets. Objects come in the order of their first offsets.

        Args:
            name: The object's, for reports of overlaps.
            runs: Its offsets; none for an object without records, which changes nothing.
        """
        if not runs:
            return
        self._names.append(name)
        self._waiting.append(runs)
        self._waiting_runs += len(runs)
        if self._waiting_runs >= WAITING_MAX:
            self._take()
            self._settle(runs.first_offset)

    def finish(self) -> Tiling:
        """Settle the rest."""
        self._take()
        if self._ends.size:
            self._settle(int(self._ends.max()) + 1)
        return self

    def _take(self) -> None:
        """Put the waiting runs behind the others."""
        if not self._waiting:
            return
        first = len(self._names) - len(self._waiting)
        owners = np.repeat(np.arange(first, len(self._names), dtype=np.int64), [len(runs) for runs in self._waiting])
        self._starts = np.concatenate([self._starts, *(runs.firsts for runs in self._waiting)])
        self._ends = np.concatenate([self._ends, *(runs.lasts for runs in self._waiting)])
        self._owners = np.concatenate([self._owners, owners])
        self._waiting, self._waiting_runs = [], 0

    def _settle(self, below: int) -> None:
        """Compare the runs below an offset; a run that crosses it is cut there."""
        ready = self._starts < below
        if not ready.any():
            return
        order = np.argsort(self._starts[ready], kind="stable")
        starts, owners = self._starts[ready][order], self._owners[ready][order]
        whole_ends = self._ends[ready][order]
        ends = np.minimum(whole_ends, below - 1)
        crossing = whole_ends >= below
        self._compare(starts, ends, owners)
        self._starts = np.concatenate([np.full(int(crossing.sum()), below, np.int64), self._starts[~ready]])
        self._ends = np.concatenate([whole_ends[crossing], self._ends[~ready]])
        self._owners = np.concatenate([owners[crossing], self._owners[~ready]])

    def _compare(self, starts: Int64s, ends: Int64s, owners: Int64s) -> None:
        if self.last_offset is None:
            self.first_offset = int(starts[0])
            self.last_offset = int(starts[0]) - 1
        reached = np.maximum.accumulate(np.concatenate([[self.last_offset], ends]))
        before = reached[:-1]
        for index in np.flatnonzero(starts > before + 1):
            self._hole(int(before[index]) + 1, int(starts[index]) - 1)
        doubled = np.flatnonzero(starts <= before)
        # Who reached so far: the latest run whose end is the running maximum.
        holders = np.concatenate([[self._last_owner], owners])
        latest = np.maximum.accumulate(np.where(np.concatenate([[True], ends >= before]), np.arange(len(reached)), 0))
        for index in doubled:
            pair = (self._names[holders[latest[index]]], self._names[owners[index]])
            self._overlap(int(starts[index]), int(min(before[index], ends[index])), pair)
        self.last_offset = int(reached[-1])
        self._last_owner = int(holders[latest[-1]])

    def _hole(self, first: int, last: int) -> None:
        self.hole_count += 1
        self.offsets_missing += last - first + 1
        if len(self.holes) < LISTED_MAX:
            self.holes.append((first, last))

    def _overlap(self, first: int, last: int, names: tuple[str, str]) -> None:
        known = self.overlaps[-1] if self.overlaps else None
        if known is not None and known.names == names and known.last_offset + 1 >= first:
            self.overlaps[-1] = Overlap(known.first_offset, max(known.last_offset, last), names)
            return
        self.overlap_count += 1
        if len(self.overlaps) < LISTED_MAX:
            self.overlaps.append(Overlap(first, last, names))
