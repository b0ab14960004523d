"""Turns columns into the `value` of `field=value`, one name for each distinct value. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import PartitionError
from streamsink.partition.lookup import Found, find
from streamsink.partition.times import rows_where
from streamsink.record import DecodedSlice

NULL = "null"
INT64_MAX = 2**63


def field_texts(decoded: DecodedSlice, path: str) -> pa.DictionaryArray | str:
    """Give the field's value of each row as text; `null` where it is null or missing.

    Args:
        decoded: The rows.
        path: The field's name, with dots for a field inside another.

    Returns:
        One entry a row, or one text where no row has the field.

    Raises:
        PartitionError: Values are structs, lists or bytes that no directory can be named after.
    """
    faults: dict[int, str] = {}
    columns = [_texts(found, faults) for found in find(decoded, path)]
    if faults:
        told = {row: f"the field {path!r} holds a {kind}" for row, kind in sorted(faults.items())}
        raise PartitionError(
            next(iter(told.values())),
            rows=told,
            hint="partition.field.name must name a string, number or boolean; use dots for a field inside an object",
        )
    if not columns:
        return NULL
    texts = columns[0]
    for other in columns[1:]:
        texts = pc.coalesce(texts, other)
    return pc.fill_null(texts, NULL).dictionary_encode()


def _texts(found: Found, faults: dict[int, str]) -> pa.Array:
    """A column's values as texts; `faults` gets the type by row where a value can't be one."""
    array, kind = found.array, found.array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_integer(kind) or (pa.types.is_string(kind) and not found.is_json):
        return array.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        faults |= dict.fromkeys(rows_where(array.is_valid()), str(kind))
        return pa.nulls(len(array), pa.string())
    encoded = array.dictionary_encode()
    names: list[str | None] = []
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        scalar = _of_json(value) if found.is_json else value
        if isinstance(scalar, dict | list):
            faults |= dict.fromkeys(rows_where(pc.equal(encoded.indices, code)), type(scalar).__name__)
            scalar = None
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
        case float() if value.is_integer() and abs(value) < INT64_MAX:
            return str(int(value))
        case float():
            return repr(value)
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
