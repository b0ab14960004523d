"""Makes bytes of an agent's results: JSON of records and plain values, or by a Faust codec. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from faust import Record
from faust.types import ModelT
from faust.types.codecs import CodecArg

from streamsink.errors import TerminalError

Serialize = Callable[[Any], bytes | None]
"""A result's bytes; None is a tombstone.

Raises:
    TerminalError: The result can't be written.
"""


def as_json(value: Any) -> bytes | None:
    """Any JSON-able value; a `faust.Record` as the object of its fields, without Faust's metadata.

    Raises:
        TerminalError: It is not JSON-able.
    """
    if value is None:
        return None
    try:
        return orjson.dumps(value.asdict() if isinstance(value, Record) else value, _plain, orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        return _big_numbers(value, error)


def by_codec(dumps: Callable[..., bytes | None], codec: CodecArg) -> Serialize:
    """Make results into bytes with the app's own serializers, as for a topic with this codec.

    Args:
        dumps: The app's serializers: gets key type, value and codec.
        codec: A Faust codec, or its name.

    Returns:
        A function that gives a result's bytes, None for a result that is None. It raises for one that can't be
        serialized.
    """

    def serialize(value: Any) -> bytes | None:
        if value is None:
            return None
        try:
            return dumps(None, value, serializer=codec)
        except Exception as error:
            raise _unusable(value, error) from error

    return serialize


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((Decimal, uuid.UUID), str),
    ((date, time), lambda value: value.isoformat()),
    (bytes, bytes.decode),
    (AbstractSet, list),
    (Mapping, dict),
    (Enum, lambda value: value.value),
)
"""Values that JSON has no form for, as Faust's own JSON codec writes them."""


def _plain(value: Any) -> Any:
    if isinstance(value, ModelT):
        return value.asdict() if isinstance(value, Record) else value.to_representation()
    for kind, convert in _FORMS:
        if isinstance(value, kind):
            return convert(value)
    own = getattr(value, "__json__", None)
    if own is None:
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    return own()


def _big_numbers(value: Any, error: TypeError) -> bytes:
    """Whole numbers beyond 64 bits, which orjson refuses."""
    try:
        return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise _unusable(value, error) from error


def _unusable(value: Any, error: Exception) -> TerminalError:
    return TerminalError(
        f"a result of type {type(value).__name__} can't be archived: {error}",
        hint="yield a faust.Record or a JSON-able value, or give ArchiveSink the value_serializer that can write it",
    )
