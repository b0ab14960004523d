"""Finds a value's field among a slice's columns: plain, nested, or inside a column of JSON texts. Pure.

A record gets the same answer whatever its topic's columns have widened to meanwhile: the answer is made of its own
value, never of the column's type. So an integer in a column of doubles is still an integer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.record import JSON_TEXT_METADATA, DecodedSlice


@dataclass(frozen=True, slots=True)
class Found:
    """A column that may hold the field; `is_json` if its strings are JSON texts."""

    array: pa.Array
    is_json: bool


def find(decoded: DecodedSlice, path: str) -> list[Found]:
    """Where the field may be, best first: a field whose name holds the dots, then the nested one.

    Empty if no record of the slice's topic has had it yet. Where `partition_columns` stands beside the rows, it
    alone is the value's: the rows' `value` is then its raw bytes, not a field of that name.
    """
    batch = decoded.rows if decoded.partition_columns is None else decoded.partition_columns
    return list(_in_batch(batch, path))


def _in_batch(batch: pa.RecordBatch, path: str) -> Iterator[Found]:
    names = batch.schema.names
    if path in names:
        yield _found(batch.column(path), batch.schema.field(path))
    head, *steps = path.split(".")
    if steps and head in names:
        nested = _descend(batch.column(head), batch.schema.field(head), steps)
        if nested is not None:
            yield nested


def _found(array: pa.Array, column: pa.Field) -> Found:
    marks = column.metadata or {}
    return Found(array, all(marks.get(key.encode()) == mark.encode() for key, mark in JSON_TEXT_METADATA.items()))


def _descend(array: pa.Array, column: pa.Field, steps: list[str]) -> Found | None:
    for done, step in enumerate(steps):
        here = _found(array, column)
        if here.is_json:
            return Found(_inside_texts(array, steps[done:]), is_json=True)
        index = column.type.get_field_index(step) if pa.types.is_struct(column.type) else -1
        if index < 0:
            return None
        array, column = pc.struct_field(array, [index]), column.type.field(index)
    return _found(array, column)


def _inside_texts(texts: pa.Array, steps: list[str]) -> pa.Array:
    encoded = texts.dictionary_encode()
    inner = pa.array([_member(text, steps) for text in encoded.dictionary.to_pylist()], pa.string())
    return inner.take(encoded.indices)


def _member(text: str, steps: list[str]) -> str | None:
    value: Any = orjson.loads(text)
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return None if value is None else orjson.dumps(value).decode()
