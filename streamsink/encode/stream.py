"""Compression of a stream as members or frames, one for each flush, for formats that don't compress inside. Pure."""

from __future__ import annotations

import zlib

import pyarrow as pa

from streamsink.config.sink import Encoding

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""What an extension ends in, by codec."""


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


def decompress(data: bytes | memoryview, name: str) -> bytes | memoryview:
    """All members or frames of an object, by its name's end.

    Raises:
        OSError: The bytes are cut or changed; pyarrow's errors are OSError and ValueError.
    """
    codec = next((codec for codec, suffix in SUFFIXES.items() if suffix and name.endswith(suffix)), None)
    if codec is None or not data:
        return data
    plain: bytes = pa.CompressedInputStream(pa.BufferReader(data), codec).read()
    return plain
