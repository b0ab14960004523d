"""A planned partition as a stream of records in offset order, proven and chosen, read ahead. Sends nothing.

One thread reads: it decodes, merges and chooses, a few batches ahead of its reader, while another fetches the
next object. So memory holds some batches and at most as many objects as overlap, and one more.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.archive.archive import Archive
from streamsink.errors import CorruptObjectError, TerminalError, ValueNotKeptError
from streamsink.replay import rows as rowwise
from streamsink.replay.fetch import Fetched, corrupt, fetch
from streamsink.replay.fidelity import made_of
from streamsink.replay.merge import Run, merge
from streamsink.replay.plan import Candidate, PartitionPlan, Position, Selection

AHEAD = 2
"""Batches that wait, decoded."""
IDLE_S = 1.0
SOUND = "the object is sound, --skip-corrupt leaves it out; "
RELEASE_BATCHES = 4
"""Arrow's allocator keeps what was freed, some tens of MB, unless it is asked not to."""

Where = Callable[[pa.RecordBatch], pa.BooleanArray]
"""Says for each row whether the predicate holds; never null."""


@dataclass(slots=True)
class Reading:
    """The outcome of reading, beside the records."""

    skip_corrupt: bool = False
    left_out: list[CorruptObjectError] = field(default_factory=list)
    encode: rowwise.Encode = rowwise.AS_JSON
    """What makes values of columns."""
    made_of: set[str] = field(default_factory=set)
    """What values were made of, where the archive has no original bytes; see `fidelity.py`."""


class PartitionStream:
    """The records of one partition.

    Args:
        archive: Where its objects are.
        plan: Which.
        selection: Which of their records.
        reading: Learns what was left out.
        where: The selection's predicate.
    """

    def __init__(
        self, archive: Archive, plan: PartitionPlan, selection: Selection, reading: Reading, where: Where | None
    ) -> None:
        self.partition = plan.partition
        self._archive = archive
        self._plan = plan
        self._selection = selection
        self._reading = reading
        self._where = where
        self._next: tuple[int, Future[Fetched]] | None = None

    def batches(self) -> Iterator[Batch]:
        """Records in offset order; an empty batch whenever a second passes without any.

        Raises:
            CorruptObjectError: An object is not what it should be, and those aren't skipped.
            TransientError: The store can't be read now.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="fetch") as pool:
            try:
                yield from _read_ahead(self._batches(pool), Batch(self.partition, rowwise.NO_RECORDS))
            finally:
                if self._next is not None:
                    self._next[1].add_done_callback(_close_late)

    def _batches(self, pool: ThreadPoolExecutor) -> Generator[Batch, None, None]:
        objects = self._plan.objects
        if self._plan.foreign:
            for index, planned in enumerate(objects):
                for records in self._tolerant(index, pool):
                    if records.num_rows:
                        yield Batch(self.partition, records, planned.candidate.start_offset)
            return
        starts = [one.candidate.first_offset for one in objects]
        for records in merge(starts, lambda index: self._tolerant(index, pool)):
            yield Batch(self.partition, records)

    def _tolerant(self, index: int, pool: ThreadPoolExecutor) -> Run:
        """An object's records; where corrupt ones are skipped, those before its fault."""
        try:
            yield from self._object(index, pool)
        except CorruptObjectError as error:
            if not self._reading.skip_corrupt:
                raise
            self._reading.left_out.append(error)

    def _object(self, index: int, pool: ThreadPoolExecutor) -> Run:
        candidate = self._plan.objects[index].candidate
        fetched = self._fetched(index, pool)
        try:
            yield from self._rows(candidate, fetched)
        except CorruptObjectError:
            raise
        except ValueNotKeptError as error:
            raise CorruptObjectError(
                candidate.path, candidate.range, error.message, hint=f"{SOUND}{error.hint}"
            ) from error
        except TerminalError as error:
            raise corrupt(candidate, error.message) from error
        finally:
            fetched.close()

    def _fetched(self, index: int, pool: ThreadPoolExecutor) -> Fetched:
        """The object of an index, and the next one's fetch begun."""
        planned = self._next
        own = planned[1] if planned and planned[0] == index else self._fetch(index, pool)
        self._next = None
        try:
            return own.result()
        finally:
            if index + 1 < len(self._plan.objects):
                self._next = (index + 1, self._fetch(index + 1, pool))

    def _fetch(self, index: int, pool: ThreadPoolExecutor) -> Future[Fetched]:
        return pool.submit(fetch, self._archive, self._plan.objects[index].candidate)

    def _rows(self, candidate: Candidate, fetched: Fetched) -> Run:
        reader = fetched.reader
        keys = rowwise.Beside(fetched.keys, rowwise.foreign_keys) if fetched.keys else None
        headers = rowwise.Beside(fetched.headers, rowwise.foreign_headers) if fetched.headers else None
        columns = rowwise.wanted_columns(reader.schema(), self._selection)
        check = _RangeCheck(candidate)
        start = self._plan.start
        for number, rows in enumerate(reader.batches(columns)):
            if number % RELEASE_BATCHES == 0:
                pa.default_memory_pool().release_unused()
            if (made := made_of(rows.schema)) is not None:
                self._reading.made_of.add(made)
            records = rowwise.restore(rows, candidate.start_offset + check.records, self._reading.encode)
            if keys or headers:
                count = records.num_rows
                records = rowwise.with_beside(
                    records, keys.take(count) if keys else None, headers.take(count) if headers else None
                )
            check.add(records)
            low = start.low(candidate.lane) + start.rows_of(candidate.start_offset)
            mask = rowwise.chosen(records, self._selection, low)
            if self._where is not None:
                told = self._where(rows)
                mask = told if mask is None else pc.and_(mask, told)
            yield records if mask is None else records.filter(mask)
        check.finish()


