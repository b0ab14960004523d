"""Compressed frames one after the other: gzip members, zstd frames, or plain bytes. For formats without blocks."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pyarrow as pa

SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def _zstd(data: bytes, level: int | None) -> bytes:
    codec = pa.Codec("zstd", compression_level=level) if level is not None else pa.Codec("zstd")
    return bytes(codec.compress(data, asbytes=True))


COMPRESS: dict[str, Callable[[bytes, int | None], bytes]] = {
    "none": lambda data, level: data,  # noqa: ARG005 - nothing to tune
    "gzip": lambda data, level: gzip.compress(data, level if level is not None else 6, mtime=0),
    "zstd": _zstd,
}


def decompress(data: bytes, name: str) -> bytes:
    """All frames of an object, by its name's ending.

    Raises:
        OSError: The bytes are damaged.
    """
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".zst"):
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return bytes(stream.read())
    return data
