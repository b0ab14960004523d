"""Holds rows until they fill a row group, and estimates the file's size. Shared by all formats, knows none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.protocol import EncodedFile

COLUMN_OVERHEAD_BYTES = 1024
"""The memory of one column of one waiting batch beside its data: buffers, array and field objects."""
MERGE_COUNT = 32
MERGE_BYTES_MAX = 128 * 1024
"""This many neighbouring batches of one tier become one of the next, unless they are large already."""


class GroupEncoder(Protocol):
    """Turns row groups into a file's bytes; one for each open file."""

    @property
    def encoded_bytes(self) -> int:
        """The object's size if it ended here."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory held, `encoded_bytes` included."""
        ...

    def expansion(self, rows: pa.RecordBatch) -> float:
        """Encoded bytes for each raw byte of these rows, at worst; asked before anything was measured."""
        ...

    def encode(self, group: pa.Table) -> None:
        """Encode one row group."""
        ...

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """Write the file's end and give its bytes."""
        ...


class GroupWriter:
    """A `FileWriter`: holds rows as Arrow batches until `row_group_bytes` of them wait, then has them encoded.

    No object grows past twice `rotate.size.bytes` as long as one append brings at most a quarter of it: a row group is
    at most half of it, and what waits is measured by encoding it as soon as the estimate would reach the limit.

    Args:
        encoder: The format's part.
        schema: Of all rows.
        encoding: Says how large row groups are.
        rotation: Says how large objects may become.
    """

    def __init__(self, encoder: GroupEncoder, schema: pa.Schema, encoding: Encoding, rotation: Rotation) -> None:
        self._encoder = encoder
        self._schema = schema
        self._size_bytes_max = rotation.size_bytes
        self._group_bytes_max = encoding.row_group_bytes
        self._overhead_bytes = COLUMN_OVERHEAD_BYTES * sum(_leaves(field.type) for field in schema)
        self._pending: list[tuple[int, pa.RecordBatch]] = []
        self._raw_bytes = 0
        self._ratio: float | None = None

    @property
    def size_bytes(self) -> int:
        """See `FileWriter.size_bytes`."""
        return self._encoder.encoded_bytes + self._estimate()

    @property
    def memory_bytes(self) -> int:
        """See `FileWriter.memory_bytes`."""
        return self._encoder.memory_bytes + self.pending_bytes

    @property
    def pending_bytes(self) -> int:
        """See `FileWriter.pending_bytes`."""
        return self._raw_bytes + len(self._pending) * self._overhead_bytes

    def append(self, rows: pa.RecordBatch) -> None:
        """See `FileWriter.append`."""
        assert rows.schema.equals(self._schema), "a file holds rows of one schema"
        if not rows.num_rows:
            return
        if self._ratio is None:
            self._ratio = self._encoder.expansion(rows)
        raw_bytes = rows.nbytes
        self._raw_bytes += raw_bytes
        self._pending.append((0 if raw_bytes <= MERGE_BYTES_MAX else -1, rows))
        self._merge()
        if self._raw_bytes >= self._group_bytes() or self._reaches_limit():
            self.flush()

    def flush(self) -> None:
        """See `FileWriter.flush`."""
        if not self._pending:
            return
        before = self._encoder.encoded_bytes
        group = pa.Table.from_batches([rows for _, rows in self._pending], self._schema)
        self._pending.clear()
        self._encoder.encode(group)
        self._ratio = (self._encoder.encoded_bytes - before) / max(1, self._raw_bytes)
        self._raw_bytes = 0

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `FileWriter.finish`."""
        self.flush()
        return self._encoder.finish(footer)

    def _estimate(self) -> int:
        return int(self._raw_bytes * (1.0 if self._ratio is None else self._ratio))

    def _reaches_limit(self) -> bool:
        return self._size_bytes_max is not None and self.size_bytes >= self._size_bytes_max

    def _group_bytes(self) -> float:
        if self._size_bytes_max is None:
            return self._group_bytes_max
        return min(self._group_bytes_max, self._size_bytes_max / 2 / max(1.0, self._ratio or 1.0))

    def _merge(self) -> None:
        """Many tiny batches become few, each row copied once for every tier it climbs."""
        while len(self._pending) >= MERGE_COUNT:
            tier = self._pending[-1][0]
            tail = self._pending[-MERGE_COUNT:]
            if tier < 0 or any(other != tier for other, _ in tail):
                return
            merged = pa.Table.from_batches([rows for _, rows in tail]).combine_chunks().to_batches()
            large = sum(rows.nbytes for rows in merged) > MERGE_BYTES_MAX
            self._pending[-MERGE_COUNT:] = [(-1 if large else tier + 1, rows) for rows in merged]


def _leaves(type_: pa.DataType) -> int:
    return sum(_leaves(type_.field(index).type) for index in range(type_.num_fields)) or 1
