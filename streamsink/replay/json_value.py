"""Makes JSON values of the columns that JSON values became. Pure but for Arrow's compute; reads no object.

What the columns can't tell is lost: fields that were null are left out, as fields that were absent are. Values have
no spaces, and their fields have the columns' order. All else is undone. A value beside its column (a variant) goes
back under its field's name. A text that is JSON becomes that JSON. What is in `_rest` goes back among the fields. A
field that had to make room for `_kafka` gets its name back. Times, dates, decimals and bytes are written as Connect's
`JsonConverter` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from streamsink.cells import Part, binary, buffers_of, choose, fold, from_lengths, join, list_lengths, plain
from streamsink.encode.avro.schema import is_bytes, is_text
from streamsink.encode.json.rows import base64_cells, encode_float, escape
from streamsink.java.numbers import unscaled_bytes
from streamsink.record import ENVELOPE, JSON_TEXT_METADATA

VARIANT_OF = b"streamsink.variant_of"
"""A field's metadata: the name of the field whose values are here where they don't fit that one's column. Empty where
whole values are here, because they are no objects."""
REST = "_rest"


def json_values(rows: pa.RecordBatch) -> pa.BinaryArray:
    """Make one JSON value of each row.

    Args:
        rows: The decoded columns, without `_kafka`.

    Returns:
        One value a row, never null.
    """
    fields = list(zip(rows.schema, rows.columns, strict=True))
    inside = [(field, column) for field, column in fields if _name(field) != ""]
    cells = join([b"{", _members(inside, rows.num_rows, top=True), b"}"], rows.num_rows)
    for field, column in fields:
        if _name(field) == "":
            cells = pc.if_else(column.is_valid(), binary(column), cells)
    return cells


def _name(field: pa.Field) -> str:
    """Find the field's name in the value; "" where the column has whole values."""
    of = (field.metadata or {}).get(VARIANT_OF)
    return str(field.name) if of is None else str(of.decode())


def _is_json(field: pa.Field) -> bool:
    marks = field.metadata or {}
    return all(marks.get(key.encode()) == mark.encode() for key, mark in JSON_TEXT_METADATA.items())


def _members(fields: Iterable[tuple[pa.Field, pa.Array]], count: int, *, top: bool) -> Part:
    """Write the members between the braces: `"name":value`, with commas between, and nothing for a null."""
    parts: list[Part] = []
    for field, column in fields:
        if column.null_count == count:
            continue
        name = _name(field)
        if top and name == REST and _is_json(field):
            parts.append(_among_the_others(binary(column)))
            continue
        if top and name.rstrip("_") == ENVELOPE and name != ENVELOPE:
            name = name[:-1]
        member = join([b"," + orjson.dumps(name) + b":", *_value(field, column)], count)
        parts.append(choose(column.is_valid(), member, b"") if column.null_count else member)
    # The first member that is there has a comma as well.
    return _trimmed(join(parts, count)) if parts else b""


def _among_the_others(objects: pa.BinaryArray) -> pa.BinaryArray:
    """The members of whole objects, a comma before them."""
    members = _trimmed(objects, end=1)
    comma = choose(pc.greater(pc.binary_length(members), 0), pa.scalar(b",", pa.binary()), b"")
    return join([comma, members], len(objects))


def _value(field: pa.Field, column: pa.Array) -> list[Part]:  # noqa: PLR0911 - one case a type
    """The parts of a column's values. The caller throws away the parts of nulls."""
    if _is_json(field):
        return [binary(column)]
    is_object = types.is_map(column.type) and is_text(column.type.key_type)
    column = plain(column)
    type_ = column.type
    if types.is_struct(type_):
        members = zip(type_, column.flatten(), strict=True)
        return [b"{", _members(list(members), len(column), top=False), b"}"]
    if is_object:
        entry = column.flatten()
        keys, values = entry.flatten()
        item = [b'"', escape(binary(plain(keys))), b'":', *_item(entry.type.field(1), values)]
        return [b"{", _separated(column, item), b"}"]
    if types.is_list(type_):
        return [b"[", _separated(column, _item(type_.value_field, column.flatten())), b"]"]
    if is_text(type_):
        return [b'"', escape(binary(column)), b'"']
    if is_bytes(type_):
        return [b'"', base64_cells(binary(column)), b'"']
    return [_scalar(column)]


def _item(field: pa.Field, column: pa.Array) -> list[Part]:
    """As `_value`, with nulls: in lists they have a place."""
    count = len(column)
    if column.null_count == count:
        return [b"null"]
    parts = _value(field, column)
    return [choose(column.is_valid(), join(parts, count), b"null")] if column.null_count else parts


def _scalar(column: pa.Array) -> Part:
    type_ = column.type
    if types.is_null(type_):
        return b"null"
    if types.is_boolean(type_):
        return pc.if_else(column.fill_null(False), pa.scalar(b"true", pa.binary()), pa.scalar(b"false", pa.binary()))
    if types.is_floating(type_):
        return _float(column)
    if types.is_decimal(type_):
        return _decimal(column)
    if types.is_timestamp(type_):
        column = column.cast(pa.timestamp("ms", tz=type_.tz), safe=False).cast(pa.int64())
    elif types.is_date(type_):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif types.is_time(type_):
        column = column.cast(pa.time32("ms"), safe=False).cast(pa.int32())
    elif types.is_duration(type_):
        column = column.cast(pa.int64())
    return binary(column.cast(pa.string()))


def _float(column: pa.Array) -> Part:
    if types.is_float16(column.type):
        column = column.cast(pa.float32())
    cells = encode_float(column)
    finite = pc.is_finite(column).fill_null(True)
    if pc.all(finite).as_py():
        return cells
    names = pc.if_else(pc.is_nan(column), b'"NaN"', pc.if_else(pc.greater(column, 0), b'"Infinity"', b'"-Infinity"'))
    return pc.if_else(finite, cells, names.cast(pa.binary()))


def _decimal(column: pa.Array) -> Part:
    """Base64 of the unscaled number, as few bytes as it needs: `decimal.format=BASE64`."""
    return join(
        [b'"', base64_cells(pa.array(map(unscaled_bytes, column.fill_null(0).to_pylist()), pa.binary())), b'"'],
        len(column),
    )


def _separated(lists: pa.Array, items: list[Part]) -> pa.BinaryArray:
    """The items of each list, with a comma before each but the first."""
    counts = list_lengths(lists)
    whole = fold(lists, join([b",", *items], int(counts.sum())))
    return _trimmed(whole)


def _trimmed(cells: pa.BinaryArray, *, end: int = 0) -> pa.BinaryArray:
    """Cells without their first byte, and without as many of their last; empty ones stay empty.

    Arrow's `binary_slice` fails where a cell is shorter than what is cut.
    """
    starts, data = buffers_of(cells)
    filled = np.diff(starts) > 0
    kept = np.ones(len(data), np.bool_)
    kept[starts[:-1][filled]] = False
    if end:
        kept[starts[1:][filled] - 1] = False
    return from_lengths(np.diff(starts) - (1 + end) * filled, data[kept])
