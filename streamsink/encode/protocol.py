"""The format seam: rows in, one object's bytes out. Defines the protocol only; encoders live beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A finished file: its bytes and their hashes. `sidecar` is what a footerless format must keep beside."""

    data: memoryview
    sha256: str
    md5: str
    sidecar: bytes | None = None


class FileWriter(Protocol):
    """One open file. Not thread-safe: the task's thread owns it.

    Rows are encoded and compressed as row groups fill; what waits for its row group is held as Arrow columns,
    never as Python objects.
    """

    @property
    def size_bytes(self) -> int:
        """Encoded bytes so far, plus an estimate of what waits; what `rotate.size.bytes` is compared with."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory held: encoded bytes, waiting columns, and overhead per column."""
        ...

    @property
    def pending_bytes(self) -> int:
        """The part of `memory_bytes` that `flush` would encode."""
        ...

    def append(self, rows: pa.RecordBatch) -> None:
        """Take rows in the schema the file was opened with."""
        ...

    def flush(self) -> None:
        """Encode the rows that wait, to free memory."""
        ...

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """Encode what waits, write the footer (or header) with these entries, and give the bytes. Ends the writer."""
        ...


class Format(Protocol):
    """A kind of file: its extension and how to open one."""

    @property
    def extension(self) -> str:
        """With the leading dot, Confluent's: `.zstd.parquet`, `.avro`, `.json.gz`, `.bin`."""
        ...

    @property
    def keeps_footer(self) -> bool:
        """Whether the file's own bytes carry the footer entries (Parquet, Avro)."""
        ...

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """Open a file of this schema; `identity` (topic, partition, first offset) seeds anything arbitrary in it."""
        ...
