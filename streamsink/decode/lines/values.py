"""Writes values as Confluent's JsonFormat does: one line of JSON each. Pure.

Kafka's converters read them, Confluent's writer writes them; `tests/contract/test_connect_json.py` holds the two
together. The members of an object stay in the message's order, where Java's have that of a hash map.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from streamsink.config.sink import Converter, LineRules
from streamsink.decode.lines.schemas import Forms, NotOfItsTypeError, Write, compile_schema
from streamsink.decode.lines.text import LineError, plain, read, string

Line = Callable[[bytes], bytes | None]
"""Makes a value's line, None where Connect reads null; raises LineError."""

SCHEMAS_MAX = 1000
"""How many schemas are remembered."""

_READ_AS_NULL = frozenset({"string", "bytes"})
_UNUSUAL = re.compile(rb"[0-9][.eE]|[0-9]{19}|\\u|\xef\xbb\xbf")
"""What orjson and Jackson may read or write in different ways: floats, long numbers, escapes, a byte order mark."""


def line_maker(converter: Converter, rules: LineRules) -> Line:
    """Choose the function that makes lines of values.

    Args:
        converter: How the values are written.
        rules: How JSON is read and written.
    """
    match converter:
        case Converter.STRING:
            return _of_text
        case Converter.BYTES:
            return _of_bytes
    return _Enveloped(rules).line if rules.schemas_enable else _of_json


def _of_text(value: bytes) -> bytes:
    return string(value.decode(errors="replace")).encode()


def _of_bytes(value: bytes) -> bytes:
    return b'"' + base64.b64encode(value) + b'"'


def _of_json(value: bytes) -> bytes | None:
    if not value:
        return None
    if _UNUSUAL.search(value) is None:
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            pass  # Jackson passes over a text behind the value, for example
        else:
            return None if found is None else orjson.dumps(found)
    found = read(value)
    return None if found is None else plain(found).encode()


class _Enveloped:
    """Values with their schemas: `{"schema": ..., "payload": ...}`."""

    def __init__(self, rules: LineRules) -> None:
        self._rules = rules
        self._writers: dict[str, Write] = {}

    def line(self, value: bytes) -> bytes | None:
        envelope = read(value)
        if not isinstance(envelope, dict) or envelope.keys() != {"schema", "payload"}:
            raise LineError(
                "the value is no object of schema and payload alone, as value.converter.schemas.enable has it"
            )
        schema, payload = envelope["schema"], envelope["payload"]
        try:
            text = self._writer(schema)(payload)
        except NotOfItsTypeError:
            if schema["type"] in _READ_AS_NULL:
                return None
            raise
        # Null without a default is a tombstone; within a value it would be one of its parts.
        return None if text == "null" else text.encode()

    def _writer(self, schema: Any) -> Write:
        key = json.dumps(schema, default=str)
        if key not in self._writers:
            if len(self._writers) >= SCHEMAS_MAX:
                self._writers.clear()
            bare = not isinstance(schema, dict) or schema.get("type") != "struct"
            self._writers[key] = compile_schema(schema, Forms(self._rules.decimal_numeric, bare=bare))
        return self._writers[key]
