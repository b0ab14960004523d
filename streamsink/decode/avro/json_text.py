"""Turns values of recursive Avro types into JSON texts and back, one by one. Pure: no I/O, no clock.

JSON as Avro's own JSON encoding has it, but for unions of null and one type, whose values stand bare: bytes are text
of code points, a union of more types is an object with its branch's name. Numbers that JSON lacks are text.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from streamsink.decode.avro.named_types import PRIMITIVES

Read = Callable[[bytes, int], tuple[Any, int]]
Write = Callable[[Any], bytes]


class JsonTexts:
    """Reads and writes values of one schema.

    Args:
        schema: With each named type written out at its first use, under its full name.
        by_value: Whether decimals are read as their numbers, however many bytes they take: Python's writers spend one
            more on some than Java's. What was read so can't be written.
    """

    def __init__(self, schema: Any, *, by_value: bool = False) -> None:
        self._by_value = by_value
        self._named: dict[str, tuple[Read, Write]] = {}
        self._read, self._write = self._made(schema)

    def read(self, data: bytes) -> tuple[str | None, int]:
        """Read the value at the beginning of bytes.

        Returns:
            The value as JSON, None for null, and how many bytes it takes.

        Raises:
            ValueError: It can't be read.
        """
        try:
            value, at = self._read(data, 0)
        except (IndexError, struct.error, RecursionError) as error:
            raise ValueError(str(error)) from error
        return (None if value is None else orjson.dumps(value).decode()), at

    def write(self, text: str | None) -> bytes:
        """The value of a JSON text.

        Raises:
            ValueError: It is no value of this schema.
        """
        try:
            return self._write(None if text is None else orjson.loads(text))
        except (KeyError, TypeError, AttributeError, struct.error, OverflowError, RecursionError) as error:
            raise ValueError(f"it does not fit its schema: {error}") from error

    def _made(self, schema: Any) -> tuple[Read, Write]:  # noqa: PLR0911 - one case a type
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, str):
            return _SIMPLE[schema] if schema in PRIMITIVES else self._later(schema)
        kind = schema["type"]
        match kind:
            case "record" | "error":
                return self._record(schema)
            case "enum":
                made = _enum(tuple(schema["symbols"]))
            case "fixed":
                made = _fixed(int(schema["size"]))
            case "array":
                return _array(*self._made(schema["items"]))
            case "map":
                return _map(*self._made(schema["values"]))
            case "bytes" if self._by_value and schema.get("logicalType") == "decimal":
                return _decimal()
            case _:
                return self._made(kind)
        self._named[schema["name"]] = made
        return made

    def _later(self, name: str) -> tuple[Read, Write]:
        """A type by its name, which may be still being made."""

        def read(data: bytes, at: int) -> tuple[Any, int]:
            return self._named[name][0](data, at)

        def write(value: Any) -> bytes:
            return self._named[name][1](value)

        return read, write

    def _record(self, schema: Mapping[str, Any]) -> tuple[Read, Write]:
        members: list[tuple[str, Read, Write]] = []

        def read(data: bytes, at: int) -> tuple[Any, int]:
            found = {}
            for name, member, _ in members:
                found[name], at = member(data, at)
            return found, at

        def write(value: Any) -> bytes:
            return b"".join(member(value[name]) for name, _, member in members)

        self._named[schema["name"]] = (read, write)
        members += [(str(field["name"]), *self._made(field["type"])) for field in schema["fields"]]
        return read, write

    def _union(self, schema: list[Any]) -> tuple[Read, Write]:
        branches = [self._made(branch) for branch in schema]
        names = [_name(branch) for branch in schema]
        bare = len([name for name in names if name != "null"]) == 1

        def read(data: bytes, at: int) -> tuple[Any, int]:
            branch, at = _read_long(data, at)
            if not 0 <= branch < len(branches):
                raise ValueError("a union has no such branch")
            value, at = branches[branch][0](data, at)
            return (value if bare or names[branch] == "null" else {names[branch]: value}), at

        def write(value: Any) -> bytes:
            if value is None:
                return write_long(names.index("null"))
            if bare:
                branch = next(at for at, name in enumerate(names) if name != "null")
                return write_long(branch) + branches[branch][1](value)
            ((name, inside),) = value.items()
            return write_long(names.index(name)) + branches[names.index(name)][1](inside)

        return read, write


def write_long(value: int) -> bytes:
    """A zigzag varint."""
    left, found = (value << 1) ^ (value >> 63), bytearray()
    while left >= 0x80:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _name(schema: Any) -> str:
    if isinstance(schema, str):
        return schema
    return str(schema["name"] if schema["type"] in {"record", "error", "enum", "fixed"} else schema["type"])


def _whole(bits: int) -> tuple[Read, Write]:
    def bounded(value: Any) -> Any:
        if type(value) is not int or not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise ValueError(f"{value!r} is no number of {bits} bits")
        return value

    def read(data: bytes, at: int) -> tuple[Any, int]:
        value, at = _read_long(data, at)
        return bounded(value), at

    return read, lambda value: write_long(bounded(value))


def _float(code: str) -> tuple[Read, Write]:
    size = struct.calcsize(code)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        (value,) = struct.unpack_from(code, data, at)
        if math.isfinite(value):
            return value, at + size
        return ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"), at + size

    return read, lambda value: struct.pack(code, float(value))


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_long(data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("it ends within a byte string")
    return data[at : at + size], at + size


def _text(encoding: str) -> tuple[Read, Write]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        cell, at = _sized(data, at)
        return cell.decode(encoding), at

    def write(value: str) -> bytes:
        cell = value.encode(encoding)
        return write_long(len(cell)) + cell

    return read, write


def _decimal() -> tuple[Read, Write]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        cell, at = _sized(data, at)
        return str(int.from_bytes(cell, signed=True)), at

    def write(_value: Any) -> bytes:
        raise ValueError("a decimal's number was read alone")

    return read, write


def _boolean(data: bytes, at: int) -> tuple[Any, int]:
    if data[at] > 1:
        raise ValueError("a boolean is neither 0 nor 1")
    return data[at] == 1, at + 1


def _fixed(size: int) -> tuple[Read, Write]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        if at + size > len(data):
            raise ValueError("it ends within a fixed")
        return data[at : at + size].decode("latin-1"), at + size

    def write(value: str) -> bytes:
        cell = value.encode("latin-1")
        if len(cell) != size:
            raise ValueError(f"a fixed has {len(cell)} bytes, not {size}")
        return cell

    return read, write


def _enum(symbols: tuple[str, ...]) -> tuple[Read, Write]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _read_long(data, at)
        if not 0 <= index < len(symbols):
            raise ValueError("an enum has no such symbol")
        return symbols[index], at

    return read, lambda value: write_long(symbols.index(value))


def _blocks(data: bytes, at: int, item: Callable[[bytes, int], int]) -> int:
    while True:
        count, at = _read_long(data, at)
        if not count:
            return at
        if count < 0:
            _, at = _read_long(data, at)
        if abs(count) > max(len(data) - at, 65_536):
            raise ValueError("an array claims more items than it has bytes")
        for _ in range(abs(count)):
            at = item(data, at)


def _array(read_item: Read, write_item: Write) -> tuple[Read, Write]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        found: list[Any] = []

        def item(data: bytes, at: int) -> int:
            value, at = read_item(data, at)
            found.append(value)
            return at

        at = _blocks(data, at, item)
        return found, at

    def write(value: list[Any]) -> bytes:
        return (write_long(len(value)) + b"".join(map(write_item, value)) if value else b"") + b"\0"

    return read, write


def _map(read_item: Read, write_item: Write) -> tuple[Read, Write]:
    read_key, write_key = _text("utf-8")

    def read(data: bytes, at: int) -> tuple[Any, int]:
        found: dict[str, Any] = {}

        def item(data: bytes, at: int) -> int:
            key, at = read_key(data, at)
            if key in found:
                raise ValueError("a map has one key twice")
            found[key], at = read_item(data, at)
            return at

        at = _blocks(data, at, item)
        return found, at

    def write(value: dict[str, Any]) -> bytes:
        entries = b"".join(write_key(key) + write_item(item) for key, item in value.items())
        return (write_long(len(value)) + entries if value else b"") + b"\0"

    return read, write


_SIMPLE: dict[str, tuple[Read, Write]] = {
    "null": ((lambda _data, at: (None, at)), (lambda _value: b"")),
    "boolean": (_boolean, lambda value: b"\1" if value else b"\0"),
    "int": _whole(32),
    "long": _whole(64),
    "float": _float("<f"),
    "double": _float("<d"),
    "bytes": _text("latin-1"),
    "string": _text("utf-8"),
}
