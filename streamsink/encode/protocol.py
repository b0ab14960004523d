"""The format seam: rows in, one object's bytes out, and back. Defines the protocols only; formats live beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa

from streamsink.record import TopicPartition

Data: TypeAlias = bytes | memoryview | pa.NativeFile
"""An object's bytes: all of them in memory, or a file that is read from its start, wherever it stands."""

GetRange: TypeAlias = Callable[[int, int], bytes]
"""Gives so many bytes of an object from a position, both never outside of it."""


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A finished file: its bytes, their hashes, and the content of its sidecar for a format without a footer."""

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
        """Encoded bytes so far, plus an estimate of the waiting rows. `rotate.size.bytes` is compared with it."""
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
        """Encode waiting rows, write the footer or header with these entries, and give the bytes. Ends the writer."""
        ...


class Format(Protocol):
    """A kind of file: its extension and how to open one."""

    @property
    def extension(self) -> str:
        """The end of names with the leading dot, Confluent's: `.zstd.parquet`, `.avro`, `.json.gz`, `.bin`."""
        ...

    @property
    def keeps_footer(self) -> bool:
        """Whether the file's own bytes carry the footer entries (Parquet, Avro)."""
        ...

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """Open a file.

        Args:
            schema: The schema of all its rows.
            identity: Where its records come from, as `<topic>-<partition>/<lane>/<first offset>`; `source_of` reads it.
                The same identity and rows give the same bytes: it seeds anything arbitrary in the file.
        """
        ...

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """Find rows that the format can't hold. All rows are asked for before they reach a file, so it must be cheap.

        Returns:
            The reason by row; rows that can be held are not in it.
        """
        ...


def source_of(identity: str) -> TopicPartition:
    """The topic partition that a file's identity begins with, as `orders-0/partition=0/42`."""
    topic, _, partition = identity.partition("/")[0].rpartition("-")
    return TopicPartition(topic, int(partition))


class ObjectReader(Protocol):
    """One object's content."""

    def footer(self) -> dict[str, str]:
        """The entries of the object's footer or sidecar; empty where it has none."""
        ...

    def schema(self) -> pa.Schema | None:
        """The rows' schema, None where only the rows can tell."""
        ...

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows as they were written, at most a row group or block at a time.

        Args:
            columns: The columns to read, a struct's members as `_kafka.offset`; None for all. A format that saves
                nothing by it reads all.
        """
        ...
