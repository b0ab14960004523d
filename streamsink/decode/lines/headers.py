"""Writes header values as JSON or text, as Connect's header converters read them and its writers write them. Pure.

SimpleHeaderConverter guesses a type of each text: `true` is a boolean, `12` a number, `2026-01-31` a date, which JSON
has as days. Lists and maps stay text here; so does a text that only begins with a number, which Connect cuts.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from streamsink.config.sink import HeaderConverter
from streamsink.decode.lines.text import string
from streamsink.java.numbers import LONG_MAX, LONG_MIN, double_text, float_text, unscaled_bytes

Cell = Callable[[bytes], bytes]
"""Makes the JSON of one value."""

_WORDS = {"true": b"true", "false": b"false", "null": b"null"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})Z")
_EPOCH = dt.date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_EXPONENT_MAX = 400
_FIRST_YEAR = 1583
"""The first whole year of the calendar that Java and Python count alike."""


def header_cell(converter: HeaderConverter, *, numeric: bool) -> Cell:
    """What makes the JSON of a header's value.

    Args:
        converter: How values are read.
        numeric: Whether decimals are numbers, and not base64 of their unscaled bytes.
    """
    match converter:
        case HeaderConverter.BYTES:
            return lambda value: b'"' + base64.b64encode(value) + b'"'
        case HeaderConverter.STRING:
            return lambda value: string(value.decode(errors="replace")).encode()
    return lambda value: _guessed(value.decode(errors="replace"), numeric=numeric)


def header_text(converter: HeaderConverter) -> Callable[[bytes], str | None]:
    """What makes the text of a header's value, as Confluent's sink stores it: a number in its shortest form.

    Args:
        converter: How values are read.
    """
    match converter:
        case HeaderConverter.BYTES:
            return lambda value: base64.b64encode(value).decode()
        case HeaderConverter.STRING:
            return lambda value: value.decode(errors="replace")
    return _guessed_text


def _guessed_text(value: bytes) -> str | None:
    text = value.decode(errors="replace")
    token = text.strip(_SPACES)
    if token in _WORDS:
        return None if token == "null" else token  # noqa: S105 - no password
    # A date is written as it was read.
    return text if _dated(text, token) is not None else _numbered(token, numeric=True) or text


def _guessed(text: str, *, numeric: bool) -> bytes:
    token = text.strip(_SPACES)
    if (word := _WORDS.get(token)) is not None:
        return word
    found = _dated(text, token)
    number = str(found) if found is not None else _numbered(token, numeric=numeric)
    return (string(text) if number is None else number).encode()


def _dated(text: str, token: str) -> int | None:
    if not (token[:1].isascii() and token[:1].isdigit()):
        return None
    return _temporal(text.lstrip(_SPACES) if ":" in text else token)


def _numbered(token: str, *, numeric: bool) -> str | None:
    is_number = token[:1] in _NUMBER_STARTS and _NUMBER.fullmatch(token)
    return _number(token, numeric=numeric) if is_number else None


_SPACES = "".join(map(chr, range(0x21)))
"""What Java's `trim` takes away."""
_NUMBER_STARTS = frozenset("0123456789+-")


def _number(token: str, *, numeric: bool) -> str | None:
    """A number of the narrowest type that Connect finds; None where it is larger than any header has use for."""
    number = Decimal(token)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if abs(number.adjusted()) > _EXPONENT_MAX or abs(exponent) > _EXPONENT_MAX:
        return None
    if number == number.to_integral_value() and LONG_MIN <= number <= LONG_MAX:
        return str(int(number))
    double = float(number)
    if exponent and abs(double) != float("inf"):
        with np.errstate(over="ignore"):
            return float_text(double) if np.isfinite(np.float32(double)) else double_text(double)
    return str(number) if numeric else _unscaled(number)


def _unscaled(number: Decimal) -> str:
    return f'"{base64.b64encode(unscaled_bytes(number)).decode()}"'


def _temporal(text: str) -> int | None:
    """Days of a date, milliseconds of a time or timestamp in UTC; a month 13 is the next year's first, as in Java."""
    day, separator, time = text.partition("T")
    found = _TIME.fullmatch(time if separator else text)
    within = None if found is None else _milliseconds(*map(int, found.groups()))
    if not separator and within is not None:
        return within if within <= _DAY_MS else None
    date = _DATE.fullmatch(day)
    if date is None or (separator and within is None):
        return None
    year, month, day_of_month = map(int, date.groups())
    if year < _FIRST_YEAR:
        return None
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    days = dt.date(min(year, dt.MAXYEAR), month, 1).toordinal() - _EPOCH + day_of_month - 1
    return days if within is None else days * _DAY_MS + within


def _milliseconds(hours: int, minutes: int, seconds: int, milliseconds: int) -> int:
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
