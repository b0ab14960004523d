"""Finds a value's field among a slice's columns: plain, nested, or inside a column of JSON texts. Pure.

A record gets the same answer whatever its topic's columns have widened to meanwhile: the answer is made of its own
value, never of the column's type. So an integer in a column of doubles is still an integer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from streamsink.record import JSON_TEXT_METADATA, REST, VARIANT_OF, DecodedSlice


@dataclass(frozen=True, slots=True)
class Found:
    """A column that may hold the field; `is_json` if its strings are JSON texts."""

    array: pa.Array
    is_json: bool


def find(decoded: DecodedSlice, path: str) -> list[Found]:
    """Find the columns that may hold a field.

    Where `partition_columns` stands beside the rows, it alone is the value's: the rows' `value` is then its raw bytes,
    not a field of that name.

    Args:
        decoded: The rows.
        path: The field's name, with dots for a field inside another.

    Returns:
        Best first: a field whose name holds the dots, then the nested one. Empty if no record of the slice's topic has
        had it yet.
    """
    batch = decoded.rows if decoded.partition_columns is None else decoded.partition_columns
    return list(_in_batch(batch, path))


def _in_batch(batch: pa.RecordBatch, path: str) -> Iterator[Found]:
    members = list(zip(batch.schema, batch.columns, strict=True))
    for column, array in _named(members, path):
        yield _found(array, column)
    head, *steps = path.split(".")
    if steps:
        for column, array in _named(members, head):
            yield from _descend(array, column, steps)
    if REST in batch.schema.names:
        for names in ([path], [head, *steps])[: 2 if steps else 1]:
            yield Found(_inside_texts(batch.column(REST), names), is_json=True)


def _named(members: list[tuple[pa.Field, pa.Array]], name: str) -> Iterator[tuple[pa.Field, pa.Array]]:
    """The column of a field, and the variants beside it that hold the values which don't fit."""
    for column, array in members:
        variant_of = (column.metadata or {}).get(VARIANT_OF.encode())
        if (column.name == name) if variant_of is None else (variant_of.decode() == name):
            yield column, array


def _found(array: pa.Array, column: pa.Field) -> Found:
    marks = column.metadata or {}
    return Found(array, all(marks.get(key.encode()) == mark.encode() for key, mark in JSON_TEXT_METADATA.items()))


def _descend(array: pa.Array, column: pa.Field, steps: list[str]) -> Iterator[Found]:
    here = _found(array, column)
    if not steps:
        yield here
    elif here.is_json:
        yield Found(_inside_texts(array, steps), is_json=True)
    elif pa.types.is_struct(column.type):
        members = list(zip(column.type, array.flatten(), strict=True))
        for child, inner in _named(members, steps[0]):
            yield from _descend(inner, child, steps[1:])


def _inside_texts(texts: pa.Array, steps: list[str]) -> pa.Array:
    encoded = texts.dictionary_encode()
    inner = pa.array([_member(text, steps) for text in encoded.dictionary.to_pylist()], pa.string())
    return inner.take(encoded.indices)


def _member(text: str, steps: list[str]) -> str | None:
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = json.loads(text)  # a number beyond a double's range
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return None if value is None else orjson.dumps(value).decode()
