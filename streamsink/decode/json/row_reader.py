"""Reads many JSON objects at once with Arrow's reader, row by row: names the rows that only the exact reader can judge.

As `fast_reader.py`, whose three facts tie documents to values, but what is in doubt is one row and not the batch:

* a row of another form (no object, a NUL, no UTF-8) is left out before the reader sees it;
* a field the shape lacks is inferred, and rows that have one are in doubt;
* where the reader stops at a row, that row is left out. A clash ("changed from number to string") is remembered, and
  rows that look like it are left out of every later batch before the reader meets them.

Doubt costs time only: the exact reader then decides.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from streamsink.decode.json import text as json_text
from streamsink.decode.json.fast_reader import DoubtError, RowsRead, buffers, joined
from streamsink.decode.json.row_checks import (
    Mask,
    integers,
    is_there,
    judge_doubles,
    keys_of,
    keys_read,
    looks,
    mark,
    whole,
)
from streamsink.decode.json.shape import Kind, Shape, arrow_type, cast_read

STOPS_MAX = 12
"""So often may Arrow's reader stop in one batch before the batch as a whole is in doubt."""

CLASHES_MAX = 16
"""Clashes remembered; of more, rows are found one by one."""

Path = tuple[str, ...]

_ITEM = "[]"
_NOTHING = pa.scalar(b"{}", pa.binary())
_STOPPED = re.compile(r"in row (\d+)$")
_CLASHED = re.compile(r"Column\((.*)\) changed from \w+ to (\w+) in row \d+$", re.DOTALL)
_UNPARSED = re.compile(r"Failed to convert JSON to (\S+), couldn't parse:(.*)$", re.DOTALL)
_BEGINS = {"string": b'"', "number": b"[-0-9]", "object": rb"\{", "array": rb"\[", "boolean": b"[tf]"}


class Habits:
    """The habits of a topic's records, learned from records so far; they outlast each shape of the topic."""

    def __init__(self) -> None:
        self.clashes: list[re.Pattern[bytes]] = []
        self.mixed: set[Path] = set()
        """Integer places that have met other numbers: read as doubles, and judged by row."""
        self.rare: set[str] = set()
        """Columns that few rows have: not read here, and rows that have them are in doubt."""


