"""Avro object containers back into rows, and their header alone. Reads bytes, knows no store."""

from __future__ import annotations

import bz2
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import fastavro
import orjson
import pyarrow as pa
from pyarrow import types

from streamsink.encode.avro.schema import ORIGINAL_NAME
from streamsink.encode.avro.writer import MAGIC, SYNC_BYTES
from streamsink.encode.footer import SCHEMA_ENTRIES, TAIL_BYTES, own_entries, schema_of
from streamsink.encode.nested import schema_with_leaves
from streamsink.encode.protocol import GetRange
from streamsink.encode.stream import as_file

DECIMAL_DIGITS_MAX = 38

HEADER_BYTES = 64 * 1024
"""Read first; most headers fit."""
EMPTY_RECORDS_MAX = 65_536
"""Records that take no bytes can be claimed in any number: more in one block are taken for damage."""
BLOCK_HEAD_BYTES = 20
"""Two varints are no longer."""


ENTRY = "entry"
"""The column of entries that are no records: another program's, as Confluent's keys."""


class AvroReader:
    """One Avro object.

    Args:
        data: All of it, or a file of it.

    Raises:
        ValueError: It is no Avro, or it is cut.
    """

    def __init__(self, data: bytes | memoryview | pa.NativeFile) -> None:
        self._file = as_file(data)
        self._size_bytes = self._file.size()
        self._entries, self._position = self._header()

    def _header(self) -> tuple[dict[str, bytes], int]:
        length = HEADER_BYTES
        while True:
            self._file.seek(0)
            try:
                return read_header(memoryview(self._file.read(length)))
            except IndexError:
                if length >= self._size_bytes:
                    raise
            length *= 8

    def footer(self) -> dict[str, str]:
        """The entries of ours in the header."""
        return own_entries(self._entries)

    def schema(self) -> pa.Schema | None:
        """The rows' schema, where the header has it."""
        return schema_of({key: self._entries[key].decode() for key in SCHEMA_ENTRIES if key in self._entries})

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, a batch for each block."""
        written = fastavro.parse_schema(_readable(orjson.loads(self._entries["avro.schema"])))
        schema = self.schema()
        carrier = None if schema is None else schema_with_leaves(schema, _carrier)
        for count, block in self.blocks():
            if count > max(len(block), EMPTY_RECORDS_MAX):
                raise ValueError(f"a block of {len(block)} bytes claims more records than that, {count}")
            stream = io.BytesIO(block)
            rows: list[Any] = [fastavro.schemaless_reader(stream, written, None) for _ in range(count)]
            if stream.tell() != len(block):
                raise ValueError(f"a block has {len(block) - stream.tell()} bytes more than its records")
            if not isinstance(written, dict) or written.get("type") not in {"record", "error"}:
                rows = [{ENTRY: row} for row in rows]
            batch = pa.RecordBatch.from_pylist(rows, schema=carrier)
            yield batch if schema is None else batch.cast(schema)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Read each block: its count of records, and its bytes, decompressed.

        Raises:
            ValueError: A block is cut or changed.
        """
        codec = self._entries.get("avro.codec", b"null").decode()
        file = self._file
        file.seek(self._position)
        sync = file.read(SYNC_BYTES)
        position = self._position + SYNC_BYTES
        while position < self._size_bytes:
            file.seek(position)
            head = memoryview(file.read(BLOCK_HEAD_BYTES))
            count, at = read_long(head, 0)
            length, at = read_long(head, at)
            start = position + at
            file.seek(start)
            # A length that is damaged must not make room for itself.
            fits = count >= 0 and 0 <= length <= self._size_bytes - start
            block = memoryview(file.read(length + SYNC_BYTES)) if fits else memoryview(b"")
            if not fits or block[length:] != sync:
                raise ValueError(f"the block at byte {start} doesn't end with the sync marker")
            yield count, _decompress(block[:length], codec)
            position = start + length + SYNC_BYTES


