"""Compression of a stream as members or frames, one for each flush, for formats that don't compress inside. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pyarrow as pa

from streamsink.config.sink import Encoding

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""The end of an object's extension, by codec."""

_SNAPPY = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") * 2
"""What Java's snappy streams begin with: a mark, the version, and the oldest version that reads it."""
_SNAPPY_BLOCK_BYTES = 32 * 1024

PIECE_BYTES = 1024 * 1024
"""Decompressed at once."""


def compress(data: bytes | memoryview, encoding: Encoding) -> bytes:
    """Compress bytes as one member or frame. The same data gives the same bytes: gzip's time is zero.

    Args:
        data: The bytes.
        encoding: The codec and its level; the codec's default where the level is None. An unknown codec copies.
    """
    match encoding.codec:
        case "gzip":
            gzip = zlib.compressobj(6 if encoding.level is None else encoding.level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            return gzip.compress(data) + gzip.flush()
        case "zstd":
            frame: bytes = pa.Codec("zstd", 1 if encoding.level is None else encoding.level).compress(
                data, asbytes=True
            )
            return frame
        case "snappy":
            return _snappy(memoryview(data))
        case _:
            return bytes(data)


def _snappy(data: memoryview) -> bytes:
    """One of Java's snappy streams; they may follow each other."""
    codec = pa.Codec("snappy")
    written = bytearray(_SNAPPY)
    for at in range(0, len(data), _SNAPPY_BLOCK_BYTES):
        block = codec.compress(data[at : at + _SNAPPY_BLOCK_BYTES], asbytes=True)
        written += len(block).to_bytes(4, "big") + block
    return bytes(written)


def _unsnappy(data: memoryview) -> bytes:
    codec, plain, at = pa.Codec("snappy"), bytearray(), 0
    while at < len(data):
        if data[at : at + 8] == _SNAPPY[:8]:
            at += len(_SNAPPY)
            continue
        length = int.from_bytes(data[at : at + 4], "big")
        block = data[at + 4 : at + 4 + length]
        if len(block) != length:
            raise ValueError("its last snappy block is cut")
        size = shift = 0
        for byte in block[:5]:
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        plain += codec.decompress(block, decompressed_size=size, asbytes=True)
        at += 4 + length
    return bytes(plain)


def open_plain(data: bytes | memoryview | pa.NativeFile, name: str) -> pa.NativeFile:
    """Read an object's members or frames one after the other, decompressed as they are read.

    Its reads raise OSError or ValueError where the bytes are cut or changed.

    Args:
        data: All the object's bytes, or a file that is read from its start.
        name: The object's, whose end says the codec; no known end means no compression.
    """
    codec = next((codec for codec, suffix in SUFFIXES.items() if suffix and name.endswith(suffix)), None)
    return open_codec(data, codec)


def open_codec(data: bytes | memoryview | pa.NativeFile, codec: str | None) -> pa.NativeFile:
    """Read an object's members or frames one after the other, decompressed as they are read.

    Its reads raise OSError or ValueError where the bytes are cut or changed.

    Args:
        data: All the object's bytes, or a file that is read from its start.
        codec: The codec's name; None or `none` for no compression.
    """
    stream = as_file(data)
    if codec == "snappy":
        return pa.BufferReader(_unsnappy(memoryview(stream.read())))
    codec = None if codec == "none" else codec
    # An empty stream is no frame, and no records either.
    return stream if codec is None or not stream.size() else pa.CompressedInputStream(stream, codec)


def as_file(data: bytes | memoryview | pa.NativeFile) -> pa.NativeFile:
    """Bytes as a file from their start, or the file itself, put back to its start."""
    if not isinstance(data, pa.NativeFile):
        return pa.BufferReader(data)
    data.seek(0)
    return data


def lines_of(stream: pa.NativeFile, rows_max: int) -> Iterator[list[bytes]]:
    """Give lines without their ends.

    Args:
        stream: Plain bytes.
        rows_max: The most lines in one list.

    Raises:
        ValueError: The last line has no end.
    """
    rest = b""
    while piece := stream.read(PIECE_BYTES):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for start in range(0, len(lines), rows_max):
            yield lines[start : start + rows_max]
    if rest:
        raise ValueError("its last line is cut")
