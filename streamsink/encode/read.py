"""Objects back into rows, the inverse of every format, for verification and replay. Reads bytes, knows no store."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.encode.footer import own_entries
from streamsink.encode.nested import PLACEHOLDER, schema_with_leaves
from streamsink.encode.raw import LENGTH, SEPARATOR, VALUE
from streamsink.encode.read_avro import AvroReader, read_header
from streamsink.encode.read_json import JsonLinesReader
from streamsink.encode.stream import as_file, lines_of, open_plain
from streamsink.encode.users import UsersReader, users_entries
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE

Data: TypeAlias = bytes | memoryview | pa.NativeFile
"""An object's bytes: all of them in memory, or a file that is read from its start, wherever it stands."""

BATCH_ROWS = 8192
BUFFER_BYTES = 1024 * 1024

TAIL_BYTES = 64 * 1024
"""Read first when only a footer or header is wanted; most fit."""

DAMAGED = "the object is damaged; restore it from a copy, or leave it out"

_UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, EOFError, IndexError, zlib.error)
"""What the libraries raise on bytes they can't take."""


class ObjectReader(Protocol):
    """One object's content."""

    def footer(self) -> dict[str, str]:
        """What the object says of itself, its sidecar included; empty where nothing does."""
        ...

    def schema(self) -> pa.Schema | None:
        """The rows' schema, None where only the rows can tell."""
        ...

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows as they were written, at most a row group or block at a time.

        Args:
            columns: Those wanted, a struct's members as `_kafka.offset`; where picking saves nothing all come.
        """
        ...


def open_object(name: str, data: Data, sidecar: bytes | None = None) -> ObjectReader:
    """Open an object; the end of its name tells its kind.

    Args:
        name: Its name.
        data: All of it, or a file of it, which is read as rows are asked for.
        sidecar: What its format keeps beside it, where there is such a thing.

    Raises:
        TerminalError: The bytes are not what the name says. The reader's methods raise it as well.
    """
    with _explained(name):
        return _Explained(name, _open(name, data, sidecar))


def open_foreign(name: str, data: Data) -> ObjectReader:
    """Open an object of another program: Parquet and Avro have rows, of all else the lines are the values.

    Raises:
        TerminalError: The bytes are not what the name says. The reader's methods raise it as well.
    """
    with _explained(name):
        rows = name.endswith((".parquet", ".avro"))
        return _Explained(name, _open(name, data, None) if rows else LinesReader(name, data))


def _open(name: str, data: Data, sidecar: bytes | None) -> ObjectReader:
    if (entries := users_entries(sidecar)) is not None:
        return UsersReader(name, data, entries)
    if name.endswith(".parquet"):
        return ParquetReader(data)
    if name.endswith(".avro"):
        return AvroReader(data)
    if _is_json(name):
        return JsonLinesReader(name, data, sidecar)
    return RawReader(name, data, sidecar)


def read_footer(name: str, size_bytes: int, get_range: Callable[[int, int], bytes]) -> dict[str, str]:
    """What an object's own bytes say of it, reading only Parquet's tail or Avro's head; empty for other formats.

    Args:
        name: Its name.
        size_bytes: Its size.
        get_range: Gives so many bytes from a position, both never outside of the object.

    Raises:
        TerminalError: The bytes are not what the name says.
    """
    with _explained(name):
        if name.endswith(".parquet"):
            return own_entries(pq.read_metadata(pa.BufferReader(_parquet_tail(size_bytes, get_range))).metadata)
        if name.endswith(".avro"):
            return _avro_head(size_bytes, get_range)
    return {}


def _parquet_tail(size_bytes: int, get_range: Callable[[int, int], bytes]) -> bytes:
    length = min(size_bytes, TAIL_BYTES)
    tail = get_range(size_bytes - length, length)
    if tail[-4:] != b"PAR1":
        raise ValueError("it doesn't end as a Parquet file")
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > size_bytes:
        raise ValueError("it is smaller than its footer")
    return tail if needed <= length else get_range(size_bytes - needed, needed)


def _avro_head(size_bytes: int, get_range: Callable[[int, int], bytes]) -> dict[str, str]:
    length = TAIL_BYTES
    while True:
        length = min(length, size_bytes)
        try:
            return own_entries(read_header(memoryview(get_range(0, length)))[0])
        except IndexError:
            if length == size_bytes:
                raise
        length *= 8


class ParquetReader:
    """One Parquet object.

    Args:
        data: All of it, or a file of it.
    """

    def __init__(self, data: Data) -> None:
        # Buffered, a row group is never in memory as a whole: another program's may be as large as the file.
        self._file = pq.ParquetFile(as_file(data), page_checksum_verification=True, buffer_size=BUFFER_BYTES)

    @property
    def metadata(self) -> pq.FileMetaData:
        """Row groups, columns and sizes."""
        return self._file.metadata

    def footer(self) -> dict[str, str]:
        """The entries of ours in the footer."""
        return own_entries(self._file.metadata.metadata)

    def schema(self) -> pa.Schema:
        """The rows' schema as it was before Parquet."""
        return schema_with_leaves(self._file.schema_arrow, _without_placeholder)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows, some thousands at a time; `columns` names those wanted, leaves of a struct as `_kafka.offset`."""
        for batch in self._file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            wanted = schema_with_leaves(batch.schema, _without_placeholder)
            yield batch if wanted.equals(batch.schema) else batch.cast(wanted)


def _without_placeholder(type_: pa.DataType) -> pa.DataType:
    return pa.struct([]) if type_ == PLACEHOLDER else type_


class RawReader:
    """One raw object: its values, and from the sidecar what else its records had.

    Args:
        name: Its name, whose end tells the compression.
        data: All of it, or a file of it.
        sidecar: Lengths and `_kafka`.

    Raises:
        TerminalError: There is no sidecar.
    """

    def __init__(self, name: str, data: Data, sidecar: bytes | None) -> None:
        if sidecar is None:
            raise TerminalError(
                f"{name} has no sidecar: where its values end, and their keys and offsets, is not known",
                hint="restore the folder _streamsink/sidecar beside the archive",
            )
        self._name = name
        self._data = data
        self._sidecar = ParquetReader(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar."""
        return self._sidecar.footer()

    def schema(self) -> pa.Schema:
        """`_kafka`, where the sidecar has it, and `value`."""
        fields = [field for field in self._sidecar.schema() if field.name != LENGTH.name]
        return pa.schema([*fields, pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, a batch for each row group of the sidecar."""
        entries = self._sidecar.metadata.metadata
        separator = entries[SEPARATOR.encode()]
        stream, position = open_plain(self._data, self._name), 0
        for beside in self._sidecar.batches():
            lengths = beside.column(LENGTH.name).to_pylist()
            plain = memoryview(stream.read(sum(length + len(separator) for length in lengths if length is not None)))
            values: list[bytes | None] = []
            at = 0
            for length in lengths:
                if length is None:
                    values.append(None)
                    continue
                end = at + length
                if plain[end : end + len(separator)] != separator:
                    raise ValueError(f"no separator follows the value at byte {position + at}")
                values.append(bytes(plain[at:end]))
                at = end + len(separator)
            position += at
            envelope = [beside.column(ENVELOPE)] if ENVELOPE in beside.schema.names else []
            yield pa.RecordBatch.from_arrays([*envelope, pa.array(values, pa.binary())], schema=self.schema())
        if rest := len(stream.read()):
            raise ValueError(f"{rest} bytes follow its last value")


class LinesReader:
    """One object of lines that another program wrote: each is a value, as it is.

    Args:
        name: Its name, whose end tells the compression.
        data: All of it, or a file of it.
    """

    def __init__(self, name: str, data: Data) -> None:
        self._name = name
        self._data = data

    def footer(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def schema(self) -> pa.Schema:
        """`value`."""
        return pa.schema([pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, some thousands at a time."""
        for lines in lines_of(open_plain(self._data, self._name), BATCH_ROWS):
            yield pa.RecordBatch.from_arrays([pa.array(lines, pa.binary())], schema=self.schema())


class _Explained:
    """A reader whose errors name the object."""

    def __init__(self, name: str, reader: ObjectReader) -> None:
        self._name = name
        self._reader = reader

    def footer(self) -> dict[str, str]:
        with _explained(self._name):
            return self._reader.footer()

    def schema(self) -> pa.Schema | None:
        with _explained(self._name):
            return self._reader.schema()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        with _explained(self._name):
            yield from self._reader.batches(columns)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise TerminalError(f"{name} can't be read: {str(error) or type(error).__name__}", hint=DAMAGED) from error


def _is_json(name: str) -> bool:
    return name.removesuffix(".gz").removesuffix(".zst").endswith(".json")
