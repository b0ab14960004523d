"""Times and numbers that JSON has no usual form for, both ways. Pure.

A date or time that ISO 8601 writes with four digits of a year, and a time within a day, are text. Any other is the
number that Arrow counts it in. Floats that aren't finite are text, as Connect writes them.
"""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from streamsink.cells import Part, binary, join

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_YEAR_1_S, _YEAR_10000_S = -62_135_596_800, 253_402_300_800
_DAY_S = 86_400
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

_WIDE = Context(prec=100)
"""Rounds nothing that Arrow's decimals hold."""

_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def time_parts(column: pa.Array) -> list[Part]:
    """Dates and times as text between quotes, or as numbers where text has no form for them."""
    counts = column.cast(_bits(column.type))
    least, most = _plain_range(column.type)
    if not len(counts) or counts.null_count == len(counts):
        return [b"null"]
    met = pc.min_max(counts)
    if met["min"].as_py() >= least and met["max"].as_py() <= most:
        return [b'"', _text(column), b'"']
    plain = pc.and_(pc.greater_equal(counts, least), pc.less_equal(counts, most)).fill_null(True)
    kept = pc.if_else(plain, counts, pa.scalar(0, counts.type)).cast(column.type)
    texts = join([b'"', _text(kept), b'"'], len(column))
    return [pc.if_else(plain, texts, binary(counts.cast(pa.string())))]


def count_cells(column: pa.Array) -> pa.BinaryArray:
    """Dates and times as the numbers that Arrow counts them in, which are Connect's too."""
    return binary(column.cast(_bits(column.type)).cast(pa.string()))


def is_finer(type_: pa.DataType) -> bool:
    """Whether times are counted in nanoseconds, which Connect has not."""
    return bool(types.is_timestamp(type_) and type_.unit == "ns")


def decimal_of(type_: pa.DataType, value: str | int | Decimal) -> Decimal:
    """Read a decimal in one of Connect's forms: base64 of its unscaled bytes, or a number.

    Args:
        type_: The column's decimal type, which has the scale of base64.
        value: The base64 as text, or the number itself.

    Raises:
        ValueError: The text is no base64.
    """
    if not isinstance(value, str):
        return Decimal(value)
    return Decimal(int.from_bytes(base64.b64decode(value, validate=True), signed=True)).scaleb(-type_.scale, _WIDE)


def _text(column: pa.Array) -> pa.BinaryArray:
    text = column.cast(pa.string())
    if types.is_timestamp(column.type):
        text = pc.replace_substring(text, pattern=" ", replacement="T", max_replacements=1)
    return binary(text)


def _bits(type_: pa.DataType) -> pa.DataType:
    return pa.int32() if type_.bit_width == 32 else pa.int64()


def _plain_range(type_: pa.DataType) -> tuple[int, int]:
    """The least and the largest count that text is written for."""
    if types.is_date(type_):
        per_day = 1 if types.is_date32(type_) else _DAY_S * 1_000
        return _YEAR_1_S // _DAY_S * per_day, _YEAR_10000_S // _DAY_S * per_day - 1
    per_second = _PER_SECOND[type_.unit]
    if types.is_time(type_):
        return 0, _DAY_S * per_second - 1
    # Arrow reads no timestamp of the first, broken second of its range.
    least = max(_YEAR_1_S * per_second, -(_INT64_MAX // per_second) * per_second)
    return least, min(_YEAR_10000_S * per_second - 1, _INT64_MAX)


def count_of(type_: pa.DataType, value: str | int) -> int:
    """The number that Arrow counts a date or time in.

    Args:
        type_: The column's type: a date, time or timestamp, whose unit the number has.
        value: The number itself, or ISO 8601.

    Raises:
        ValueError: The text is none.
    """
    if isinstance(value, int):
        return value
    if not types.is_time(type_):
        found: int = pa.array([value]).cast(type_).cast(_bits(type_))[0].as_py()
        return found
    whole, _, fraction = value.partition(".")
    at = dt.time.fromisoformat(whole)
    per_second = _PER_SECOND[type_.unit]
    seconds = (at.hour * 60 + at.minute) * 60 + at.second
    return seconds * per_second + int(fraction.ljust(9, "0")[:9]) * per_second // 1_000_000_000


def float_parts(column: pa.Array, finite: pa.BinaryArray) -> pa.BinaryArray:
    """Put words in the cells of numbers that aren't finite: `"NaN"`, `"Infinity"` and `"-Infinity"`.

    Args:
        column: The numbers.
        finite: One cell a row: the numbers as text.
    """
    ends = pc.is_finite(column).fill_null(True)
    if pc.all(ends).as_py() is not False:
        return finite
    infinite = pc.if_else(pc.greater(column, 0).fill_null(False), b'"Infinity"', b'"-Infinity"')
    words = pc.if_else(pc.is_nan(column).fill_null(False), b'"NaN"', infinite)
    return pc.if_else(ends, finite, words.cast(pa.binary()))


def float_of(value: Any) -> Any:
    """A number of either form.

    Raises:
        ValueError: A text is no word for one.
    """
    if isinstance(value, str):
        if value not in _WORDS:
            raise ValueError(f"{value!r} is no number")
        return _WORDS[value]
    return float(value) if isinstance(value, Decimal) else value
