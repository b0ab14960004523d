"""JSON texts as Java's Jackson reads and writes them. Pure: knows no schema.

Numbers stay what they were: whole ones as int, all others as Decimal with every digit.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from streamsink.java.numbers import double_text, wrapped

DEPTH_MAX = 1000
"""How deep Jackson lets values nest."""

_SPACE = " \t\r\n"
_ESCAPED = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_NAMES = {None: "null", True: "true", False: "false"}
_REPLACEMENT = "\ufffd"


class LineError(ValueError):
    """A value that Connect's converter refuses, and why."""


def _refused(text: str) -> Any:
    raise LineError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refused)


def read(value: bytes) -> Any:
    """Read the first JSON value of a text; the rest of the text is passed over, as Jackson does.

    Raises:
        LineError: It is no JSON.
    """
    try:
        text = value.decode("utf-8-sig").lstrip(_SPACE)
        found, end = _DECODER.raw_decode(text)
    except (UnicodeDecodeError, json.JSONDecodeError, InvalidOperation) as error:
        raise LineError(f"the value is not JSON: {error}") from None
    except RecursionError:
        raise LineError(f"the value nests deeper than {DEPTH_MAX}") from None
    except ValueError as error:
        raise LineError(f"the value is not JSON: {error}") from None
    if not isinstance(found, dict | list | str) and text[end : end + 1] not in {"", *_SPACE}:
        raise LineError(f"the value is not JSON: {text[end]!r} follows it at once")
    return found


def plain(node: Any) -> str:
    """A value without schema: whole numbers cut to 64 bits and others as doubles, as Connect holds them."""
    match node:
        case str():
            return string(node)
        case dict():
            return f"{{{','.join([f'{string(name)}:{plain(item)}' for name, item in node.items()])}}}"
        case list():
            return f"[{','.join([plain(item) for item in node])}]"
        case None | bool():
            return _NAMES[node]
        case Decimal():
            return floating(float(node))
    return str(wrapped(node, 64))


def floating(number: float, text: str = "") -> str:
    """Write a number as Java does; one that isn't finite is a string.

    Args:
        number: A double, finite or not.
        text: Its digits, where they are known; empty for Java's digits of a double.
    """
    written = text or double_text(number)
    return written if math.isfinite(number) else f'"{written}"'


def string(text: str) -> str:
    """A string, escaped where it must be; half a surrogate pair, which UTF-8 has no bytes for, becomes U+FFFD."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    letter = found.group()
    if letter in _SHORT:
        return _SHORT[letter]
    return _REPLACEMENT if letter > "\x1f" else f"\\u{ord(letter):04X}"
