"""Collects rows until a row group is full and measures what is encoded. Knows no format; an encoder does the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from streamsink.encode.protocol import EncodedFile

COLUMN_OVERHEAD_BYTES = 512
"""What a column of one waiting batch costs beside its data: Arrow's and Python's own objects, roughly."""
BATCHES_WAITING_MAX = 64
"""More than this are joined into one, so that many tiny slices don't cost more than their rows."""


class GroupEncoder(Protocol):
    """Encodes row groups of one file."""

    @property
    def encoded_bytes(self) -> int:
        """Bytes encoded so far."""
        ...

    def encode(self, rows: pa.Table) -> None:
        """Add a row group."""
        ...

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """End the file."""
        ...


class RowGroupWriter:
    """A `FileWriter` over any encoder.

    Args:
        encoder: Makes the bytes.
        row_group_bytes: Raw bytes that make a row group.
        size_bytes_max: `rotate.size.bytes`, or None: the writer measures, the machine closes.
    """

    def __init__(self, encoder: GroupEncoder, *, row_group_bytes: int, size_bytes_max: int | None) -> None:
        self._encoder = encoder
        self._size_bytes_max = size_bytes_max
        self._group_bytes = min(row_group_bytes, size_bytes_max // 2) if size_bytes_max else row_group_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._waiting_overhead_bytes = 0
        self._ratio = 1.0

    @property
    def size_bytes(self) -> int:
        """See `FileWriter.size_bytes`: what waits counts by the ratio of the last row group."""
        return self._encoder.encoded_bytes + int(self._waiting_bytes * self._ratio)

    @property
    def pending_bytes(self) -> int:
        """See `FileWriter.pending_bytes`."""
        return self._waiting_bytes + self._waiting_overhead_bytes

    @property
    def memory_bytes(self) -> int:
        """See `FileWriter.memory_bytes`."""
        return self._encoder.encoded_bytes + self.pending_bytes

    def append(self, rows: pa.RecordBatch) -> None:
        """See `FileWriter.append`."""
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        self._waiting_overhead_bytes += rows.num_columns * COLUMN_OVERHEAD_BYTES
        if len(self._waiting) > BATCHES_WAITING_MAX:
            self._join_waiting()
        nearly_full = self._size_bytes_max is not None and self.size_bytes >= self._size_bytes_max
        if self._waiting_bytes >= self._group_bytes or nearly_full:
            self.flush()

    def flush(self) -> None:
        """See `FileWriter.flush`."""
        if not self._waiting:
            return
        before = self._encoder.encoded_bytes
        self._encoder.encode(pa.Table.from_batches(self._waiting))
        self._ratio = (self._encoder.encoded_bytes - before) / max(1, self._waiting_bytes)
        self._waiting.clear()
        self._waiting_bytes = self._waiting_overhead_bytes = 0

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `FileWriter.finish`."""
        self.flush()
        return self._encoder.finish(footer)

    def _join_waiting(self) -> None:
        joined = pa.Table.from_batches(self._waiting).combine_chunks().to_batches()
        self._waiting = joined
        self._waiting_bytes = sum(batch.nbytes for batch in joined)
        self._waiting_overhead_bytes = sum(batch.num_columns for batch in joined) * COLUMN_OVERHEAD_BYTES
