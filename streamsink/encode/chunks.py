"""Collects encoded bytes in pieces and joins them once, at the end. Knows no format."""

from __future__ import annotations

import hashlib
from collections import deque

import numpy as np

from streamsink.encode.protocol import EncodedFile

CHUNK_OVERHEAD_BYTES = 64
"""What holding one piece costs beside its bytes."""


class Chunks:
    """An append-only file in memory. Growing copies nothing; joining frees the pieces as it goes."""

    closed = False

    def __init__(self) -> None:
        self._chunks: deque[bytes | memoryview] = deque()
        self.size_bytes = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory held."""
        return self.size_bytes + len(self._chunks) * CHUNK_OVERHEAD_BYTES

    def write(self, data: bytes | memoryview) -> int:
        """Take a piece, which must not change any more."""
        self._chunks.append(data)
        self.size_bytes += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes written, as files tell it."""
        return self.size_bytes

    def flush(self) -> None:
        """Do nothing: no row waits."""

    def take(self, *, head: bytes = b"") -> memoryview:
        """Give all bytes behind `head` in one piece, and empty the chunks."""
        # Not a bytearray: that would be filled with zeros first, a pass over as many bytes.
        joined = np.empty(len(head) + self.size_bytes, np.uint8).data
        position = len(head)
        joined[:position] = head
        while self._chunks:
            chunk = self._chunks.popleft()
            joined[position : position + len(chunk)] = chunk
            position += len(chunk)
        self.size_bytes = 0
        return joined.toreadonly()


def seal(data: memoryview, sidecar: bytes | None = None) -> EncodedFile:
    """Hash the bytes of a finished file.

    Args:
        data: All its bytes.
        sidecar: The sidecar's content, for a format that can't say everything in its own bytes; else None.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return EncodedFile(data, sha256, md5, sidecar)
