"""Objects back into rows: the inverse of every encoder, for verification and replay. Reads bytes, knows no store."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import fastavro
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.encode.avro import ARROW_SCHEMA_KEY, DECOMPRESS, MAGIC, read_long, write_bytes, write_long
from streamsink.encode.frames import decompress
from streamsink.encode.jsonl import BASE64, VALUE_ENCODING
from streamsink.encode.raw import LENGTH, SEPARATOR_KEY, VALUE
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS

BATCH_ROWS = 8192
HEADER_BYTES = 64 * 1024
PREFIX = "streamsink."
DAMAGED = "the object is damaged; restore it from a copy, or leave it out"


class ObjectReader(Protocol):
    """One object's content."""

    def footer(self) -> dict[str, str]:
        """What the object says of itself, empty where its format has no place for it."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows, as they were written, a row group or block at a time."""
        ...


def open_object(name: str, data: bytes, sidecar: bytes | None = None) -> ObjectReader:
    """Open an object by its name's ending.

    Raises:
        TerminalError: An unknown ending, or bytes that are not what the ending says.
    """
    plain = name.removesuffix(".gz").removesuffix(".zst")
    try:
        if name.endswith(".parquet"):
            return _Parquet(data)
        if name.endswith(".avro"):
            return _Avro(name, data)
        if plain.endswith((".json", ".jsonl")):
            return _JsonLines(name, data)
        return _Raw(name, data, sidecar)
    except (pa.ArrowException, OSError, ValueError, EOFError) as error:
        raise TerminalError(f"{name} can't be read: {error}", hint=DAMAGED) from error


def read_footer(name: str, size_bytes: int, get_range: Callable[[int, int], bytes]) -> dict[str, str]:
    """What an object says of itself, reading only Parquet's tail or Avro's head; empty for other formats.

    Raises:
        TerminalError: The bytes are not what the ending says.
    """
    try:
        if name.endswith(".parquet"):
            tail = get_range(-min(size_bytes, HEADER_BYTES), HEADER_BYTES)
            length = int.from_bytes(tail[-8:-4], "little") + 8
            if tail[-4:] != b"PAR1" or length > size_bytes:
                raise TerminalError(f"{name} is not a whole Parquet file", hint=DAMAGED)
            if length > len(tail):
                tail = get_range(-length, length)
            return _ours(pq.read_metadata(pa.BufferReader(tail)).metadata)
        if name.endswith(".avro"):
            head = get_range(0, min(size_bytes, HEADER_BYTES))
            return _ours(_avro_header(name, head)[0])
    except (pa.ArrowException, OSError, ValueError, EOFError, IndexError) as error:
        raise TerminalError(f"{name} can't be read: {error}", hint=DAMAGED) from error
    return {}


def _ours(entries: dict[bytes, bytes] | dict[str, bytes] | None) -> dict[str, str]:
    texts = {(key.decode() if isinstance(key, bytes) else key): value for key, value in (entries or {}).items()}
    return {key: value.decode() for key, value in texts.items() if key.startswith(PREFIX) and key != ARROW_SCHEMA_KEY}


class _Parquet:
    def __init__(self, data: bytes) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(data))

    def footer(self) -> dict[str, str]:
        return _ours(self._file.metadata.metadata)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for group in range(self._file.num_row_groups):
            yield from self._file.read_row_group(group, use_threads=False).to_batches(max_chunksize=BATCH_ROWS)


def _avro_header(name: str, head: bytes) -> tuple[dict[str, bytes], int]:
    """An Avro file's header entries, read by hand since the whole file need not be there, and where they end."""
    if head[:4] != MAGIC:
        raise TerminalError(f"{name} is not an Avro file", hint=DAMAGED)
    stream = io.BytesIO(head)
    stream.seek(4)
    entries: dict[str, bytes] = {}
    while (count := read_long(stream)) != 0:
        if count < 0:
            count, _ = -count, read_long(stream)
        for _ in range(count):
            key = stream.read(read_long(stream)).decode()
            entries[key] = stream.read(read_long(stream))
    return entries, stream.tell()


