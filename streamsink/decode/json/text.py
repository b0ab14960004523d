"""Reads and writes JSON documents without losing a digit. Pure: no I/O, no schema."""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import orjson

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
DOUBLE_EXACT_MAX = 2**53
"""Up to here every integer has a double of its own."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS_MANY = re.compile(rb"[0-9]{19}")
_EXPONENT = re.compile(rb"[0-9][eE]\+?[0-9]{3}")
_SURROGATE = re.compile(rb"\\[uU][dD][89a-fA-F]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class JsonText(str):
    """A JSON document kept as its text, because no column type holds it exactly."""

    __slots__ = ()


class Moment(int):
    """A time in milliseconds since 1970, as BSON has it apart from integers."""

    __slots__ = ()


class Overflow(float):
    """A number beyond a double's range: an infinity, as JsonConverter reads it, that remembers its text."""

    text: str

    @classmethod
    def of(cls, text: str) -> Overflow:
        """Read a number's text."""
        number = cls(text)
        number.text = text
        return number


class NotJsonError(ValueError):
    """Bytes are not one JSON document."""


def read(raw: bytes) -> object:
    """The document as Python values; the last of duplicate keys wins, integers beyond int64 stay `JsonText`.

    As Kafka's JsonConverter: a surrogate without its other half becomes a
    replacement character, a number beyond a double's range an infinity.

    Raises:
        NotJsonError: Bytes are not exactly one JSON document (NaN and infinities are none).
    """
    try:
        document = orjson.loads(raw)
        if not _DIGITS_MANY.search(raw):
            return document
    except ValueError as error:
        if not (_SURROGATE.search(raw) or _EXPONENT.search(raw) or _DIGITS_MANY.search(raw)):
            raise NotJsonError(f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise NotJsonError("not readable: nested too deeply") from error
    return _read_leniently(raw)


def _read_leniently(raw: bytes) -> object:
    try:
        document = json.loads(raw.decode(), parse_int=_exact_int, parse_float=_in_range, parse_constant=_refuse)
    except ValueError as error:
        raise NotJsonError(f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise NotJsonError("not readable: nested too deeply") from error
    return _whole(document) if _SURROGATE.search(raw) else document


def _whole(value: object) -> object:
    """The value, halves of surrogates replaced."""
    if type(value) is str:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(member) for member in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(member) for name, member in value.items()}
    return value


def write(value: object) -> str:
    """The value as compact JSON text.

    Raises:
        NotJsonError: The value is nested too deeply to be written.
    """
    try:
        return orjson.dumps(value, default=_fragment, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except orjson.JSONEncodeError as error:
        raise NotJsonError(f"not writable as JSON text: {error}") from error


def _exact_int(text: str) -> int | JsonText:
    if len(text) <= 20 and INT64_MIN <= int(text) <= INT64_MAX:
        return int(text)
    return JsonText(text)


def _in_range(text: str) -> float:
    number = float(text)
    return Overflow.of(text) if math.isinf(number) else number


def _refuse(text: str) -> NoReturn:
    raise NotJsonError(f"not valid JSON: {text}")


def _fragment(value: object) -> orjson.Fragment | str | int:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.encode())
    if isinstance(value, Overflow):
        return orjson.Fragment(value.text.encode())
    if isinstance(value, Moment):
        return _iso(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def _iso(moment: Moment) -> str | int:
    """ISO 8601, or the number where there is no such year."""
    try:
        text = (_EPOCH + timedelta(milliseconds=int(moment))).isoformat(timespec="milliseconds")
    except OverflowError:
        return int(moment)
    return text.replace("+00:00", "Z")
