"""Points of InfluxDB, 1.x and 2.x: what a measurement's have in common, and line protocol, each number as it was. Pure.

A point's key is its time and its tags, in this order, so that rows in key order are rows in order of time. The value
holds both, and the fields. A field that has several types has one column for each, named `field::type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from streamsink.database.protocol import Json
from streamsink.errors import TerminalError

Tags = tuple[str, ...]
"""A point's tags in the order of `Shape.tags`; "" where it has none, as InfluxDB has it."""

WRITE_BYTES = 4_000_000
"""Of one write; servers take 25 MB unless told otherwise."""
_CONNECT: Mapping[str, Json] = {
    "float": {"type": "double"},
    "integer": {"type": "int64"},
    "unsigned": {"type": "int64", "name": "Unsigned"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
}
_UNWRITABLE = re.compile(r"\\(?:[,= ]|$)|[\n\r]|^$")
_MEASUREMENT = re.compile(r"([, ])")
_NAME = re.compile(r"([,= ])")
_ESCAPED = re.compile(r'(["\\])')
_BACKSLASHED = r"\\\1"


@dataclass(frozen=True, slots=True)
class Column:
    """The source of a column's values: a field, and its type."""

    field: str
    kind: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The tags and columns that the points of a measurement share.

    Attributes:
        measurement: Its name.
        tags: Names of tags, sorted.
        columns: By name; each field of one type.
    """

    measurement: str
    tags: tuple[str, ...]
    columns: Mapping[str, Column]

    @classmethod
    def of(cls, measurement: str, tags: Iterable[str], fields: Mapping[str, Iterable[str]]) -> Shape:
        """The shape of a measurement.

        Args:
            measurement: Its name.
            tags: Names of tags.
            fields: The types that each field has had.

        Returns:
            The shape, tags sorted. A field with several types has one column for each.
        """
        columns: dict[str, Column] = {}
        for name in sorted(fields):
            kinds = sorted(set(fields[name]))
            for kind in kinds:
                column = name if len(kinds) == 1 else f"{name}::{kind}"
                while column in columns or (column != name and column in fields):
                    column += ":"
                columns[column] = Column(name, kind)
        return cls(measurement, tuple(sorted(tags)), columns)

    @classmethod
    def from_json(cls, told: Json) -> Shape:
        """The shape that `to_json` told of."""
        columns = {name: Column(*pair) for name, pair in told["columns"].items()}
        return cls(told["measurement"], tuple(told["tags"]), columns)

    def to_json(self) -> dict[str, Any]:
        """Put the shape into the form that a table's structure has."""
        return {
            "measurement": self.measurement,
            "tags": list(self.tags),
            "columns": {name: [column.field, column.kind] for name, column in self.columns.items()},
        }

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the key's fields; InfluxDB allows no tag `time`."""
        return ("time", *self.tags)

    def value_schema(self) -> str:
        """The `value.schema` of the rows."""
        tags = [{"field": name, "type": "string", "optional": True} for name in self.tags]
        fields = [{"field": name, "optional": True, **_CONNECT[column.kind]} for name, column in self.columns.items()]
        parts: list[Json] = [{"field": "time", "type": "int64"}]
        parts += [
            {"field": name, "type": "struct", "optional": True, "fields": inner}
            for name, inner in (("tags", tags), ("fields", fields))
            if inner
        ]
        return orjson.dumps({"type": "struct", "fields": parts}).decode()

    def place(self, key: bytes) -> tuple[int, Tags]:
        """Find a key's place in the order of rows.

        Returns:
            The time in nanoseconds and the tags' values, "" for a tag that the point lacks.
        """
        told = orjson.loads(key)
        return told["time"], tuple(told[name] or "" for name in self.tags)

    def lines(self, values: pa.BinaryArray) -> Iterator[bytes]:
        """Rows' values in line protocol, one line each.

        Raises:
            TerminalError: A name or tag has no form in it.
        """
        measurement = _escaped(self.measurement, _MEASUREMENT)
        names = {name: _escaped(column.field) for name, column in self.columns.items()}
        kinds = {name: column.kind for name, column in self.columns.items()}
        heads: dict[bytes, str] = {}
        for value in values.to_pylist():
            told = orjson.loads(value)
            tags = orjson.dumps(told["tags"])
            head = heads.get(tags)
            if head is None:
                pairs = sorted((told["tags"] or {}).items())
                head = ",".join([measurement, *(f"{_escaped(name)}={_escaped(tag)}" for name, tag in pairs if tag)])
                heads[tags] = head
            fields = [
                f"{names[name]}={_written(one, kinds[name])}" for name, one in told["fields"].items() if one is not None
            ]
            yield f"{head} {','.join(fields)} {told['time']}".encode()


def _escaped(text: str, signs: re.Pattern[str] = _NAME) -> str:
    if _UNWRITABLE.search(text):
        raise TerminalError(
            f"{text!r} has no form in line protocol, InfluxDB's only way in",
            hint="a line break, or a backslash before a comma, space, equals sign or the end, can't be written: "
            "restore the other tables with --table",
        )
    return signs.sub(_BACKSLASHED, text)


def _written(value: Any, kind: str) -> str:
    """A field's value in line protocol."""
    if kind == "string":
        return f'"{_ESCAPED.sub(_BACKSLASHED, value)}"'
    if kind == "boolean":
        return "true" if value else "false"
    return repr(float(value)) if kind == "float" else f"{value}{'i' if kind == 'integer' else 'u'}"


def kind_of(value: Any) -> str:
    """The type of a value that msgpack gave."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "float" if isinstance(value, float) else "integer"


def in_bodies(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines joined into bodies of writes."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line) + 1
        if size >= WRITE_BYTES:
            yield b"\n".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"\n".join(waiting)
