"""Avro object containers: blocks as rows come, the header with our entries at the end. Writes to memory only."""

from __future__ import annotations

import bz2
import hashlib
import zlib
from collections.abc import Mapping

import orjson
import pyarrow as pa

from streamsink.cells import buffers_of, cuts, packed, pieces, size_bytes
from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.avro.rows import encode_rows
from streamsink.encode.avro.schema import decoded_schema, to_avro
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.footer import schema_entries
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.refusal import Doubts
from streamsink.encode.writer import GroupWriter

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
BLOCK_BYTES = 512 * 1024
"""Uncompressed size of a block: large enough to compress well, small enough for a reader to hold."""
PIECE_BYTES = 4 * 1024 * 1024
SAMPLE_ROWS = 64
CODECS = ("null", "deflate", "snappy", "zstandard", "bzip2")


class AvroFormat:
    """Avro object containers.

    Args:
        encoding: Codec, level and how many rows are encoded at once.
        rotation: Says how large objects may become.
    """

    extension = ".avro"
    keeps_footer = True

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        self._encoding = encoding
        self._rotation = rotation
        self._doubts = Doubts()

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """See `Format.open`; the sync marker comes of the identity."""
        encoder = AvroEncoder(schema, self._encoding, identity)
        return GroupWriter(encoder, schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """See `Format.refused`."""
        return self._doubts.refused(rows, _trial)


def _trial(rows: pa.RecordBatch) -> None:
    to_avro(rows.schema)
    encode_rows(rows)


class AvroEncoder:
    """One Avro file.

    Args:
        schema: Of all rows.
        encoding: Codec and level.
        identity: Seeds the sync marker.
        top: The type of the one column, where entries are that and no records. Other programs read them, we never do.
        encoded: Whether that column has entries as they are encoded.

    Raises:
        TerminalError: A column's type has no place in Avro.
    """

    def __init__(
        self, schema: pa.Schema, encoding: Encoding, identity: str, *, top: object = None, encoded: bool = False
    ) -> None:
        self._encoded = encoded
        self._encoding = encoding
        self._sync = hashlib.sha256(identity.encode()).digest()[:SYNC_BYTES]
        self._meta = {
            "avro.codec": encoding.codec,
            "avro.schema": orjson.dumps(to_avro(schema) if top is None else top).decode(),
            **(schema_entries(decoded_schema(schema)) if top is None else {}),
        }
        self._head_bytes = len(self._header({}))
        self._chunks = Chunks()

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`."""
        return self._head_bytes + self._chunks.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`."""
        return 2 * self._head_bytes + self._chunks.memory_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:
        """See `GroupEncoder.expansion`."""
        sample = rows.slice(0, SAMPLE_ROWS)
        return size_bytes(encode_rows(sample)) / max(1, int(sample.nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for piece in pieces(group, PIECE_BYTES):
            rows = piece.column(0) if self._encoded else encode_rows(piece)
            starts, data = buffers_of(rows)[0], packed(rows)
            for first, stop in cuts(starts, BLOCK_BYTES):
                block = compress(data[starts[first] : starts[stop]], self._encoding)
                self._chunks.write(_long(stop - first) + _long(len(block)))
                self._chunks.write(block)
                self._chunks.write(self._sync)

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        return seal(self._chunks.take(head=self._header(footer)))

    def _header(self, footer: Mapping[str, str]) -> bytes:
        entries = {**self._meta, **dict(sorted(footer.items()))}
        meta = b"".join(_bytes(key) + _bytes(value) for key, value in entries.items())
        return MAGIC + _long(len(entries)) + meta + _long(0) + self._sync


def compress(block: memoryview, encoding: Encoding) -> bytes | memoryview:
    """Compress a block as Avro's codecs do; snappy's blocks end in a checksum of 4 bytes.

    Args:
        block: The encoded records.
        encoding: The codec and its level; the codec's default where the level is None. An unknown codec leaves the
            block as it is.
    """
    level = encoding.level
    match encoding.codec:
        case "deflate":
            deflate = zlib.compressobj(6 if level is None else level, zlib.DEFLATED, -zlib.MAX_WBITS)
            return deflate.compress(block) + deflate.flush()
        case "bzip2":
            return bz2.compress(block, 9 if level is None else level)
        case "snappy":
            packed: bytes = pa.Codec("snappy").compress(block, asbytes=True)
            return packed + zlib.crc32(block).to_bytes(4, "big")
        case "zstandard":
            zstd: bytes = pa.Codec("zstd", 1 if level is None else level).compress(block, asbytes=True)
            return zstd
        case _:
            return block


def _long(value: int) -> bytes:
    """A number as a zigzag varint."""
    zigzag = (value << 1) ^ (value >> 63)
    groups = bytearray()
    while zigzag > 0x7F:
        groups.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    groups.append(zigzag)
    return bytes(groups)


def _bytes(text: str) -> bytes:
    data = text.encode()
    return _long(len(data)) + data
