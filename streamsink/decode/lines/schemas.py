"""Compiles Connect's JSON schemas into functions that write a payload as JsonConverter would. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from streamsink.decode.lines.text import LineError, floating, plain, string
from streamsink.java.numbers import double_text, float_text, unscaled_bytes, wrapped

Write = Callable[[Any], str]
"""Writes a payload; None is JSON's null or a field that is not there."""

DAY_MS = 86_400_000
_LOGICAL = "org.apache.kafka.connect.data."
_WHOLE_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_MISMATCH = "null"


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of values that can be written in more than one.

    Args:
        numeric: Whether decimals are numbers, and not base64.
        bare: Whether the root is no struct: then dates are milliseconds, decimals numbers, and maps objects.
    """

    numeric: bool
    bare: bool = False


class NotOfItsTypeError(LineError):
    """A value that Jackson reads as null, since it is not of its schema's type."""


def compile_schema(schema: Any, forms: Forms) -> Write:
    """Compile a schema into the function that writes its payloads.

    Args:
        schema: A schema of Connect's, as parsed JSON; None for values without one.
        forms: How decimals and times are written.

    Raises:
        LineError: It is no schema of Connect's.
    """
    if schema is None:
        return plain
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str):
        raise LineError("the schema has no type")
    write = _write_of(schema, forms)
    default = schema.get("default")
    instead = None if default is None else write(default)
    optional = schema.get("optional") is True
    said = f"{schema['type']} {schema.get('name') or ''}".strip()

    def written(node: Any) -> str:
        if node is None:
            if instead is not None:
                return instead
            if optional:
                return "null"
            raise LineError(f"a required value of type {said} is null or missing")
        try:
            return write(node)
        except NotOfItsTypeError:
            if optional:
                return instead or _MISMATCH
            raise NotOfItsTypeError(f"a required value of type {said} is of another type") from None

    return written


def _write_of(schema: dict[str, Any], forms: Forms) -> Write:
    logical = str(schema.get("name") or "")
    if logical.startswith(_LOGICAL) and (of_logical := _LOGICALS.get(logical.removeprefix(_LOGICAL))):
        return of_logical(schema, forms)
    kind = schema["type"]
    if kind in _WHOLE_BITS:
        bits = _WHOLE_BITS[kind]
        return lambda node: str(wrapped(_whole(node, max(bits, 32)), bits))
    simple: dict[str, Write] = {"boolean": _boolean, "float": _float, "double": _double, "string": _string}
    if kind in simple:
        return simple[kind]
    makers = {"bytes": lambda *_: _bytes, "array": _array, "map": _map, "struct": _struct}
    if kind not in makers:
        raise LineError(f"the schema's type {kind!r} is unknown")
    return makers[kind](schema, forms)


def _whole(node: Any, bits: int) -> int:
    """Jackson's intValue and longValue: 0 for a value that is no number."""
    if isinstance(node, bool) or not isinstance(node, int | Decimal):
        return 0
    if isinstance(node, Decimal) and node.adjusted() > 400:
        raise LineError("a whole number is beyond 400 digits")
    return wrapped(int(node), bits)


def _boolean(node: Any) -> str:
    return "true" if node is True else "false"


def _number(node: Any) -> float:
    if isinstance(node, bool) or not isinstance(node, int | Decimal):
        return 0.0
    try:
        return float(node)
    except OverflowError:
        return float("inf") if node > 0 else float("-inf")


def _double(node: Any) -> str:
    number = _number(node)
    return floating(number, double_text(number))


def _float(node: Any) -> str:
    with np.errstate(over="ignore"):
        number = float(np.float32(_number(node)))
    return floating(number, float_text(number))


def _string(node: Any) -> str:
    if not isinstance(node, str):
        raise NotOfItsTypeError("it is no text")
    return string(node)


def _bytes(node: Any) -> str:
    return f'"{base64.b64encode(_decoded(node)).decode()}"'


