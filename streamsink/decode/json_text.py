"""Reads and writes JSON documents without losing a digit. Pure: no I/O, no schema."""

from __future__ import annotations

import json
import re
from typing import NoReturn

import orjson

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
DOUBLE_EXACT_MAX = 2**53
"""Up to here every integer has a double of its own."""

_DIGITS_MANY = re.compile(rb"[0-9]{19}")


class JsonText(str):
    """A JSON document kept as its text, because no column type holds it exactly."""

    __slots__ = ()


class NotJsonError(ValueError):
    """Bytes are not one JSON document."""


def read(raw: bytes) -> object:
    """The document as Python values; the last of duplicate keys wins, integers beyond int64 stay `JsonText`.

    Raises:
        NotJsonError: Bytes are not exactly one JSON document (NaN, infinities and bare surrogates are none).
    """
    try:
        document = orjson.loads(raw)
        if _DIGITS_MANY.search(raw):
            return json.loads(raw, parse_int=_exact_int, parse_constant=_refuse)
    except ValueError as error:
        raise NotJsonError(f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise NotJsonError("not readable: nested too deeply") from error
    return document


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


def _refuse(text: str) -> NoReturn:
    raise NotJsonError(f"not valid JSON: {text}")


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.encode())
    raise TypeError
