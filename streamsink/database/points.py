"""Points of InfluxDB, 1.x and 2.x: what a measurement's have in common. Pure.

A point's key is its time and its tags, in this order, so that rows in key order are rows in order of time. The value
holds both, and the fields. A field that has several types has one column for each, named `field::type`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streamsink.database.protocol import Json

Tags = tuple[str, ...]
"""A point's tags in the order of `Shape.tags`; "" where it has none, as InfluxDB has it."""

_CONNECT: Mapping[str, Json] = {
    "float": {"type": "double"},
    "integer": {"type": "int64"},
    "unsigned": {"type": "int64", "name": "Unsigned"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
}


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


def kind_of(value: Any) -> str:
    """The type of a value that msgpack gave."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "float" if isinstance(value, float) else "integer"