def _decoded(node: Any) -> bytes:
    if not isinstance(node, str):
        raise NotOfItsTypeError("it is no text")
    try:
        return base64.b64decode(node, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LineError(f"bytes are not base64: {error}") from None


def _array(schema: dict[str, Any], forms: Forms) -> Write:
    item = compile_schema(_part(schema, "items"), forms)

    def write(node: Any) -> str:
        # Jackson lets one iterate anything: an object's members, and nothing in a scalar.
        members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return f"[{','.join([item(one) for one in members])}]"

    return write


def _map(schema: dict[str, Any], forms: Forms) -> Write:
    keys, values = _part(schema, "keys"), _part(schema, "values")
    key, value = compile_schema(keys, forms), compile_schema(values, forms)
    named = isinstance(keys, dict) and keys.get("type") == "string"

    def write(node: Any) -> str:
        if named:
            if not isinstance(node, dict):
                raise LineError("a map's value is no object")
            return f"{{{','.join([f'{string(name)}:{value(one)}' for name, one in node.items()])}}}"
        if not isinstance(node, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in node):
            raise LineError("the value of a map with other keys than strings is no array of pairs")
        pairs = {key(one): value(other) for one, other in node}
        if forms.bare:
            return f"{{{','.join([f'{_as_name(one)}:{other}' for one, other in pairs.items()])}}}"
        return f"[{','.join([f'[{one},{other}]' for one, other in pairs.items()])}]"

    return write


def _as_name(text: str) -> str:
    return text if text.startswith('"') else f'"{text}"'


def _struct(schema: dict[str, Any], forms: Forms) -> Write:
    fields = schema.get("fields")
    if not isinstance(fields, list):
        raise LineError("a struct's schema has no fields")
    writers: list[tuple[str, str, Write]] = []
    for field in fields:
        name = field.get("field") if isinstance(field, dict) else None
        if not isinstance(name, str):
            raise LineError("a struct's field has no name")
        writers.append((name, string(name), compile_schema(field, forms)))

    def write(node: Any) -> str:
        if not isinstance(node, dict):
            raise LineError("a struct's value is no object")
        return f"{{{','.join([f'{quoted}:{member(node.get(name))}' for name, quoted, member in writers])}}}"

    return write


def _part(schema: dict[str, Any], name: str) -> Any:
    if schema.get(name) is None:
        raise LineError(f"the schema of type {schema['type']} has no {name}")
    return schema[name]


def _decimal(schema: dict[str, Any], forms: Forms) -> Write:
    try:
        scale = int((schema.get("parameters") or {}).get("scale", ""))
    except (ValueError, AttributeError):
        raise LineError("a decimal's schema has no scale") from None

    def write(node: Any) -> str:
        if isinstance(node, int | Decimal) and not isinstance(node, bool):
            number = Decimal(node)
        else:
            unscaled = int.from_bytes(_decoded(node), signed=True)
            number = Decimal(f"{unscaled}E{-scale}")
        if forms.numeric or forms.bare:
            return str(number)
        exponent = number.as_tuple().exponent
        if exponent != -scale:
            raise LineError(f"a decimal has the scale {-int(exponent)}, its schema {scale}")
        return f'"{base64.b64encode(unscaled_bytes(number)).decode()}"'

    return write


def _int32(node: Any, what: str) -> int:
    if isinstance(node, bool) or not isinstance(node, int) or not -(2**31) <= node < 2**31:
        raise LineError(f"a {what} is no 32-bit whole number")
    return node


def _date(_schema: dict[str, Any], forms: Forms) -> Write:
    unit = DAY_MS if forms.bare else 1
    return lambda node: str(_int32(node, "date") * unit)


def _time(_schema: dict[str, Any], _forms: Forms) -> Write:
    def write(node: Any) -> str:
        time_ms = _int32(node, "time")
        if not 0 <= time_ms <= DAY_MS:
            raise LineError("a time is not within a day")
        return str(time_ms)

    return write


def _timestamp(_schema: dict[str, Any], _forms: Forms) -> Write:
    def write(node: Any) -> str:
        if isinstance(node, bool) or not isinstance(node, int):
            raise LineError("a timestamp is no whole number")
        return str(wrapped(node, 64))

    return write


_LOGICALS = {"Decimal": _decimal, "Date": _date, "Time": _time, "Timestamp": _timestamp}
