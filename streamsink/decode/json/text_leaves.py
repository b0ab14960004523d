"""Reads times, days and decimals that are written as text, without a loss of digits. Pure: no I/O, no clock.

Connect's own forms are numbers and base64. These take what databases write: `2026-01-31 12:00:00.123456`, `12.50`.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.json.shape import Leaf, MisfitError

TIMESTAMP, LOCAL_TIMESTAMP, DATE = "timestamp_text", "local_timestamp_text", "date_text"

_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?$"
_DAY = r"^\d{4}-\d\d-\d\d$"
_NUMBER = r"^-?\d+(\.\d+)?$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def timestamp(*, local: bool) -> Leaf:
    """A time to the microsecond; without a zone, or in UTC."""
    kind = pa.timestamp("us") if local else pa.timestamp("us", tz="UTC")
    return _leaf(kind, _TIME, _micros, LOCAL_TIMESTAMP if local else TIMESTAMP)


def day() -> Leaf:
    """A day."""
    return _leaf(pa.date32(), _DAY, _day, DATE)


def decimal(precision: int, scale: int) -> Leaf:
    """A leaf for decimals written as text.

    Args:
        precision: All digits.
        scale: The digits behind the point.
    """
    kind = pa.decimal128(precision, scale)

    def read(text: str) -> Decimal:
        whole, _, fraction = text.lstrip("-").partition(".")
        if len(whole.lstrip("0")) > precision - scale or len(fraction.rstrip("0")) > scale:
            raise ValueError
        return Decimal(text)

    return _leaf(kind, _NUMBER, read, f"decimal_text({precision},{scale})")


def from_base64(array: pa.Array) -> pa.Array:
    """Bytes that were written in base64; null where they may not be."""
    return pa.array([None if text is None else _decoded(text) for text in array.to_pylist()], pa.binary())


def _decoded(text: str) -> bytes | None:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        return None


def _leaf(kind: pa.DataType, pattern: str, read: Callable[[str], object], name: str) -> Leaf:
    """A leaf that is written as text of one form."""
    form = re.compile(pattern)

    def exactly(value: Any) -> object:
        try:
            if type(value) is str and form.search(value):
                return read(value)
        except ValueError:
            pass
        raise MisfitError(f"{str(value)[:60]!r} does not fit the declared {kind}")

    def cast(array: pa.Array) -> pa.Array:
        fits = pc.match_substring_regex(array, pattern)
        if not pc.all(fits, min_count=0).as_py():
            array = pc.if_else(fits, array, pa.scalar(None, array.type))
        try:
            return array.cast(kind)
        except pa.ArrowInvalid:
            return pa.array([None if text is None else _or_none(exactly, text) for text in array.to_pylist()], kind)

    return Leaf(kind, exactly, pa.string(), cast=cast, name=name)


def _or_none(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except MisfitError:
        return None


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _EPOCH_DAY
