"""Confluent's wire format: a zero, the schema's id in four bytes, then the encoded value. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.decode.avro.columns import padded

Int64s = npt.NDArray[np.int64]

HEAD_BYTES = 5
NULL, UNFRAMED, NO_MESSAGE = -1, -2, -3
"""In place of ids: the value is null, its first bytes are not those of the format, or no Protobuf message follows."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Values taken apart: each one's schema id, and where its payload lies in `data`."""

    ids: Int64s
    data: npt.NDArray[np.uint8]
    starts: Int64s
    stops: Int64s

    def some(self, rows: Int64s) -> Frames:
        """The frames of some rows."""
        return Frames(self.ids[rows], self.data, self.starts[rows], self.stops[rows])

    def payload(self, row: int) -> bytes:
        """One value without its head."""
        return bytes(self.data[self.starts[row] : self.stops[row]])


def read_ids(values: pa.BinaryArray) -> Int64s:
    """Each value's schema id, `NULL` or `UNFRAMED`."""
    data, starts, stops = _buffers_of(values)
    return _ids(values, data, starts, stops)


def read_frames(values: pa.BinaryArray) -> Frames:
    """Values taken apart."""
    data, starts, stops = _buffers_of(values)
    ids = _ids(values, data, starts, stops)
    return Frames(ids, padded(data), np.minimum(starts + HEAD_BYTES, stops), stops)


def distinct(ids: Int64s) -> list[int]:
    """The ids there are, in order; mostly it is one."""
    if len(ids) and (ids == ids[0]).all():
        return [int(ids[0])]
    return [int(one) for one in np.unique(ids)]


def why_unframed(value: bytes) -> str:
    """The fault of a value that `read_ids` calls `UNFRAMED`."""
    if len(value) < HEAD_BYTES:
        return f"it has {len(value)} bytes, and a schema id takes {HEAD_BYTES}"
    return f"its first byte, the format's magic, is {value[0]} and not 0"


def _buffers_of(values: pa.BinaryArray) -> tuple[npt.NDArray[np.uint8], Int64s, Int64s]:
    if not len(values):
        return np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, offsets_buffer, data_buffer = values.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    first = int(offsets[0])
    return data[first : int(offsets[-1])], offsets[:-1] - first, offsets[1:] - first


def _ids(values: pa.BinaryArray, data: npt.NDArray[np.uint8], starts: Int64s, stops: Int64s) -> Int64s:
    ids = np.full(len(values), UNFRAMED, np.int64)
    framed = np.flatnonzero(stops - starts >= HEAD_BYTES)
    if not values.null_count and len(framed) == len(values):
        ids = _words(data, starts)
        return np.where(ids < 1 << 32, ids, UNFRAMED)
    head = data[starts[framed][:, None] + np.arange(HEAD_BYTES)].astype(np.int64)
    number = (head[:, 1] << 24) | (head[:, 2] << 16) | (head[:, 3] << 8) | head[:, 4]
    ids[framed] = np.where(head[:, 0] == 0, number, UNFRAMED)
    if values.null_count:
        ids[values.is_null().to_numpy(zero_copy_only=False)] = NULL
    return ids


def _words(data: npt.NDArray[np.uint8], starts: Int64s) -> Int64s:
    """The five bytes from each start as one number, read as eight at once; the last few bytes are copied for that."""
    if not len(starts):
        return np.zeros(0, np.int64)
    tail = int(np.searchsorted(starts, len(data) - 7))
    found = np.empty(len(starts), np.uint64)
    if tail:
        found[:tail] = np.ndarray((len(data) - 7,), ">u8", data.data, strides=(1,))[starts[:tail]]
    for row in range(tail, len(starts)):
        at = int(starts[row])
        found[row] = int.from_bytes(data[at : at + HEAD_BYTES].tobytes(), "big") << 24
    return (found >> np.uint64(24)).astype(np.int64)
