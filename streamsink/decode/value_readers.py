"""Reads values into columns: one reader for each converter. Does no I/O but through shelves.

`make_value_reader` is the one place that knows which converter has which reader. ARCHITECTURE.md has the recipe for
another.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from streamsink.config.sink import ArchiveValue, Compatibility, Converter, FormatKind, SinkConfig
from streamsink.decode.column_history import ColumnHistory, ColumnShelf, MemoryShelf
from streamsink.decode.column_set import COLUMNS_KEY
from streamsink.decode.json.columns import JsonColumns, JsonRules
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Shape
from streamsink.decode.partition_fields import fields_wanted
from streamsink.decode.plugin import PluginValues
from streamsink.decode.registry.client import SchemaRegistry, SchemaShelf
from streamsink.decode.registry.values import RegistryValues
from streamsink.decode.registry.wire import Int64s
from streamsink.errors import TerminalError
from streamsink.record import PLAIN_TEXT_METADATA

TEXT_FIELD = pa.field("value", pa.string(), metadata=PLAIN_TEXT_METADATA)


@dataclass(frozen=True, slots=True)
class ValueColumns:
    """The columns of one slice's values.

    Attributes:
        arrays: The columns, a row for each value; null where it is null or bad.
        fields: Their names and types.
        bad: By row: why a value can't be read.
        tag: Part of the lane's name, "" where values have no schemas that could differ.
        metadata: A file's entries about the columns of these rows.
        differing: By row: values that don't come back from their columns, of the values that were tried.
    """

    arrays: list[pa.Array]
    fields: list[pa.Field]
    bad: dict[int, str] = field(default_factory=dict)
    tag: str = ""
    metadata: dict[str, str] | None = None
    differing: dict[int, str] = field(default_factory=dict)


class ValueReader(Protocol):
    """Reads the values of one task. Not thread-safe."""

    def split(self, topic: str, values: pa.BinaryArray) -> Sequence[Int64s]:
        """Group rows that may share a file.

        Args:
            topic: The topic's name.
            values: One value a row.

        Returns:
            Row indices of each group, together all rows; empty where all rows may share a file.

        Raises:
            TransientError: A Schema Registry can't be asked now.
        """
        ...

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """Read values that may share a file into columns; bad ones come back in `bad`.

        Args:
            topic: The topic's name.
            values: One value a row.

        Raises:
            TransientError: A Schema Registry can't be asked now, or a column set can't be written.
        """
        ...


def make_value_reader(
    config: SinkConfig,
    declared: Shape,
    *,
    always: frozenset[str] = frozenset(),
    shelf: SchemaShelf | None = None,
    columns: ColumnShelf | None = None,
) -> ValueReader | None:
    """The reader of a configuration's converter; None where nothing looks into values.

    With `archive.value=raw` it reads the fields that encoded partitions are made of, and nothing else.

    Args:
        config: Which converter, and what values become.
        declared: The columns of `value.schema`.
        always: Fields that get a column each, however many there are.
        shelf: Where a registry's schemas are kept beside the archive.
        columns: Where topics' column sets are kept. Without it, JSON's columns widen as long as the reader lives.

    Raises:
        TerminalError: A plugin is not installed any more.
    """
    plugin = ColumnsOfPlugin(PluginValues(config.value_plugin)) if config.value_plugin is not None else None
    raw = config.archive_value is ArchiveValue.RAW
    fields = fields_wanted(config)
    if raw and not fields:
        return None
    if config.value_registry is not None:
        registry = _registry_values(config, shelf)
        return FieldsOfRegistry(registry, fields) if raw else LanesOfRegistry(registry)
    if plugin is not None:
        return plugin
    rules = _json_rules(config, declared, always)
    reader: ValueReader | None = None
    match config.value_converter:
        case Converter.JSON:
            reader = JsonValues(rules, None if raw or config.schemas_enable else columns)
        case Converter.BSON:
            reader = BsonValues(rules, None if raw else columns)
        case Converter.STRING if not raw:
            reader = StringValues()
    return reader


class _OneLane:
    """Values without schemas that could keep them apart."""

    def split(self, _topic: str, _values: pa.BinaryArray) -> Sequence[Int64s]:
        """See `ValueReader.split`."""
        return ()


class StringValues(_OneLane):
    """UTF-8 texts, one column."""

    def read(self, _topic: str, values: pa.BinaryArray) -> ValueColumns:
        """Read values as UTF-8; others are bad.

        Args:
            _topic: Not used.
            values: One value a row.
        """
        try:
            return ValueColumns([values.cast(pa.string())], [TEXT_FIELD])
        except pa.ArrowInvalid:
            bad: dict[int, str] = {}
            texts: list[str | None] = []
            for row, value in enumerate(values.to_pylist()):
                try:
                    texts.append(None if value is None else value.decode())
                except UnicodeDecodeError as error:
                    bad[row] = f"the value is not UTF-8: {error.reason} at byte {error.start}"
                    texts.append(None)
            return ValueColumns([pa.array(texts, pa.string())], [TEXT_FIELD], bad)


class JsonValues(_OneLane):
    """JSON, in the columns of each topic.

    Args:
        rules: How values become columns.
        columns: Where topics' column sets are kept; None where columns only widen.
    """

    def __init__(self, rules: JsonRules, columns: ColumnShelf | None) -> None:
        self._rules = rules
        self._columns = columns
        self._topics: dict[str, JsonColumns | SetColumns] = {}

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """See `ValueReader.read`."""
        if topic not in self._topics:
            self._topics[topic] = self._of_topic(topic)
        found = self._topics[topic].read(values)
        metadata = {COLUMNS_KEY: str(found.number)} if found.number else None
        return ValueColumns(found.arrays, found.fields, found.bad, metadata=metadata)

    def _of_topic(self, topic: str) -> JsonColumns | SetColumns:
        if self._columns is None:
            return JsonColumns(self._rules)
        return SetColumns(self._rules, ColumnHistory(self._columns, topic, self._rules.declared))


class BsonValues(_OneLane):
    """BSON documents, in the columns of each topic.

    Args:
        rules: How values become columns.
        columns: Where topics' column sets are kept; None where they last as long as the task.

    Raises:
        TerminalError: The package that reads BSON isn't installed.
    """

    def __init__(self, rules: JsonRules, columns: ColumnShelf | None) -> None:
        try:
            importlib.import_module("bson")
        except ModuleNotFoundError as error:
            raise TerminalError(
                "the converter bson needs the package pymongo", hint="pip install 'streamsink[mongodb]'"
            ) from error
        self._rules = rules
        self._columns = MemoryShelf() if columns is None else columns
        self._topics: dict[str, SetColumns] = {}

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """See `ValueReader.read`."""
        if topic not in self._topics:
            from streamsink.decode.bson.columns import BsonColumns  # noqa: PLC0415 (an extra)

            history = ColumnHistory(self._columns, topic, self._rules.declared)
            self._topics[topic] = BsonColumns(self._rules, history)
        found = self._topics[topic].read(values)
        return ValueColumns(found.arrays, found.fields, found.bad, metadata={COLUMNS_KEY: str(found.number)})


def _json_rules(config: SinkConfig, declared: Shape, always: frozenset[str]) -> JsonRules:
    fields = fields_wanted(config)
    heads = {path.split(".")[0] for path in fields}
    return JsonRules(
        declared=declared,
        schemas_enable=config.schemas_enable,
        replace_null=config.replace_null_with_default,
        columns_max=config.value_columns_max,
        always=frozenset({*fields, *heads, *always}),
        wanted=fields if config.archive_value is ArchiveValue.RAW else None,
    )


@dataclass(frozen=True, slots=True)
class ColumnsOfPlugin(_OneLane):
    """Values that a plugin reads."""

    values: PluginValues

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """See `ValueReader.read`."""
        found = self.values.read(topic, values)
        return ValueColumns(found.arrays, found.fields, found.bad)


@dataclass(frozen=True, slots=True)
class LanesOfRegistry:
    """Values whose schemas a registry has: a lane for each set of versions that share columns."""

    registry: RegistryValues

    def split(self, topic: str, values: pa.BinaryArray) -> Sequence[Int64s]:
        """See `ValueReader.split`."""
        return self.registry.split(topic, values)

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """See `ValueReader.read`."""
        found = self.registry.read(topic, values)
        return ValueColumns(found.arrays, found.fields, found.bad, found.tag, found.metadata, found.differing)


@dataclass(frozen=True, slots=True)
class FieldsOfRegistry(_OneLane):
    """Some fields of values whose schemas a registry has, whichever schemas these are."""

    registry: RegistryValues
    fields: tuple[str, ...]

    def read(self, topic: str, values: pa.BinaryArray) -> ValueColumns:
        """See `ValueReader.read`."""
        heads = frozenset(path.split(".")[0] for path in self.fields)
        found = self.registry.read_apart(topic, values, heads | set(self.fields))
        return ValueColumns(found.arrays, found.fields, found.bad)


def _registry_values(config: SinkConfig, shelf: SchemaShelf | None) -> RegistryValues:
    rules = config.value_registry
    assert rules is not None, "asked for with a registry only"
    return RegistryValues(
        config.value_converter,
        SchemaRegistry(rules, shelf),
        rules,
        compatibility=config.schema_compatibility,
        columns_max=config.value_columns_max,
        copies=_copies(config),
        check_every=config.value_check_sample,
    )


def _copies(config: SinkConfig) -> bool:
    """Whether nothing looks into values before they are Avro again, and all of a lane's are of one schema."""
    looks = bool(config.transforms or fields_wanted(config))
    if config.schema_compatibility is not Compatibility.NONE or looks:
        return False
    return (
        config.encoding.kind is FormatKind.AVRO
        and config.output is None
        and config.archive_value is not ArchiveValue.RAW
    )
