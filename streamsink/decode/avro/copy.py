"""Copies encoded Avro records into Avro objects, once it has checked that they can be decoded. Pure.

An encoded record is its fields one after the other, so that an envelope before it makes a record of both.
"""

from __future__ import annotations

import base64

import numpy as np
import orjson
import pyarrow as pa

from streamsink.decode.avro.named_types import whole_schema
from streamsink.decode.avro.types import AvroKind, AvroType, without_ignored
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.wire import Frames
from streamsink.record import AVRO_COLUMNS, AVRO_RECORD, ENVELOPE

COLUMN = "_avro"
_OWN_NAMES = "Row"
"""What our own records' names begin with in Avro objects."""


def copied_field(schema: RegisteredSchema, type_: AvroType) -> pa.Field | None:
    """The column that encoded records are copied through.

    Args:
        schema: The records' schema.
        type_: The same schema as it is decoded.

    Returns:
        None where records have to be decoded: where they are no records, or where a reader would make other values of
        them than decoding does.
    """
    if type_.kind is not AvroKind.RECORD or not type_.names or not _plain(type_):
        return None
    if any(name.rstrip("_") == ENVELOPE for name in type_.names):
        return None
    whole = without_ignored(whole_schema(schema.text, schema.references))
    if any(name.startswith(_OWN_NAMES) for name in _names(whole)):
        return None
    arrow = base64.b64encode(pa.schema(list(type_.fields)).serialize()).decode()
    about = {AVRO_RECORD: orjson.dumps(whole).decode(), AVRO_COLUMNS: arrow}
    return pa.field(COLUMN, pa.binary(), nullable=False, metadata=about)


def copied(frames: Frames) -> pa.BinaryArray:
    """The encoded records themselves."""
    offsets = np.empty(2 * len(frames.ids), np.int32)
    offsets[0::2], offsets[1::2] = frames.starts, frames.stops
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(frames.data)]
    between = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
    return between.take(pa.array(np.arange(0, len(offsets) - 1, 2)))


def _plain(type_: AvroType) -> bool:
    """Whether it has no union of several types, nothing that holds itself, and no record without fields."""
    if type_.kind is AvroKind.JSON or (type_.kind is AvroKind.RECORD and not type_.names):
        return False
    if type_.kind is AvroKind.UNION and len(type_.children) - (type_.null_branch is not None) != 1:
        return False
    return all(_plain(child) for child in type_.children)


def _names(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [name for branch in schema for name in _names(branch)]
    if not isinstance(schema, dict):
        return []
    own = [str(schema["name"])] if "name" in schema and isinstance(schema.get("type"), str) else []
    return own + [name for inside in schema.values() for name in _names(inside)]
