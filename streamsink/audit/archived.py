"""Reads an archived partition in offset order; an offset stored twice comes twice. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.audit.compare import PartitionAudit
from streamsink.audit.records import from_archive
from streamsink.errors import CorruptObjectError, TerminalError
from streamsink.replay.fetch import Fetched, fetch
from streamsink.replay.merge import merge
from streamsink.replay.plan import Candidate


class ArchivedPartition:
    """One partition's objects.

    Args:
        archive: The archive that holds them.
        candidates: The objects.
        audit: Takes the objects that can't be read or compared.
    """

    def __init__(self, archive: Archive, candidates: Sequence[Candidate], audit: PartitionAudit) -> None:
        self._archive = archive
        self._objects = sorted(candidates, key=lambda one: (one.first_offset, one.name))
        self._audit = audit
        self._ahead: dict[int, Future[Fetched]] = {}
        self.not_compared: list[tuple[int, int]] = []
        """Ranges of objects whose rows don't tell their offsets; grows while `records` is read."""

    @property
    def record_count(self) -> int:
        """The number of records by the objects' descriptions."""
        return sum(one.about.record_count for one in self._objects if one.about is not None)

    def records(self) -> Iterator[pa.RecordBatch]:
        """Records in the columns of an audit, in offset order.

        Raises:
            TransientError: The store can't be read now.
        """
        starts = [one.first_offset for one in self._objects]
        with ThreadPoolExecutor(1, thread_name_prefix="fetch") as pool:
            try:
                yield from merge(starts, lambda index: self._object(index, pool), once=False)
            finally:
                for future in self._ahead.values():
                    future.add_done_callback(_close_late)

    def _object(self, index: int, pool: ThreadPoolExecutor) -> Iterator[pa.RecordBatch]:
        candidate = self._objects[index]
        try:
            yield from self._rows(candidate, self._fetched(index, pool))
        except CorruptObjectError as error:
            self._audit.unreadable.append((candidate.path, error.reason))
        except TerminalError as error:
            self._audit.unreadable.append((candidate.path, error.message))

    def _fetched(self, index: int, pool: ThreadPoolExecutor) -> Fetched:
        own = self._ahead.pop(index, None) or pool.submit(fetch, self._archive, self._objects[index])
        try:
            return own.result()
        finally:
            if index + 1 < len(self._objects):
                self._ahead[index + 1] = pool.submit(fetch, self._archive, self._objects[index + 1])

    def _rows(self, candidate: Candidate, fetched: Fetched) -> Iterator[pa.RecordBatch]:
        try:
            for rows in fetched.reader.batches():
                records = from_archive(rows)
                if records is None:
                    self._untold(candidate)
                    return
                yield records
        finally:
            fetched.close()

    def _untold(self, candidate: Candidate) -> None:
        about = candidate.about
        if about is None:
            self._audit.unreadable.append((candidate.path, "nothing says which offsets it covers"))
            return
        self.not_compared.append((about.first_offset, about.last_offset))


def _close_late(future: Future[Fetched]) -> None:
    if future.cancelled() or future.exception() is not None:
        return
    future.result().close()