class _Avro:
    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data
        self._entries, self._header_bytes = _avro_header(name, data)
        packed = self._entries.get(ARROW_SCHEMA_KEY)
        self._schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(packed))) if packed else None

    def footer(self) -> dict[str, str]:
        return _ours(self._entries)

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            rows: list[dict[str, Any]] = []
            for record in fastavro.reader(self._uncompressed()):
                assert isinstance(record, dict)
                rows.append(record if self._schema is None else _renamed(record, self._schema))
                if len(rows) == BATCH_ROWS:
                    yield self._batch(rows)
                    rows = []
            if rows:
                yield self._batch(rows)
        except (pa.ArrowException, OSError, ValueError, EOFError, IndexError, KeyError, zlib.error) as error:
            raise TerminalError(f"{self._name} can't be read: {error}", hint=DAMAGED) from error

    def _uncompressed(self) -> io.BytesIO:
        """The same file under codec null: every codec is Arrow's or the standard library's, as in the encoder."""
        codec = self._entries.get("avro.codec", b"null").decode()
        stream = io.BytesIO(self._data)
        stream.seek(self._header_bytes)
        out = io.BytesIO()
        out.write(
            MAGIC + write_long(1) + write_bytes(b"avro.schema") + write_bytes(self._entries["avro.schema"]) + b"\0"
        )
        sync = stream.read(16)
        out.write(sync)
        while stream.tell() < len(self._data):
            count, size = read_long(stream), read_long(stream)
            block = DECOMPRESS[codec](stream.read(size))
            if stream.read(16) != sync:
                raise TerminalError(f"{self._name} has a block that does not end where it says", hint=DAMAGED)
            out.write(write_long(count) + write_bytes(block) + sync)
        out.seek(0)
        return out

    def _batch(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist(rows, schema=self._schema)


def _renamed(record: dict[str, Any], fields: pa.Schema | pa.StructType) -> dict[str, Any]:
    """Members under their own names, which Avro may have had to change; their order is the same."""
    renamed = {}
    for field, value in zip(fields, record.values(), strict=True):
        inner = pa.types.is_struct(field.type) and isinstance(value, dict)
        renamed[field.name] = _renamed(value, field.type) if inner else value
    return renamed


class _JsonLines:
    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._lines = decompress(data, name).split(b"\n")

    def footer(self) -> dict[str, str]:
        return {}

    def batches(self) -> Iterator[pa.RecordBatch]:
        lines = [line for line in self._lines if line]
        try:
            for start in range(0, len(lines), BATCH_ROWS):
                rows = [orjson.loads(line) for line in lines[start : start + BATCH_ROWS]]
                yield _json_batch(rows)
        except (orjson.JSONDecodeError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
            raise TerminalError(f"{self._name} can't be read: {error}", hint=DAMAGED) from error


def _json_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """The envelope in its own types; the other members as JSON has them, each as JSON text."""
    if not rows or ENVELOPE not in rows[0]:
        return pa.RecordBatch.from_pydict({VALUE: [orjson.dumps(row) for row in rows]})
    envelopes = [row.pop(ENVELOPE) for row in rows]
    raw = envelopes[0].pop(VALUE_ENCODING, "") == BASE64
    for envelope in envelopes:
        envelope.pop(VALUE_ENCODING, None)
        envelope["key"] = _bytes(envelope["key"])
        for header in envelope["headers"]:
            header["value"] = _bytes(header["value"])
        if VALUE in envelope:
            envelope[VALUE] = _bytes(envelope[VALUE])
    fields = list(ENVELOPE_FIELDS) + ([pa.field(VALUE, pa.binary())] if VALUE in envelopes[0] else [])
    columns = {ENVELOPE: pa.array(envelopes, pa.struct(fields))}
    if raw:
        columns[VALUE] = pa.array([_bytes(row[VALUE]) for row in rows], pa.binary())
    elif VALUE not in envelopes[0]:
        columns[VALUE] = pa.array([orjson.dumps(row) for row in rows], pa.binary())
    return pa.RecordBatch.from_pydict(columns)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


class _Raw:
    def __init__(self, name: str, data: bytes, sidecar: bytes | None) -> None:
        self._name = name
        self._data = decompress(data, name)
        self._sidecar = _Parquet(sidecar) if sidecar is not None else None

    def footer(self) -> dict[str, str]:
        entries = self._sidecar.footer() if self._sidecar is not None else {}
        return {key: value for key, value in entries.items() if key != SEPARATOR_KEY}

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self._sidecar is None:
            values = self._data.split(b"\n")
            yield pa.RecordBatch.from_pydict({VALUE: pa.array(values[:-1] if not values[-1] else values, pa.binary())})
            return
        separator = len(self._sidecar.footer().get(SEPARATOR_KEY, "\n").encode())
        at = 0
        for batch in self._sidecar.batches():
            restored: list[bytes | None] = []
            for length in batch.column(LENGTH).to_pylist():
                restored.append(None if length is None else self._data[at : at + length])
                at += 0 if length is None else length + separator
            if at > len(self._data):
                raise TerminalError(f"{self._name} is shorter than its sidecar says", hint=DAMAGED)
            yield pa.RecordBatch.from_arrays(
                [batch.column(ENVELOPE), pa.array(restored, pa.binary())], names=[ENVELOPE, VALUE]
            )
        if at != len(self._data):
            raise TerminalError(f"{self._name} is longer than its sidecar says", hint=DAMAGED)
