"""Objects back into rows, the inverse of every format, for verification and replay. Reads bytes, knows no store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyarrow as pa

from streamsink.encode.beside import ENVELOPED, KIND, WHOLE_CODEC
from streamsink.encode.beside_read import (
    BesideReader,
    TombstoneReader,
    beside_entries,
    holds_tombstones,
    inner_sidecar,
)
from streamsink.encode.output.text import TEXT
from streamsink.encode.output.text_read import TextReader
from streamsink.encode.plugin import PluginReader, plugin_entries
from streamsink.encode.protocol import Data, ObjectReader
from streamsink.encode.raw_read import LinesReader
from streamsink.encode.stream import open_codec
from streamsink.encode.table import FORMATS, format_named
from streamsink.errors import StreamsinkError, TerminalError

DAMAGED = "the object is damaged; restore it from a copy, or leave it out"


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

    Args:
        name: The object's, whose end says the format and the compression.
        data: All its bytes, or a file that is read from its start.

    Raises:
        TerminalError: The bytes are not what the name says. The reader's methods raise it as well.
    """
    with _explained(name):
        return _Explained(name, _open(name, data, None) if tells_of_itself(name) else LinesReader(name, data))


def tells_of_itself(name: str) -> bool:
    """Whether an object's bytes alone say what it holds, by its name: rows with a schema, as Parquet and Avro have."""
    return format_named(name).footer is not None


def count_entries(name: str, data: Data) -> int | None:
    """Count the keys or headers that an object has.

    Args:
        name: The object's, whose end says the format and the compression.
        data: All its bytes, or a file that is read from its start.

    Returns:
        None for an object of bare bytes: the bytes between two entries may be part of an entry as well.

    Raises:
        TerminalError: The bytes are not what the name says.
    """
    if not format_named(name).suffix:
        return None
    return sum(int(rows.num_rows) for rows in open_foreign(name, data).batches())


def _open(name: str, data: Data, sidecar: bytes | None) -> ObjectReader:
    if sidecar is not None and (beside := beside_entries(sidecar)) is not None:
        return _open_beside(name, data, sidecar, beside)
    if (entries := plugin_entries(sidecar)) is not None:
        return PluginReader(name, data, entries)
    return format_named(name).read(name, data, sidecar)


def read_footer(name: str, size_bytes: int, get_range: Callable[[int, int], bytes]) -> dict[str, str]:
    """Read the entries that an object's own bytes have, and little else; none for formats whose bytes have none.

    Args:
        name: Its name.
        size_bytes: Its size.
        get_range: Gives so many bytes from a position, both never outside of the object.

    Raises:
        TerminalError: The bytes are not what the name says.
    """
    read = format_named(name).footer
    with _explained(name):
        return {} if read is None else read(size_bytes, get_range)


def _open_beside(name: str, data: Data, sidecar: bytes, entries: Mapping[str, str]) -> ObjectReader:
    """An object whose `_kafka` is in its sidecar; that also says what its name may not."""
    if TEXT in entries:
        return TextReader(data, sidecar, entries)
    if holds_tombstones(entries):
        return TombstoneReader(count_entries(name, data), sidecar)
    codec = entries.get(WHOLE_CODEC, "none")
    plain = data if codec == "none" else open_codec(data, codec).read()
    kind, inner = entries.get(KIND), inner_sidecar(entries)
    if kind is None:
        return BesideReader(_open(name, plain, inner), sidecar)
    entry = next(one for one in FORMATS if one.kind == kind)
    return BesideReader(entry.read(name, plain, inner), sidecar, enveloped=entries.get(ENVELOPED) == "true")


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
    except StreamsinkError:
        raise
    except Exception as error:
        # Damaged bytes make each library fail in its own ways, which no list has all of.
        raise TerminalError(f"{name} can't be read: {str(error) or type(error).__name__}", hint=DAMAGED) from error
