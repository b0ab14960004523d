"""Values as texts: JSON for columns and keys, and what Connect writes into headers. Pure; works row by row.

Fields that are null are left out where values have no schema: a column has a null for each field that any other record
of the batch has, and a record's text may not depend on others.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from streamsink.java.dates import DAY_MS
from streamsink.java.numbers import double_text, float_text
from streamsink.transform.rows import is_text

DOUBLE_EXACT_MAX = 2**53

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def json_texts(array: pa.Array, *, text: bool) -> pa.StringArray:
    """Write each value as JSON text.

    Args:
        array: Values of any type, one a row.
        text: Whether its strings are JSON texts already.

    Returns:
        One text a row, null where the value is null.
    """
    if text:
        return array.cast(pa.string())
    return pa.array(
        [None if value is None else json_text(value, array.type) for value in array.to_pylist()], pa.string()
    )


def json_text(value: object, kind: pa.DataType) -> str:
    """Write a value as compact JSON text.

    Args:
        value: A Python value, as Arrow's `to_pylist` gives it.
        kind: Its Arrow type, which tells maps from lists.
    """
    return orjson.dumps(plain(value, kind), default=_fragment).decode()


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, _Text):
        return orjson.Fragment(value.text)
    raise TypeError


class _Text:
    """A JSON text to be taken as it is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def plain(value: Any, kind: pa.DataType, field: pa.Field | None = None) -> Any:  # noqa: PLR0911 - one case a type
    """Make a value as JSON has it.

    Bytes are in base64, times in ISO 8601 and decimals are numbers. A JSON text becomes what it says.

    Args:
        value: A Python value, as Arrow's `to_pylist` gives it.
        kind: Its Arrow type.
        field: The field it is in, whose metadata marks JSON texts; None for a value that is in none.

    Returns:
        A value that orjson writes, with `_fragment` as its default.
    """
    match value:
        case str():
            return _Text(value) if field is not None and is_text(field) else value
        case dict():
            found = {child.name: plain(value[child.name], child.type, child) for child in kind}
            return {name: member for name, member in found.items() if member is not None}
        case list() if pa.types.is_map(kind):
            return {_name(key): plain(member, kind.item_type, kind.item_field) for key, member in value}
        case list():
            return [plain(member, kind.value_type, kind.value_field) for member in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return _Text(format(value, "f"))
    return value


def _name(key: object) -> str:
    return key if isinstance(key, str) else str(key)


def connect_texts(array: pa.Array, *, text: bool, declared: bool) -> list[str | None]:
    """Write each value as Connect's SimpleHeaderConverter does.

    A JSON text is read first, so that a string in it comes without its quotes.

    Args:
        array: Values of any type, one a row.
        text: Whether its strings are JSON texts.
        declared: Whether the values came with a schema.

    Returns:
        One text a row, None where the value is null.
    """
    if text:
        documents = [None if value is None else orjson.loads(value) for value in array.to_pylist()]
        return [None if value is None else _of_document(value, embedded=False) for value in documents]
    values = array.to_pylist()
    return [None if value is None else _connect_text(value, array.type, declared=declared) for value in values]


def _of_document(value: Any, *, embedded: bool) -> str:  # noqa: PLR0911 - one case a type
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return double_or_whole(value)
        case str():
            return _quoted(value) if embedded else value
        case list():
            return f"[{','.join(_of_document(member, embedded=True) for member in value)}]"
        case dict():
            known = {name: member for name, member in value.items() if member is not None}
            return _object({name: _of_document(member, embedded=True) for name, member in known.items()})
    return str(value)


def _connect_text(value: Any, kind: pa.DataType, *, declared: bool, embedded: bool = False) -> str:  # noqa: C901, PLR0911 - one case a type
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            if not declared:
                return double_or_whole(value)
            return float_text(value) if pa.types.is_float32(kind) else double_text(value)
        case str() | bytes():
            words = base64.b64encode(value).decode() if isinstance(value, bytes) else value
            return _quoted(words) if embedded else words
        case dict():
            known = [child for child in kind if declared or value[child.name] is not None]
            return _object({one.name: _within(value[one.name], one.type, declared=declared) for one in known})
        case list() if pa.types.is_map(kind):
            return _object({_name(key): _within(one, kind.item_type, declared=declared) for key, one in value})
        case list():
            return f"[{','.join(_within(one, kind.value_type, declared=declared) for one in value)}]"
        case datetime():
            return date_text((value - _EPOCH) // timedelta(milliseconds=1))
        case date():
            return date_text((value - _EPOCH.date()).days * DAY_MS)
        case time():
            return f"{value.isoformat(timespec='milliseconds')}Z"
    return str(value)


def double_or_whole(value: float) -> str:
    """A number without schema as text: a whole one as the integer it may have been."""
    whole = value.is_integer() and abs(value) <= DOUBLE_EXACT_MAX
    return str(int(value)) if whole else double_text(value)


def _within(value: Any, kind: pa.DataType, *, declared: bool) -> str:
    return _connect_text(value, kind, declared=declared, embedded=True)


def date_text(time_ms: int) -> str:
    """Write a `java.util.Date` as Connect does: before 1970-01-02 as a time, at midnight as a date, else as both."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    of_day = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}Z"
    if time_ms < DAY_MS:
        return of_day
    day = f"{moment.year:04}-{moment:%m-%d}"
    return day if time_ms % DAY_MS == 0 else f"{day}T{of_day}"


def _object(pairs: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{_quoted(name)}:{words}' for name, words in pairs.items())}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
