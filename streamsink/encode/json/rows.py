"""Arrow rows as JSON objects, whole columns at a time. Knows nothing of files.

Bytes are base64 text, floats without a finite value are words, times ISO 8601 or numbers (`times.py`), or what Connect
has; the times of `_kafka` are milliseconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from streamsink.cells import (
    Int64s,
    Part,
    binary,
    buffers_of,
    choose,
    constant,
    fold,
    from_lengths,
    join,
    list_lengths,
    plain,
)
from streamsink.config.sink import JsonForm
from streamsink.encode.avro.schema import is_bytes, is_text
from streamsink.encode.json.times import count_cells, float_parts, is_finer, time_parts
from streamsink.java.numbers import unscaled_bytes
from streamsink.record import ENVELOPE

_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", dtype=np.uint8)
_CHARACTERS = np.stack(
    [np.repeat(_ALPHABET, 64), np.tile(_ALPHABET, 64)],
    axis=1,
)
_PAIRS = np.ascontiguousarray(_CHARACTERS).view(np.uint16).reshape(-1)
"""Both characters of twelve bits, as one number in this machine's byte order."""

_WHOLE_PLAIN_MAX = 1e10
"""Whole floats below this are written without point or exponent, and get a point so that they stay floats."""


def encode_rows(rows: pa.RecordBatch, form: JsonForm = JsonForm.ISO) -> pa.BinaryArray:
    """One cell for each row: a JSON object, `_kafka` first, and a line feed.

    Args:
        rows: What is written.
        form: How dates, times and decimals are written; those of `_kafka` are milliseconds.
    """
    names = rows.schema.names
    order = sorted(range(len(names)), key=lambda index: names[index] != ENVELOPE)
    parts: list[Part] = [b"{"]
    for position, index in enumerate(order):
        parts.append((b"," if position else b"") + _key(names[index]))
        parts += _nullable(rows.column(index), form=JsonForm.CONNECT if names[index] == ENVELOPE else form)
    return join([*parts, b"}\n"], rows.num_rows)


def _key(name: str) -> bytes:
    return orjson.dumps(name) + b":"


def _nullable(column: pa.Array, *, form: JsonForm) -> list[Part]:
    count = len(column)
    if types.is_float16(column.type):
        column = column.cast(pa.float32())
    if count and column.null_count == count:
        return [b"null"]
    parts = _value(column, form=form)
    if not column.null_count:
        return parts
    return [choose(column.is_valid(), join(parts, count), b"null")]


def _value(column: pa.Array, *, form: JsonForm) -> list[Part]:
    """The parts of a column's values; what stands for a null is cut by the caller, who knows that it is one."""
    is_object = types.is_map(column.type) and is_text(column.type.key_type)
    column = plain(column)
    type_ = column.type
    if types.is_struct(type_):
        return _object(column, form=form)
    if is_object:
        return _map(column, form=form)
    if types.is_list(type_):
        items = column.flatten()
        return [b"[", _separated(column, _nullable(items, form=form)), b"]"]
    if is_text(type_) or is_bytes(type_):
        return [b'"', (escape if is_text(type_) else base64_cells)(binary(column)), b'"']
    if types.is_null(type_):
        return [b"null"]
    return _scalar(column, form=form)


def _scalar(column: pa.Array, *, form: JsonForm) -> list[Part]:
    type_ = column.type
    if types.is_boolean(type_):
        filled = column.fill_null(False)
        return [pc.if_else(filled, pa.scalar(b"true", pa.binary()), pa.scalar(b"false", pa.binary()))]
    if types.is_floating(type_):
        return [encode_float(column)]
    if types.is_timestamp(type_) or types.is_date(type_) or types.is_time(type_):
        return time_parts(column) if form is JsonForm.ISO or is_finer(type_) else [count_cells(column)]
    if types.is_decimal(type_):
        return _decimal(column, form=form)
    if types.is_duration(type_):
        column = column.cast(pa.int64())
    return [binary(column.cast(pa.string()))]


def _decimal(column: pa.Array, *, form: JsonForm) -> list[Part]:
    match form:
        case JsonForm.CONNECT_NUMERIC:
            return [binary(column.cast(pa.string()))]
        case JsonForm.CONNECT:
            return [
                b'"',
                base64_cells(pa.array(map(unscaled_bytes, column.fill_null(0).to_pylist()), pa.binary())),
                b'"',
            ]
    return [b'"', binary(column.cast(pa.string())), b'"']


def _object(column: pa.Array, *, form: JsonForm) -> list[Part]:
    parts: list[Part] = [b"{"]
    for index, child in enumerate(column.flatten()):
        parts.append((b"," if index else b"") + _key(column.type.field(index).name))
        parts += _nullable(child, form=form)
    return [*parts, b"}"]


def _map(column: pa.Array, *, form: JsonForm) -> list[Part]:
    keys, values = column.flatten().flatten()
    entry: list[Part] = [b'"', escape(binary(plain(keys))), b'":', *_nullable(values, form=form)]
    return [b"{", _separated(column, entry), b"}"]


def _separated(lists: pa.Array, items: list[Part]) -> pa.BinaryArray:
    """The items of each list, with a comma before each but the first."""
    counts = list_lengths(lists)
    count = int(counts.sum())
    follows = np.ones(count, dtype=np.int64)
    follows[(np.cumsum(counts) - counts)[counts > 0]] = 0
    commas = from_lengths(follows, b"," * int(follows.sum()))
    return fold(lists, join([commas, *items], count))


def encode_float(column: pa.Array) -> pa.BinaryArray:
    """Finite floats as JSON numbers that stay floats."""
    text = binary(column.cast(pa.string()))
    filled = column.fill_null(0.5)
    whole = pc.and_(pc.equal(filled, pc.floor(filled)), pc.less(pc.abs(filled), _WHOLE_PLAIN_MAX))
    if pc.any(whole).as_py():
        point = choose(pc.invert(whole), constant(b"", len(column)), b".0")
        text = join([text, point], len(column))
    return float_parts(column, text)


def escape(cells: pa.BinaryArray) -> pa.BinaryArray:
    """Text as it stands between the quotes of a JSON string."""
    data = buffers_of(cells)[1]
    control = np.unique(data[data < 0x20]) if data.size else data
    special = [code for code in (0x5C, 0x22) if data.size and (data == code).any()]
    for code in (*special, *control.tolist()):
        escaped = orjson.dumps(chr(code))[1:-1]
        cells = pc.replace_substring(cells, pattern=bytes([code]), replacement=escaped)
    return cells


def base64_cells(cells: pa.BinaryArray) -> pa.BinaryArray:
    """Each cell as base64 text with padding."""
    starts, _ = buffers_of(cells)
    lengths: Int64s = np.diff(starts)
    missing = -lengths % 3
    _, padded = buffers_of(join([cells, from_lengths(missing, bytes(int(missing.sum())))], len(cells)))
    triples = padded.reshape(-1, 3)
    first, middle, last = (triples[:, at].astype(np.uint16) for at in range(3))
    pairs = np.empty((len(triples), 2), dtype=np.uint16)
    np.take(_PAIRS, (first << 4) | (middle >> 4), out=pairs[:, 0], mode="clip")
    np.take(_PAIRS, ((middle & 0xF) << 8) | last, out=pairs[:, 1], mode="clip")
    text: npt.NDArray[np.uint8] = pairs.view(np.uint8).reshape(-1)
    out = (lengths + missing) // 3 * 4
    ends = np.cumsum(out)
    text[ends[missing >= 1] - 1] = ord("=")
    text[ends[missing == 2] - 2] = ord("=")
    return from_lengths(out, text)
