"""Batches of a cursor's documents, byte for byte, without an object for each of them. Asks nothing itself.

pymongo's own raw batches make a `RawBSONDocument` of each document before they throw it away, which costs more than
all the rest of receiving it. `RawBatches` takes a reply apart before pymongo does; what it doesn't know it leaves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from bson.raw_bson import RawBSONDocument
from pymongo.cursor import RawBatchCursor

_LENGTH = struct.Struct("<i")
_DOCUMENT, _ARRAY = 3, 4
_FIXED = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8}
_COUNTED = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5}
"""By type: a value's bytes, and those beside the ones that the length in front of it counts."""
_DIGITS_MAX = 8
"""Of the number of a document in its batch; a reply has 48 MB at most."""
_BATCHES = (b"firstBatch", b"nextBatch")

if TYPE_CHECKING:
    _Cursor = RawBatchCursor[RawBSONDocument]
else:
    _Cursor = RawBatchCursor


class RawBatches(_Cursor):
    """A cursor each item of which is a batch of documents: a `pa.BinaryArray`, or bytes as of `find_raw_batches`."""

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        payload = getattr(response, "payload_document", None)
        found = None if payload is None else _taken_apart(bytes(payload))
        return super()._unpack_response(response, *args, **kwargs) if found is None else [found]


def documents_of(batch: pa.BinaryArray | bytes) -> pa.BinaryArray:
    """A batch's documents; in memory they lie one behind the other, from the start of the array's data.

    Args:
        batch: As `RawBatches` gives it.
    """
    if isinstance(batch, pa.Array):
        return batch
    ends, at, unpack = [0], 0, _LENGTH.unpack_from
    while at < len(batch):
        at += unpack(batch, at)[0]
        ends.append(at)
    assert at == len(batch), "documents follow one another"
    offsets = pa.py_buffer(np.array(ends, np.int32).tobytes())
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, offsets, pa.py_buffer(batch)])


def _taken_apart(reply: bytes) -> dict[str, Any] | None:
    """A reply with the documents as one array; None where it is not what a cursor's reply is known to be."""
    try:
        for name, kind, start, end in _elements(reply, 0):
            if name == b"cursor" and kind == _DOCUMENT:
                for member, of_kind, low, high in _elements(reply, start):
                    if member in _BATCHES and of_kind == _ARRAY:
                        return _spliced(reply, start, low, high, end, member.decode())
    except (struct.error, KeyError, IndexError, ValueError):
        return None
    return None


def _spliced(reply: bytes, cursor: int, low: int, high: int, cursor_end: int, member: str) -> dict[str, Any]:
    documents = _documents(reply, low, high)
    nothing = _LENGTH.pack(5) + b"\0"
    inner = reply[cursor + 4 : low] + nothing + reply[high:cursor_end]
    rest = reply[4:cursor] + _LENGTH.pack(4 + len(inner)) + inner + reply[cursor_end:]
    found = bson.decode(_LENGTH.pack(4 + len(rest)) + rest)
    found["cursor"][member] = [documents] if len(documents) else []
    return found


def _elements(data: bytes, start: int) -> Iterator[tuple[bytes, int, int, int]]:
    """The elements of the document that begins here: name, type, and where the value begins and ends."""
    at, last = start + 4, start + _LENGTH.unpack_from(data, start)[0] - 1
    while at < last:
        stop = data.index(b"\0", at + 1)
        kind, value = data[at], stop + 1
        size = _FIXED[kind] if kind in _FIXED else _LENGTH.unpack_from(data, value)[0] + _COUNTED[kind]
        if size < 0:
            raise ValueError("no length")
        yield data[at + 1 : stop], kind, value, value + size
        at = value + size


def _documents(data: bytes, low: int, high: int) -> pa.BinaryArray:
    """The members of an array of documents: their names are their numbers, so that only lengths have to be read."""
    ends: list[int] = []
    before: list[int] = []
    at, last, add, unpack = low + 4, high - 1, ends.append, _LENGTH.unpack_from
    for digits in range(1, _DIGITS_MAX + 1):
        skipped, known = 1 + digits + 1, len(ends)
        for _ in range(10**digits - known):
            if at >= last:
                break
            at += skipped
            at += unpack(data, at)[0]
            add(at)
        before += [skipped] * (len(ends) - known)
    edges = np.empty(2 * len(ends) or 1, np.int32)
    edges[1::2] = ends
    edges[0] = low + 4
    edges[2::2] = ends[:-1]
    edges[: 2 * len(ends) : 2] += np.array(before, np.int32)
    _require_documents(np.frombuffer(data, np.uint8), edges[: 2 * len(ends)], before)
    if at != last:
        raise ValueError("not an array of documents")
    cells = pa.Array.from_buffers(
        pa.binary(), edges.size - 1, [None, pa.py_buffer(edges.tobytes()), pa.py_buffer(data)]
    )
    return cells.take(pa.array(np.arange(0, 2 * len(ends), 2)))


def _require_documents(data: npt.NDArray[np.uint8], edges: npt.NDArray[np.int32], before: list[int]) -> None:
    """Refuse what only looked like an array of documents."""
    starts, ends = edges[0::2], edges[1::2]
    if not (ends - starts >= _LENGTH.size + 1).all() or (ends.size and ends[-1] > data.size):
        raise ValueError("not an array of documents")
    kinds = data[starts - np.array(before, np.int32)]
    if not ((kinds == _DOCUMENT) & (data[starts - 1] == 0) & (data[ends - 1] == 0)).all():
        raise ValueError("not an array of documents")
