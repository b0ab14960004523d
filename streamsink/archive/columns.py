"""Lists the columns and variants of a topic's objects, and counts their values. Reads objects, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.archive.rows import read_rows
from streamsink.decode.column_set import KIND
from streamsink.errors import NothingThereError
from streamsink.record import ENVELOPE, JSON_TEXT_METADATA, REST, VARIANT_OF
from streamsink.upload.numbered import NumberedRecords

ITEMS = "[]"
REST_NAMES_MAX = 10_000
"""Fields in `_rest` beyond so many names aren't listed."""


@dataclass(slots=True)
class Column:
    """One column of the archive.

    Args:
        path: Its name behind those of the structs that it is in; `[]` stands for a list's items. Fields in `_rest`
            are behind that.
        types: Each type that it has in an object; one, where all of them have been written by a column set.
        variant_of: The column whose values go here where they don't fit that one; None for a column that is no variant.
        values: How many aren't null.
    """

    path: tuple[str, ...]
    types: list[str] = field(default_factory=list)
    variant_of: str | None = None
    values: int = 0

    @property
    def name(self) -> str:
        """The path in one word: dots lead into structs, `[]` into lists."""
        return ".".join(self.path).replace(f".{ITEMS}", ITEMS)


@dataclass(frozen=True, slots=True)
class TopicColumns:
    """The columns of a topic's objects, counted over all rows.

    Args:
        topic: The topic's name.
        number: The number of the newest column set; 0 where there is none.
        objects: The number of objects read.
        rows: The number of rows in them.
        columns: In order of appearance, without `_kafka`.
    """

    topic: str
    number: int
    objects: int
    rows: int
    columns: list[Column]


def topic_columns(archive: Archive, topic: str) -> TopicColumns:
    """Read all objects of a topic, and count values by column.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        topic: The topic's name.

    Raises:
        NothingThereError: The topic has no objects.
        TransientError: The store can't be read now.
        TerminalError: An object is damaged.
    """
    sets = NumberedRecords(archive.store, KIND, archive.prefix)
    found: dict[tuple[str, ...], Column] = {}
    objects = rows = 0
    for entry in archive.objects(topic=topic):
        objects += 1
        for batch in read_rows(archive, entry):
            rows += batch.num_rows
            _count(batch, found)
    if not objects:
        raise NothingThereError(f"the archive has no objects of topic {topic!r}", hint="archive ls shows its topics")
    for column in found.values():
        if column.path[0] == REST and column.path[1:] in found:
            column.variant_of = column.path[1]
    return TopicColumns(topic, max(sets.numbers(topic), default=0), objects, rows, list(found.values()))


def _count(batch: pa.RecordBatch, found: dict[tuple[str, ...], Column]) -> None:
    for kind, array in zip(batch.schema, batch.columns, strict=True):
        if kind.name == ENVELOPE:
            continue
        for path, inner, values in _places((), kind, array):
            column = found.setdefault(path, Column(path, variant_of=variant_of(inner)))
            column.values += values
            if (told := type_name(inner)) not in column.types:
                column.types.append(told)
        if kind.name == REST and is_json(kind):
            _count_rest(array, found)


def _places(above: tuple[str, ...], kind: pa.Field, array: pa.Array) -> Iterator[tuple[tuple[str, ...], pa.Field, int]]:
    """A column and those inside it, each with its path and how many values it has."""
    path = (*above, kind.name)
    yield path, kind, len(array) - array.null_count
    while pa.types.is_list(kind.type):
        kind, array, path = kind.type.value_field, array.flatten(), (*path, ITEMS)
    if pa.types.is_struct(kind.type):
        for child, member in zip(kind.type, array.flatten(), strict=True):
            yield from _places(path, child, member)


def _count_rest(array: pa.Array, found: dict[tuple[str, ...], Column]) -> None:
    """Count the fields that have no column, and those whose column and variant they don't fit."""
    for text in array.drop_null().to_pylist():
        document = json.loads(text)
        for name, value in document.items() if isinstance(document, dict) else ():
            path = (REST, name)
            if value is not None and (path in found or len(found) < REST_NAMES_MAX):
                column = found.setdefault(path, Column(path, ["json"]))
                column.values += 1


def variant_of(kind: pa.Field) -> str | None:
    """The column that a field is a variant of."""
    mark = (kind.metadata or {}).get(VARIANT_OF.encode())
    return None if mark is None else str(mark.decode())


def is_json(kind: pa.Field) -> bool:
    """Whether a field's strings are JSON texts."""
    marks = kind.metadata or {}
    return all(marks.get(key.encode()) == mark.encode() for key, mark in JSON_TEXT_METADATA.items())


def type_name(kind: pa.Field) -> str:
    """A field's type in the words of column sets."""
    if is_json(kind):
        return "json"
    if pa.types.is_struct(kind.type):
        return "struct"
    if pa.types.is_list(kind.type):
        return f"list<{type_name(kind.type.value_field)}>"
    return str(kind.type)


def to_json(found: TopicColumns) -> dict[str, object]:
    """The answer for programs."""
    return {
        "topic": found.topic,
        "column_set": found.number,
        "objects": found.objects,
        "rows": found.rows,
        "columns": [
            {"name": one.name, "type": " | ".join(one.types), "variant_of": one.variant_of, "values": one.values}
            for one in found.columns
        ],
    }