def avro_footer(size_bytes: int, get_range: GetRange) -> dict[str, str]:
    """Read the entries of ours in an Avro object's header.

    Args:
        size_bytes: The object's size.
        get_range: Reads bytes of the object; asked for more and more from the start until the header is whole.

    Raises:
        ValueError: It is no Avro.
        IndexError: The object ends within its header.
    """
    length = TAIL_BYTES
    while True:
        length = min(length, size_bytes)
        try:
            return own_entries(read_header(memoryview(get_range(0, length)))[0])
        except IndexError:
            if length == size_bytes:
                raise
        length *= 8


def read_header(data: memoryview) -> tuple[dict[str, bytes], int]:
    """Read an Avro object's header.

    Args:
        data: The object's bytes from its start.

    Returns:
        The header's entries, and the position of the sync marker that follows them.

    Raises:
        ValueError: It is no Avro.
        IndexError: The bytes end within the header.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("it doesn't begin as an Avro object container")
    entries: dict[str, bytes] = {}
    position = len(MAGIC)
    while True:
        count, position = read_long(data, position)
        if not count:
            return entries, position
        if count < 0:
            _, position = read_long(data, position)
        for _ in range(abs(count)):
            key, position = _read_bytes(data, position)
            value, position = _read_bytes(data, position)
            entries[key.decode()] = value


def read_long(data: memoryview, position: int) -> tuple[int, int]:
    """Read a zigzag varint.

    Args:
        data: The bytes that hold it.
        position: Where it begins.

    Returns:
        The number, and the position behind it.

    Raises:
        IndexError: The bytes end within it.
    """
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position


def _read_bytes(data: memoryview, position: int) -> tuple[bytes, int]:
    length, position = read_long(data, position)
    if length < 0 or position + length > len(data):
        raise IndexError("the header ends within an entry")
    return bytes(data[position : position + length]), position + length


def _decompress(block: memoryview, codec: str) -> bytes:
    match codec:
        case "null":
            return bytes(block)
        case "deflate":
            return zlib.decompress(block, -zlib.MAX_WBITS)
        case "bzip2":
            return bz2.decompress(block)
        case "zstandard":
            frame: bytes = pa.CompressedInputStream(pa.BufferReader(block), "zstd").read()
            return frame
        case "snappy":
            return _snappy(block)
        case _:
            raise ValueError(f"its codec {codec!r} is unknown")


def _snappy(block: memoryview) -> bytes:
    packed, checksum = block[:-4], block[-4:]
    length = shift = position = 0
    while True:
        length |= (packed[position] & 0x7F) << shift
        if packed[position] < 0x80:
            break
        position, shift = position + 1, shift + 7
    plain: bytes = pa.Codec("snappy").decompress(packed, decompressed_size=length, asbytes=True)
    if zlib.crc32(plain).to_bytes(4, "big") != checksum:
        raise ValueError("a block's checksum differs")
    return plain


def _readable(schema: Any) -> Any:
    """The schema with the names that fields have in Kafka, and of logical types just sound decimals.

    Times are read as numbers: Python's know no year before 1 or past 9999.
    """
    if isinstance(schema, list):
        return [_readable(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kept = schema.get("logicalType") == "decimal" and _is_decimal(schema)
    told = {key: value for key, value in schema.items() if key != "logicalType" or kept}
    if "fields" in told:
        told["fields"] = [
            {"name": field.get(ORIGINAL_NAME, field["name"]), "type": _readable(field["type"])}
            for field in told["fields"]
        ]
    for key in ("items", "values"):
        if key in told:
            told[key] = _readable(told[key])
    return told


def _is_decimal(schema: dict[str, Any]) -> bool:
    """As Avro demands it, and with a scale that Arrow has a place for; else the bytes are meant."""
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    sound = type(precision) is int and type(scale) is int and 0 <= scale <= precision and precision >= 1
    return sound and scale <= DECIMAL_DIGITS_MAX


def _carrier(type_: pa.DataType) -> pa.DataType:
    """The type whose numbers Avro holds, for one that it holds in another unit."""
    if types.is_dictionary(type_):
        return type_.value_type
    if types.is_timestamp(type_) and type_.unit == "s":
        return pa.timestamp("ms", tz=type_.tz)
    if types.is_date64(type_):
        return pa.date32()
    if types.is_time32(type_):
        return pa.time32("ms")
    return type_
