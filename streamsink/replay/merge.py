"""Merges several runs of records into one, all in offset order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

Run = Iterator[pa.RecordBatch]
"""Records in offset order, a batch at a time; batches may be empty."""


class _Cursor:
    """The batch a run is at, and how far into it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.batch: pa.RecordBatch | None = None
        self.last = -1
        self.advance()

    def advance(self) -> None:
        """Go to the next batch that has records; `batch` is None at the run's end."""
        self.batch = next((batch for batch in self._run if batch.num_rows), None)
        if self.batch is not None:
            self.last = self.batch.column(0)[-1].as_py()

    def take(self, bound: int) -> pa.RecordBatch | None:
        """The records up to an offset, which the cursor then has passed."""
        batch = self.batch
        assert batch is not None
        if self.last <= bound:
            self.advance()
            return batch
        count = int(np.searchsorted(batch.column(0).to_numpy(), bound, side="right"))
        self.batch = batch.slice(count)
        return batch.slice(0, count) if count else None


def merge(starts: Sequence[int], open_run: Callable[[int], Run], *, once: bool = True) -> Run:
    """Merge runs by offset.

    Args:
        starts: For each run, an offset that none of its records is below; ascending.
        open_run: Opens the run of an index. It is asked in order, and only once the merge has come to its start.
        once: Whether an offset that several runs have is given once; else as often as they have it.

    Yields:
        Batches in offset order, none of them empty.
    """
    cursors: list[_Cursor] = []
    opened, passed = 0, -1
    while cursors or opened < len(starts):
        if not cursors:
            opened = _open(cursors, opened, open_run)
            continue
        bound = min(cursor.last for cursor in cursors)
        if opened < len(starts) and starts[opened] <= bound:
            opened = _open(cursors, opened, open_run)
            continue
        parts = [part for cursor in cursors if (part := cursor.take(bound)) is not None]
        cursors = [cursor for cursor in cursors if cursor.batch is not None]
        together = parts[0] if len(parts) == 1 else _sorted(parts, once=once)
        fresh = _after(together, passed) if once else together
        passed = max(passed, bound)
        if fresh.num_rows:
            yield fresh


def _open(cursors: list[_Cursor], index: int, open_run: Callable[[int], Run]) -> int:
    cursor = _Cursor(open_run(index))
    if cursor.batch is not None:
        cursors.append(cursor)
    return index + 1


def _sorted(parts: list[pa.RecordBatch], *, once: bool) -> pa.RecordBatch:
    """By offset, perhaps each once."""
    together = pa.concat_batches(parts)
    offsets = together.column(0).to_numpy()
    order = np.argsort(offsets, kind="stable")
    if not once:
        return together.take(pa.array(order))
    ordered = offsets[order]
    first = np.concatenate([[True], np.diff(ordered) != 0])
    return together.take(pa.array(order[first]))


def _after(batch: pa.RecordBatch, passed: int) -> pa.RecordBatch:
    offsets = batch.column(0)
    if offsets[0].as_py() > passed:
        return batch
    return batch.slice(int(np.searchsorted(offsets.to_numpy(), passed, side="right")))
