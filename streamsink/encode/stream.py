"""Compression of a stream as members or frames, one for each flush, for formats that don't compress inside. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pyarrow as pa

from streamsink.config.sink import Encoding

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""What an extension ends in, by codec."""

PIECE_BYTES = 1024 * 1024
"""Decompressed at once."""


def compress(data: bytes | memoryview, encoding: Encoding) -> bytes:
    """One member or frame. The same bytes for the same data: gzip's time is zero."""
    match encoding.codec:
        case "gzip":
            gzip = zlib.compressobj(6 if encoding.level is None else encoding.level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            return gzip.compress(data) + gzip.flush()
        case "zstd":
            frame: bytes = pa.Codec("zstd", 1 if encoding.level is None else encoding.level).compress(
                data, asbytes=True
            )
            return frame
        case _:
            return bytes(data)


def open_plain(data: bytes | memoryview | pa.NativeFile, name: str) -> pa.NativeFile:
    """All members or frames of an object, by its name's end, decompressed as they are read.

    Its reads raise OSError or ValueError where the bytes are cut or changed.
    """
    stream = as_file(data)
    codec = next((codec for codec, suffix in SUFFIXES.items() if suffix and name.endswith(suffix)), None)
    # An empty stream is no frame, and no records either.
    return stream if codec is None or not stream.size() else pa.CompressedInputStream(stream, codec)


def as_file(data: bytes | memoryview | pa.NativeFile) -> pa.NativeFile:
    """Bytes as a file from their start, or the file itself, put back to its start."""
    if not isinstance(data, pa.NativeFile):
        return pa.BufferReader(data)
    data.seek(0)
    return data


def lines_of(stream: pa.NativeFile, rows_max: int) -> Iterator[list[bytes]]:
    """Lines without their ends, so many at a time at most.

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
