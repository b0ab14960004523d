"""Writes values of a row's JSON as SQL: to store them, and to find the rows behind a key. Pure: asks no server.

Text and bytes go as hexadecimal, so that no character set, mode or quote of the session can change them.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from streamsink.database.mariadb.charsets import codec_of, stored
from streamsink.database.mariadb.columns import Column, Form, quoted
from streamsink.errors import TerminalError

NULL = "NULL"

_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DIGITS = re.compile(r"\((\d+),(\d+)\)")
_WORDS = re.compile(r"[0-9a-zA-Z:. +-]*")


class UnfitValueError(ValueError):
    """A value is none that the column's form has."""


def _integer(value: Any) -> str:
    # Debezium's larger numbers are decimals, which come as text.
    if type(value) is not int and not (type(value) is str and _INTEGER.fullmatch(value)):
        raise UnfitValueError
    return str(value)


def _member(value: Any, codec: str) -> str:
    """An ENUM or SET that we keep by number, and Debezium by name."""
    return _integer(value) if type(value) is int else _text(value, codec)


def _real(value: Any, largest: str) -> str:
    if type(value) not in {int, float}:
        raise UnfitValueError
    if largest and abs(value) > float(largest):
        return largest if value > 0 else f"-{largest}"
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def _largest(column: Column) -> str:
    """The largest number that FLOAT(10,2) takes; what it then holds may be larger, as floats are; "" for FLOAT."""
    if (digits := _DIGITS.search(column.type)) is None:
        return ""
    return f"{'9' * (int(digits[1]) - int(digits[2]))}.{'9' * int(digits[2])}"


def _decimal(value: Any) -> str:
    if type(value) is not str or not _NUMBER.fullmatch(value):
        raise UnfitValueError
    return value


def _words(value: Any) -> str:
    if type(value) is not str or not _WORDS.fullmatch(value):
        raise UnfitValueError
    return f"'{value}'"


def _text(value: Any, codec: str) -> str:
    if type(value) is not str:
        raise UnfitValueError
    return f"X'{stored(value, codec).hex()}'"


def _bytes(value: Any) -> str:
    if type(value) is not str:
        raise UnfitValueError
    return f"X'{b64decode(value, validate=True).hex()}'"


_LITERALS: dict[Form, Callable[[Any], str]] = {
    Form.INTEGER: _integer,
    Form.BITS: _integer,
    Form.DECIMAL: _decimal,
    Form.WORDS: _words,
    Form.BYTES: _bytes,
}


def _writer(column: Column) -> Callable[[Any], str]:
    match column.form:
        case Form.TEXT:
            return partial(_text, codec=column.codec)
        case Form.NUMBER:
            return partial(_member, codec=codec_of(column.charset) or "ascii")
        case Form.REAL:
            return partial(_real, largest=_largest(column))
    return _LITERALS[column.form]


def literals(column: Column, values: Sequence[Any]) -> list[str]:
    """Write the values of a column as SQL that stores them.

    Args:
        column: Its type decides how values are written.
        values: One a row, as the row's JSON has them; None for NULL.

    Returns:
        One piece of SQL a row.

    Raises:
        TerminalError: One is none that the column can have.
    """
    write = _writer(column)
    done: list[str] = []
    try:
        for value in values:
            done.append(NULL if value is None else write(value))  # noqa: PERF401 - tells where it stopped
    except ValueError as error:
        raise TerminalError(
            f"column {column.name} ({column.type}) can't hold {_shown(values[len(done)])}",
            hint="is this the archive of the same table?",
        ) from error
    return done


def _shown(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def comparable(column: Column, value: Any) -> str:
    """Write a value as SQL that compares with its column as the column's own values do.

    Args:
        column: Its type and character set decide how the value is written.
        value: As the row's JSON has it.

    Raises:
        TerminalError: It is none that the column can have.
    """
    literal = literals(column, [value])[0]
    if column.form is Form.TEXT and column.word in {"enum", "set"}:
        return str(_number(column, value))
    return f"_{column.charset} {literal}" if column.charset and literal.startswith("X") else literal


def _number(column: Column, value: str) -> int:
    """Find the number that an ENUM or SET has for a text. The server orders values by it."""
    places = {member: place for place, member in enumerate(column.members)}
    if column.word == "enum":
        return places.get(value, -1) + 1
    return sum(1 << places[member] for member in value.split(",") if member in places)


def behind(columns: Sequence[Column], key: bytes) -> str:
    """The condition that rows behind a key fulfil.

    Args:
        columns: The key's.
        key: As a batch gave it.
    """
    values = [(quoted(column.name), comparable(column, value)) for column, value in _of_key(columns, key)]
    ways = []
    for place, (name, value) in enumerate(values):
        same = [f"{before} = {known}" for before, known in values[:place]]
        ways.append(" AND ".join([*same, f"{name} > {value}"]))
    first, start = values[0]
    # What the optimizer would not see in the ways alone: where to begin.
    return ways[0] if len(ways) == 1 else f"{first} >= {start} AND (({') OR ('.join(ways)}))"


def matching(columns: Sequence[Column], key: bytes) -> str:
    """Write the condition that only the row of a key fulfils.

    Args:
        columns: The key's columns, in the key's order.
        key: JSON text of the key's fields.

    Raises:
        TerminalError: The key has a value that its column can't have.
    """
    same = [f"{quoted(column.name)} = {comparable(column, value)}" for column, value in _of_key(columns, key)]
    return " AND ".join(same)


def _of_key(columns: Sequence[Column], key: bytes) -> list[tuple[Column, Any]]:
    document = orjson.loads(key)
    return [(column, document[column.name]) for column in columns]
