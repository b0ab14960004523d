"""Merges several partitions' records by time; each partition keeps its order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.replay.stream import Batch

Times = npt.NDArray[np.int64]


def rising_times(records: pa.RecordBatch) -> Times:
    """Give the times at which records are due: a record's time, or a later one before it; 0 while none is known."""
    known = records.column(1).fill_null(0).to_numpy()
    return np.maximum.accumulate(known) if len(known) else known


class _Head:
    """The batch that a partition gives next."""

    def __init__(self, source: Iterator[Batch]) -> None:
        self._source = source
        self.batch: Batch | None = None
        self.times: Times = np.empty(0, np.int64)

    def advance(self) -> Batch | None:
        """Go to the next batch; an empty one, which only says that there's nothing yet, is given back instead."""
        self.batch = next(self._source, None)
        if self.batch is not None and not self.batch.records.num_rows:
            return self.batch
        if self.batch is not None:
            self.times = rising_times(self.batch.records)
        return None


def by_time(sources: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """Give all batches by time. A batch is cut where another partition has an earlier record."""
    heads = [_Head(source) for source in sources]
    for head in heads:
        yield from _advance(head)
    while heads := [head for head in heads if head.batch is not None]:
        heads.sort(key=lambda head: int(head.times[0]))
        first = heads[0]
        batch = first.batch
        assert batch is not None
        bound = int(heads[1].times[0]) if heads[1:] else int(first.times[-1])
        count = max(1, int(np.searchsorted(first.times, bound, side="right")))
        yield Batch(batch.partition, batch.records.slice(0, count), batch.object_start)
        if count == len(first.times):
            yield from _advance(first)
        else:
            first.batch = Batch(batch.partition, batch.records.slice(count), batch.object_start)
            first.times = first.times[count:]


def _advance(head: _Head) -> Iterator[Batch]:
    while (idle := head.advance()) is not None:
        yield idle
