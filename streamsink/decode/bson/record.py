"""Turns one BSON document into a record as JSON's columns take it, exactly. Pure: no I/O, no clock.

What BSON tells apart and JSON can't stays apart by its Python type: dates are `Moment`, binary data are `bytes`.
`decode/README.md` says what becomes of each type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import bson
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import UUID_SUBTYPE
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.dbref import DBRef
from bson.errors import InvalidBSON

from streamsink.decode.json.shape import MisfitError
from streamsink.decode.json.text import Moment

Record = dict[str, Any]

_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)


def record_of(document: bytes) -> Record:
    """The document's fields; of two of one name the last one counts.

    Raises:
        MisfitError: These are not the bytes of one document.
    """
    try:
        found = bson.decode(document, _EXACT)
    except (InvalidBSON, ValueError, TypeError, RecursionError) as error:
        raise MisfitError(f"not valid BSON: {error}") from error
    return {name: plain(value) for name, value in found.items()}


def plain(value: Any) -> Any:
    """A value as columns take it."""
    change = _CHANGES.get(type(value))
    return value if change is None else change(value)


def _binary(value: bytes) -> object:
    subtype = value.subtype if isinstance(value, Binary) else 0
    if subtype == UUID_SUBTYPE and len(value) == 16:
        return str(UUID(bytes=bytes(value)))
    return bytes(value)


def _code(value: Code) -> object:
    text = str(value)
    return text if value.scope is None else {"code": text, "scope": plain(dict(value.scope))}


def _regex(value: Regex[Any]) -> object:
    flags = "".join(letter for letter, flag in _REGEX_FLAGS if value.flags & flag)
    pattern = value.pattern
    return {"pattern": pattern.decode(errors="replace") if isinstance(pattern, bytes) else pattern, "options": flags}


_REGEX_FLAGS = (("i", 2), ("l", 4), ("m", 8), ("s", 16), ("u", 32), ("x", 64))
"""As `re` counts them, in the order in which BSON wants its letters."""

_CHANGES: dict[type, Callable[[Any], object]] = {
    dict: lambda value: {name: plain(member) for name, member in value.items()},
    list: lambda value: [plain(member) for member in value],
    ObjectId: str,
    Int64: int,
    DatetimeMS: lambda value: Moment(int(value)),
    Decimal128: str,
    Binary: _binary,
    bytes: _binary,
    Code: _code,
    Regex: _regex,
    Timestamp: lambda value: {"t": value.time, "i": value.inc},
    MinKey: lambda _: {"$minKey": 1},
    MaxKey: lambda _: {"$maxKey": 1},
    DBRef: lambda value: plain(dict(value.as_doc())),
}
