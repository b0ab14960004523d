"""Cuts a run of BSON documents into rows with their keys, most of it in bulk. Asks no server."""

from __future__ import annotations

from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from streamsink.database.protocol import RowBatch

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)
_ORDERED: CodecOptions[SON[str, Any]] = CodecOptions(
    document_class=SON, unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
_CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, document_class=SON, tz_aware=True, unicode_decode_error_handler="replace"
)
_RELAXED = json_util.JSONOptions(json_mode=json_util.JSONMode.RELAXED, document_class=SON, tz_aware=True)

_OBJECT_ID = b"\7_id\0"
_FIRST_FIELD = np.frombuffer(_OBJECT_ID, np.uint8)
_HEAD = 4 + len(_OBJECT_ID)
"""Bytes before the value of a document's first field, where that is an ObjectId named `_id`."""

Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]


def to_json(document: Any) -> Any:
    """A document as canonical extended JSON, of plain Python values."""
    return orjson.loads(json_util.dumps(document, json_options=_CANONICAL))


def from_json(told: Any) -> Any:
    """The document that `to_json` was given."""
    return json_util.loads(orjson.dumps(told).decode(), json_options=_CANONICAL)


def id_of(key: bytes) -> Any:
    """The `_id` that a row's key names."""
    return json_util.loads(key.decode(), json_options=_RELAXED)["_id"]


def key_of(document: bytes) -> bytes:
    """A row's key: `_id` as relaxed extended JSON."""
    found = RawBSONDocument(document)["_id"]
    if isinstance(found, RawBSONDocument):
        found = bson.decode(found.raw, _ORDERED)
    return json_util.dumps({"_id": found}, json_options=_RELAXED, separators=(",", ":")).encode()


def extended_json(document: bytes) -> str:
    """A document as relaxed extended JSON."""
    return json_util.dumps(bson.decode(document, _ORDERED), json_options=_RELAXED, separators=(",", ":"))


def from_extended_json(text: str) -> bytes:
    """The document that a text of extended JSON is of, canonical or relaxed."""
    return bson.encode(json_util.loads(text, json_options=_RELAXED))


def key_of_id(text: str) -> bytes:
    """The key of a row whose `_id` is this text of extended JSON."""
    return json_util.dumps(
        {"_id": json_util.loads(text, json_options=_RELAXED)}, json_options=_RELAXED, separators=(",", ":")
    ).encode()


def raw_documents(values: pa.BinaryArray) -> list[RawBSONDocument]:
    """Rows' values as pymongo sends them, byte for byte."""
    return [RawBSONDocument(value) for value in values.to_pylist()]


def rows_of(documents: pa.BinaryArray) -> RowBatch:
    """The rows of documents that lie one behind the other, as `documents_of` has them."""
    _, ends, data = documents.buffers()
    offsets = np.frombuffer(ends, np.int32, len(documents) + 1)
    keys = _object_ids(np.frombuffer(data, np.uint8), offsets)
    return RowBatch(pa.array([key_of(value) for value in documents.to_pylist()]) if keys is None else keys, documents)


def measurements_of(documents: pa.BinaryArray) -> RowBatch:
    """The rows of measurements, without keys; their fields by name, since MongoDB gives them in any order."""
    found = bson.decode_all(b"".join(documents.to_pylist()), _RAW)
    values = [bson.encode(dict(sorted(one.items())), codec_options=_RAW) for one in found]
    return RowBatch(pa.nulls(len(values), pa.binary()), pa.array(values, pa.binary()))


def _object_ids(data: Bytes, offsets: Int32s) -> pa.BinaryArray | None:
    """The keys of documents that all begin with an ObjectId; None where one does not."""
    starts = offsets[:-1]
    if not len(starts) or int((offsets[1:] - starts).min()) < _HEAD + 12:
        return None
    if (data[starts[:, None] + np.arange(4, _HEAD)] != _FIRST_FIELD).any():
        return None
    ids = data[starts[:, None] + np.arange(_HEAD, _HEAD + 12)]
    before, behind = b'{"_id":{"$oid":"', b'"}}'
    width = len(before) + 24 + len(behind)
    texts = np.empty((len(starts), width), np.uint8)
    texts[:, : len(before)] = np.frombuffer(before, np.uint8)
    digits = ids.tobytes().hex().encode()
    texts[:, len(before) : len(before) + 24] = np.frombuffer(digits, np.uint8).reshape(len(starts), 24)
    texts[:, len(before) + 24 :] = np.frombuffer(behind, np.uint8)
    ends = np.arange(0, width * (len(starts) + 1), width, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.binary(), len(starts), [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(texts.tobytes())]
    )
