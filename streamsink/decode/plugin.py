"""Runs a converter that is a plugin: values in, columns out; its exceptions become bad values. Does no I/O.

Its class is what `ConverterPlugin` says; nothing has to be inherited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from streamsink.config.reading.plugins import PluginError, PluginType, make_plugin
from streamsink.config.sink import PluginSpec
from streamsink.errors import ConvertError, StreamsinkError, TerminalError, TransientError


class ConverterPlugin(Protocol):
    """The protocol of classes in the entry points `streamsink.converters`. One thread uses each object.

    It is made with the settings `value.converter.*`, and raises ValueError for unusable ones.
    """

    def __init__(self, settings: Mapping[str, str]) -> None: ...

    def decode(self, topic: str, values: pa.BinaryArray) -> pa.RecordBatch:
        """One row for each value, in the columns that they have.

        A row follows from its value alone. Columns that come later, or are wider, widen those of the topic; an empty
        array is answered by columns without rows.

        Args:
            topic: Where the values are from.
            values: None of them null: tombstones are left out.

        Raises:
            ConvertError: With `rows`, why these can't be read. Any other exception: the batch is halved until
                the value at fault is alone.
            TransientError: They are to be read again in a while.
        """
        ...


@dataclass(frozen=True, slots=True)
class PluginRows:
    """Columns of one slice, null where a value is null or bad, and the bad rows."""

    arrays: list[pa.Array] = field(default_factory=list)
    fields: list[pa.Field] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)


class PluginValues:
    """Reads values with a converter that is a plugin.

    Raises:
        TerminalError: Its class is not installed any more.
    """

    def __init__(self, spec: PluginSpec) -> None:
        self._name = spec.name
        try:
            self._made: Any = make_plugin(PluginType.CONVERTER, spec.name, spec.settings)
        except PluginError as error:
            raise TerminalError(str(error), hint="install the package that has this converter") from error
        self._known: dict[str, pa.Schema] = {}

    def read(self, topic: str, values: pa.Array) -> PluginRows:
        """A slice's values.

        Raises:
            TransientError: The converter says so.
            TerminalError: It gives something other than rows for these values.
        """
        there = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        bad: dict[int, str] = {}
        found = [(rows, batch) for rows, batch in self._tried(topic, values, there, bad) if len(rows)]
        table = self._united(topic, [batch for _, batch in found] or [self._empty(topic, values)])
        places: list[int | None] = [None] * len(values)
        for at, row in enumerate(np.concatenate([rows for rows, _ in found]).tolist() if found else ()):
            places[row] = at
        whole = len(found) == 1 and len(found[0][0]) == len(values)
        columns = [column.combine_chunks() for column in table.columns]
        arrays = columns if whole else [column.take(pa.array(places, pa.int64())) for column in columns]
        return PluginRows(arrays, list(table.schema), bad)

    def _tried(
        self, topic: str, values: pa.Array, rows: np.ndarray[Any, Any], bad: dict[int, str]
    ) -> list[tuple[np.ndarray[Any, Any], pa.RecordBatch]]:
        """The batches that came of these rows; unreadable values are taken out, and noted in `bad`."""
        if not len(rows):
            return []
        chosen = values if len(rows) == len(values) else values.take(pa.array(rows))
        try:
            return [(rows, self._checked(self._made.decode(topic, chosen), len(rows)))]
        except (TransientError, TerminalError):
            raise
        except ConvertError as error:
            wrong = {row: why for row, why in error.rows.items() if 0 <= row < len(rows)}
            if wrong:
                bad.update({int(rows[row]): why for row, why in wrong.items()})
                return self._tried(topic, values, np.delete(rows, list(wrong)), bad)
            failed: Exception = error
        except Exception as error:  # noqa: BLE001 - a plugin may do anything with a value
            failed = error
        if len(rows) == 1:
            bad[int(rows[0])] = f"{self._name}: {_told(failed)}"
            return []
        middle = len(rows) // 2
        return [*self._tried(topic, values, rows[:middle], bad), *self._tried(topic, values, rows[middle:], bad)]

    def _checked(self, batch: object, count: int) -> pa.RecordBatch:
        if not isinstance(batch, pa.RecordBatch) or batch.num_rows != count:
            given = f"{batch.num_rows} rows" if isinstance(batch, pa.RecordBatch) else f"a {type(batch).__name__}"
            raise TerminalError(
                f"{self._name} gives {given} for {count} values", hint="a converter gives a RecordBatch, a row a value"
            )
        names = batch.schema.names
        if len(set(names)) != len(names):
            raise TerminalError(f"{self._name} gives two columns of one name", hint="a column's name is its own")
        return batch

    def _empty(self, topic: str, values: pa.Array) -> pa.RecordBatch:
        """The columns of no rows; none where the converter can't tell."""
        try:
            return self._checked(self._made.decode(topic, values.slice(0, 0)), 0)
        except TransientError:
            raise
        except Exception:  # noqa: BLE001 - it is only asked for what there may be
            return pa.RecordBatch.from_arrays([], names=[])

    def _united(self, topic: str, batches: list[pa.RecordBatch]) -> pa.Table:
        """One table in the topic's columns, which only widen; where they can't, these columns begin a new file."""
        parts = [pa.Table.from_batches([batch.cast(_nullable(batch.schema))]) for batch in batches]
        known = self._known.get(topic)
        try:
            table = pa.concat_tables(
                [known.empty_table(), *parts] if known is not None else parts, promote_options="permissive"
            )
        except pa.ArrowException:
            table = self._without_known(parts)
        self._known[topic] = table.schema
        return table

    def _without_known(self, parts: list[pa.Table]) -> pa.Table:
        try:
            return pa.concat_tables(parts, promote_options="permissive")
        except pa.ArrowException as error:
            raise TerminalError(
                f"{self._name} gives columns of one name that can't be joined: {error}",
                hint="a converter gives a topic's values columns of the same types",
            ) from error


def _nullable(schema: pa.Schema) -> pa.Schema:
    """A tombstone's row is null in every column."""
    return pa.schema([member.with_nullable(True) for member in schema])


def _told(error: Exception) -> str:
    return error.message if isinstance(error, StreamsinkError) else f"{type(error).__name__}: {error}"
