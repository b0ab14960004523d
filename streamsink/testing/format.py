"""The simulation's kind of file: a line a record. It is written by the real `TaskFiles`. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pyarrow as pa

from streamsink.encode.protocol import EncodedFile
from streamsink.testing.records import ROW_BYTES, Row, from_bytes, rows_of

EXTENSION = ".sim"


class SimWriter:
    """A `FileWriter`: what waits occupies its records' sizes, what is encoded its bytes."""

    def __init__(self) -> None:
        self.pending_bytes = 0
        self._waiting: list[Row] = []
        self._encoded = b""

    @property
    def size_bytes(self) -> int:
        """See `FileWriter.size_bytes`."""
        return len(self._encoded) + self.pending_bytes // 2

    @property
    def memory_bytes(self) -> int:
        """See `FileWriter.memory_bytes`."""
        return len(self._encoded) + self.pending_bytes

    def append(self, rows: pa.RecordBatch) -> None:
        """See `FileWriter.append`."""
        for row in rows_of(rows):
            self._waiting.append(row)
            self.pending_bytes += ROW_BYTES + row[1].size_bytes

    def flush(self) -> None:
        """See `FileWriter.flush`."""
        self._encoded += b"".join(b"%d|%b\n" % (offset, record.to_bytes()) for offset, record in self._waiting)
        self._waiting, self.pending_bytes = [], 0

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:  # noqa: ARG002 - the store keeps metadata
        """See `FileWriter.finish`."""
        self.flush()
        return EncodedFile(memoryview(self._encoded), hashlib.sha256(self._encoded).hexdigest(), "")


class SimFormat:
    """A `Format`."""

    extension = EXTENSION
    keeps_footer = True

    def open(self, schema: pa.Schema, *, identity: str) -> SimWriter:  # noqa: ARG002 - nothing in it is arbitrary
        """See `Format.open`."""
        return SimWriter()

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:  # noqa: ARG002 - it holds anything
        """See `Format.refused`."""
        return {}


def read_rows(data: bytes) -> tuple[Row, ...]:
    """The rows of an object."""
    rows = []
    for line in data.splitlines():
        offset, _, value = line.partition(b"|")
        rows.append((int(offset), from_bytes(value)))
    return tuple(rows)