class _RangeCheck:
    """An object's rows against what it says it covers."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self._passed = -1
        self._first = candidate.first_offset
        self.records = 0

    def add(self, records: pa.RecordBatch) -> None:
        """Look at some rows before they are used."""
        if not records.num_rows:
            return
        offsets = records.column(0).to_numpy()
        self._first = self._first if self.records else int(offsets[0])
        self.records += records.num_rows
        one = self._candidate
        last = one.last_offset
        if offsets[0] <= self._passed or (np.diff(offsets) <= 0).any():
            raise corrupt(one, f"its offsets don't ascend after {self._passed}")
        if offsets[0] < one.first_offset or (last is not None and offsets[-1] > last):
            raise corrupt(one, f"it has records at {offsets[0]}..{offsets[-1]}")
        self._passed = int(offsets[-1])

    def finish(self) -> None:
        """Look at the whole."""
        about = self._candidate.about
        if about is None:
            return
        if about.record_count != self.records:
            raise corrupt(self._candidate, f"it has {self.records} records and says {about.record_count}")
        if self.records and (self._first, self._passed) != (about.first_offset, about.last_offset):
            raise corrupt(self._candidate, f"its records are at {self._first}..{self._passed}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of one source partition; none at all where a second passed without any.

    `object_start` is the start offset of their object where they don't tell their own offsets.
    """

    partition: int
    records: pa.RecordBatch
    object_start: int | None = None

    def position(self) -> Position:
        """Where the partition goes on after the last of them."""
        after = self.records.column(0)[-1].as_py() + 1
        return Position(after) if self.object_start is None else Position(self.object_start, after - self.object_start)


def _read_ahead(batches: Generator[Batch, None, None], idle: Batch) -> Iterator[Batch]:
    """The same batches, made by their own thread; `idle` whenever a second passes without one."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
    left = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def read() -> None:
        end: BaseException | None = None
        try:
            for batch in batches:
                put(batch)
                if left.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the batches are taken
            end = error
        batches.close()
        put(end)

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield from _taken(ready, idle)
    finally:
        left.set()
        thread.join()


def _taken(ready: queue.Queue[Batch | BaseException | None], idle: Batch) -> Iterator[Batch]:
    while True:
        try:
            item = ready.get(timeout=IDLE_S)
        except queue.Empty:
            item = idle
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item


def _close_late(future: Future[Fetched]) -> None:
    if future.cancelled() or future.exception() is not None:
        return
    future.result().close()
