"""Makes any text safe as part of an object's name: percent-encodes letters that would leave the root or break it. Pure.

Two different texts never give the same part, except by a collision of the 64-bit hash that ends a part cut for length.
"""

from __future__ import annotations

import hashlib
import re

BYTES_MAX = 200
"""A component longer than this (UTF-8) is cut, its end replaced by a hash of the whole."""

_UNSAFE = re.compile("[%/\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DOTS = re.compile(r"\.{1,2}")
_HASH_DIGITS = 16


def encode(value: str, *, delimiter: str = "/") -> str:
    """The value with everything percent-encoded that a path would take for more than text.

    Args:
        value: A field's value as text.
        delimiter: The archive's own `directory.delim`; encoded as well.
    """
    encoded = _UNSAFE.sub(_percent, value)
    if delimiter and delimiter not in {"/", "\\", "%"} and delimiter in encoded:
        encoded = encoded.replace(delimiter, "".join(_percent_text(letter) for letter in delimiter))
    return encoded


def component(text: str) -> str:
    """One whole directory name: never `.` or `..`, and never too long."""
    if _DOTS.fullmatch(text):
        return text.replace(".", "%2E")
    raw = text.encode()
    if len(raw) <= BYTES_MAX:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    head = raw[: BYTES_MAX - _HASH_DIGITS - 1].decode(errors="ignore")
    return f"{_without_cut_escape(head)}~{digest}"


def _without_cut_escape(head: str) -> str:
    cut = head.rfind("%", len(head) - 2)
    return head if cut < 0 else head[:cut]


def _percent(match: re.Match[str]) -> str:
    return _percent_text(match.group())


def _percent_text(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))
