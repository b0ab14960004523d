"""Turns columns into the `value` of `field=value`, one name for each distinct value. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import TerminalError
from streamsink.partition.lookup import Found, find
from streamsink.record import DecodedSlice

NULL = "null"
DOUBLE_EXACT_MAX = 2**53


def field_texts(decoded: DecodedSlice, path: str) -> pa.DictionaryArray | str:
    """The field's value of each row as text; `null` where it is null or missing.

    Raises:
        TerminalError: A value is a struct, list or bytes that no directory can be named after.
    """
    columns = [_texts(found, path, decoded) for found in find(decoded, path)]
    if not columns:
        return NULL
    texts = columns[0]
    for other in columns[1:]:
        texts = pc.coalesce(texts, other)
    return pc.fill_null(texts, NULL).dictionary_encode()


def _texts(found: Found, path: str, decoded: DecodedSlice) -> pa.Array:
    array, kind = found.array, found.array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_integer(kind) or (pa.types.is_string(kind) and not found.is_json):
        return array.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        if array.null_count < len(array):
            _refuse(decoded, array.is_valid(), path, str(kind))
        return pa.nulls(len(array), pa.string())
    encoded = array.dictionary_encode()
    names: list[str | None] = []
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        scalar = _of_json(value) if found.is_json else value
        if isinstance(scalar, dict | list):
            _refuse(decoded, pc.equal(encoded.indices, code), path, type(scalar).__name__)
        names.append(_told(scalar))
    return pa.array(names, pa.string()).take(encoded.indices)


def _of_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _told(value: Any) -> str | None:
    """A scalar's text: integral doubles read like the integers they may have been."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < DOUBLE_EXACT_MAX:
            return str(int(value))
        case float():
            return repr(value)
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _refuse(decoded: DecodedSlice, where: pa.Array, path: str, kind: str) -> NoReturn:
    row = int(np.flatnonzero(where.to_numpy(zero_copy_only=False) == 1)[0])
    raise TerminalError(
        f"{decoded.topic_partition}@{decoded.offsets[row].as_py()}: the field {path!r} holds a {kind}",
        hint="partition.field.name must name a string, number or boolean; use dots for a field inside an object",
    )