class RowReader:
    """Reads values of one shape.

    Args:
        shape: A struct shape.
        habits: The topic's.
    """

    def __init__(self, shape: Shape, habits: Habits) -> None:
        self._shape = shape
        self._habits = habits
        self._mixed = frozenset(habits.mixed)
        self._rare = frozenset(habits.rare)
        fields = [(name, self._wire(child, (name,))) for name, child in shape.fields.items()]
        self._options = pj.ParseOptions(
            explicit_schema=pa.schema([(name, wire) for name, wire in fields if wire is not None]),
            newlines_in_values=True,
            unexpected_field_behavior="ignore" if self._rare else "infer",
        )

    @property
    def outdated(self) -> bool:
        """Whether habits have been learned that another reader would heed."""
        return self._mixed != self._habits.mixed or self._rare != self._habits.rare

    def read(self, values: pa.Array) -> RowsRead:
        """Read the sure rows: one array a field.

        Args:
            values: Binary, none null.

        Raises:
            DoubtError: All rows are in doubt.
        """
        doubt = looks(values, self._habits.clashes)
        for _ in range(STOPS_MAX):
            # Rows keep their places, so that nothing has to be put in order afterwards.
            chosen = pc.if_else(pa.array(doubt), _NOTHING, values) if doubt.any() else values
            try:
                table = self._table(chosen)
            except pa.ArrowException as error:
                self._learn(str(error), chosen, doubt)
                if self.outdated:
                    raise DoubtError from error
                continue
            return self._judged(table, chosen, doubt)
        raise DoubtError

    def _table(self, values: pa.Array) -> pa.Table:
        text = joined(values)
        read_options = pj.ReadOptions(use_threads=False, block_size=text.size + 1)
        table = pj.read_json(pa.BufferReader(text), read_options=read_options, parse_options=self._options)
        if table.num_rows != len(values):
            raise DoubtError
        return table

    def _learn(self, message: str, chosen: pa.Array, doubt: Mask) -> None:
        """Mark the rows that a stop was about.

        Raises:
            DoubtError: It doesn't tell.
        """
        if (stopped := _STOPPED.search(message)) is not None:
            row = int(stopped[1])
            if row >= len(chosen):
                raise DoubtError
            if (clashed := _CLASHED.search(message)) is not None:
                self._remember(clashed[1], clashed[2], chosen[row].as_py())
                offsets, data = buffers(chosen)
                for clash in self._habits.clashes[-1:]:
                    mark(clash, data[offsets[0] : offsets[-1]], offsets, doubt)
            doubt[row] = True
            return
        unparsed = _UNPARSED.search(message)
        if unparsed is None or len(unparsed[2]) < 1:
            raise DoubtError
        found = pc.find_substring(chosen, unparsed[2].encode()).to_numpy(zero_copy_only=False) >= 0
        if not found.any():
            raise DoubtError
        doubt |= found
        try:
            document = json_text.read(chosen[int(np.flatnonzero(found)[0])].as_py())
        except json_text.NotJsonError:
            return
        self._habits.mixed |= mixed_places(self._shape, document)

    def _remember(self, column: str, kind: str, value: bytes) -> None:
        names = column.strip("/").split("/")
        inside = len(names) > 1 and names[-1] == _ITEM
        name = names[-2] if inside else names[-1]
        if kind not in _BEGINS or len(self._habits.clashes) >= CLASHES_MAX or name == _ITEM:
            return
        start = rb'"' + re.escape(name.encode()) + rb'"\s*:\s*' + (rb"\[[^\]]*?" if inside else b"") + _BEGINS[kind]
        pattern = re.compile(start)
        if pattern.search(value) and pattern not in self._habits.clashes:
            self._habits.clashes.append(pattern)

    def _judged(self, table: pa.Table, values: pa.Array, doubt: Mask) -> RowsRead:
        if self._rare:
            doubt |= keys_of(values) != sum(keys_read(whole(table.column(name))) for name in table.column_names)
        arrays: list[pa.Array] = []
        for name, child in self._shape.fields.items():
            wire = self._wire(child, (name,))
            if wire is None:
                arrays.append(pa.nulls(table.num_rows, arrow_type(child)))
                continue
            arrays.append(self._cell(whole(table.column(name)), child, (name,), doubt))
        known = set(self._options.explicit_schema.names)
        for name in table.column_names:
            if name not in known:
                doubt |= is_there(whole(table.column(name)))
        return RowsRead(arrays, doubt)

    def _cell(self, array: pa.Array, shape: Shape, path: Path, doubt: Mask) -> pa.Array:
        """The values in the shape's type; rows that may not be so are marked."""
        if shape.required and array.null_count:
            doubt |= array.is_null().to_numpy(zero_copy_only=False)
        match shape.kind:
            case Kind.DOUBLE:
                judge_doubles(array, doubt)
            case Kind.INT if path in self._mixed:
                return integers(array, doubt)
            case Kind.LEAF if pa.types.is_floating(array.type):
                judge_doubles(array, doubt)
            case Kind.STRUCT:
                return self._struct(array, shape, path, doubt)
            case Kind.LIST:
                return self._list(array, shape, path, doubt)
        cell = cast_read(array, shape)
        if cell.null_count > array.null_count:
            doubt |= (array.is_valid().to_numpy(zero_copy_only=False)) & cell.is_null().to_numpy(zero_copy_only=False)
        return cell

    def _struct(self, array: pa.StructArray, shape: Shape, path: Path, doubt: Mask) -> pa.Array:
        wanted = arrow_type(shape)
        inside = dict(zip([child.name for child in array.type], array.flatten(), strict=True))
        cells = []
        for name, child in shape.fields.items():
            known = self._wire(child, (*path, name)) is not None
            member = inside.pop(name, None) if known else None
            cells.append(
                pa.nulls(len(array), arrow_type(child))
                if member is None
                else self._cell(member, child, (*path, name), doubt)
            )
        for extra in inside.values():
            doubt |= is_there(extra)
        if not cells:
            doubt |= is_there(array)
        mask = array.is_null() if array.null_count else None
        return (
            pa.StructArray.from_arrays(cells, fields=list(wanted), mask=mask) if cells else pa.nulls(len(array), wanted)
        )

    def _list(self, array: pa.ListArray, shape: Shape, path: Path, doubt: Mask) -> pa.Array:
        assert shape.item is not None
        items = array.flatten()
        inner = np.zeros(len(items), bool)
        read = self._cell(items, shape.item, (*path, _ITEM), inner)
        if inner.any():
            doubt[np.asarray(pc.list_parent_indices(array))[inner]] = True
        wanted = arrow_type(shape)
        if read is items:
            return array if array.type == wanted else array.cast(wanted)
        lengths = np.asarray(array.value_lengths().fill_null(0))
        ends = pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]))
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(ends, read, type=wanted, mask=mask)

    def _wire(self, shape: Shape, path: Path) -> pa.DataType | None:
        """What Arrow's reader reads a place as; None where only the exact reader can."""
        rare = len(path) == 1 and path[0] in self._rare
        if rare or shape.variant_of is not None or shape.default is not None or shape.kind is Kind.TEXT:
            return None
        if shape.leaf is not None:
            return shape.leaf.wire
        if shape.item is not None:
            item = self._wire(shape.item, (*path, _ITEM))
            return None if item is None else pa.list_(item)
        if shape.kind is Kind.STRUCT:
            fields = [(name, self._wire(child, (*path, name))) for name, child in shape.fields.items()]
            return pa.struct([(name, wire) for name, wire in fields if wire is not None])
        if shape.kind is Kind.INT and path in self._mixed:
            return pa.float64()
        return arrow_type(shape)


def mixed_places(shape: Shape, value: object, path: Path = ()) -> set[Path]:
    """Find integer columns of the shape where a value has a number that isn't one.

    Args:
        shape: The columns.
        value: Parsed JSON.
        path: Where both are, from the top.

    Returns:
        The columns' paths.
    """
    if shape.kind is Kind.INT:
        return {path} if type(value) is float else set()
    found: set[Path] = set()
    if shape.item is not None and isinstance(value, list):
        for member in value:
            found |= mixed_places(shape.item, member, (*path, _ITEM))
    if shape.kind is Kind.STRUCT and isinstance(value, dict):
        for name, member in value.items():
            child = shape.fields.get(name)
            if child is not None and child.variant_of is None:
                found |= mixed_places(child, member, (*path, name))
    return found
