"""Turns a topic's JSON values into columns of its widening shape; fast where that is certain, exact everywhere else.

A slice is read in rounds: whatever the fast reader doubts is halved until small and read exactly, which may widen the
shape; then the slice is read again in the wider shape. The last round widens nothing, so all its rows agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from streamsink.decode.json import text as json_text
from streamsink.decode.json.fast_reader import DoubtError, FastReader, RowsRead
from streamsink.decode.json.native_reader import NativeReader, UnreadableError
from streamsink.decode.json.record import RecordReader
from streamsink.decode.json.row_checks import overlaid
from streamsink.decode.json.shape import (
    UNKNOWN,
    Kind,
    MisfitError,
    Shape,
    arrow_field,
    arrow_type,
    check_required,
    is_plain,
    joined,
    rendered,
    widened,
)
from streamsink.decode.json.text import NotJsonError
from streamsink.decode.json.widening import fitted
from streamsink.decode.projection import Projection
from streamsink.record import REST

PART_ROWS = 256
"""Parts up to this size are not halved further."""

DOUBTS_MAX = 16
"""After so many doubts in one round the rest of a slice is read exactly."""

_SHAPES_MAX = 16
_REST_SHAPE = Shape(Kind.TEXT)
_EASY: dict[Kind, type] = {Kind.BOOL: bool, Kind.INT: int, Kind.DOUBLE: float, Kind.STRING: str}


@dataclass(frozen=True, slots=True)
class JsonRules:
    """The rules by which JSON values become columns.

    Args:
        declared: Columns known beforehand, a struct.
        schemas_enable: Whether values are Connect's `{"schema", "payload"}`.
        replace_null: Whether nulls become their schema's defaults.
        columns_max: How many columns values may add up to; fields beyond go to `_rest`.
        always: Names that get a column even so.
        wanted: Read just these fields, dots for nested ones; all if None.
    """

    declared: Shape
    schemas_enable: bool = False
    replace_null: bool = True
    columns_max: int = 1000
    always: frozenset[str] = frozenset()
    wanted: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """One row a value, null in every column where the value is null or bad; `bad` says why by row."""

    arrays: list[pa.Array]
    fields: list[pa.Field]
    bad: dict[int, str]
    number: int = 0
    """Of the column set they were read by; 0 for none."""


class JsonColumns:
    """The columns of one topic. Not thread-safe."""

    def __init__(self, rules: JsonRules, *, fast: bool = True) -> None:
        self._rules = rules
        self._fast = fast
        self._projection = None if rules.wanted is None else Projection(rules.wanted)
        self._records = RecordReader(
            schemas_enable=rules.schemas_enable, replace_null=rules.replace_null, projection=self._projection
        )
        self._shape = rules.declared if self._projection is None else self._projection.pruned(rules.declared)
        self._blank = None if rules.declared.fields else self._shape
        self._rest = False
        self._readers: dict[Shape, NativeReader | FastReader] = {}
        self._within: dict[Shape, Shape] = {}
        self._learned = False
        self._easy: dict[str, type] = {}
        self._easy_shape: Shape | None = None

    def read(self, values: pa.Array) -> Columns:
        """The columns of a slice's values, all in the shape the topic has after them."""
        if not self._learned and self._fast and len(values) > PART_ROWS:
            self._observe(values.slice(0, PART_ROWS), {}, range(PART_ROWS))
            self._learned = True
        while True:
            before = self._shape, self._rest
            bad: dict[int, str] = {}
            parts = self._read_parts(values, bad)
            if parts is not None and before == (self._shape, self._rest):
                return Columns(self._joined(parts), self._fields(), bad)

    def _fields(self) -> list[pa.Field]:
        fields = [arrow_field(name, child) for name, child in self._shape.fields.items()]
        return [*fields, arrow_field(REST, _REST_SHAPE)] if self._rest else fields

    def _joined(self, parts: list[list[pa.Array]]) -> list[pa.Array]:
        if len(parts) == 1:
            return parts[0]
        return [pa.concat_arrays([part[column] for part in parts]) for column in range(len(self._fields()))]

    def _read_parts(self, values: pa.Array, bad: dict[int, str]) -> list[list[pa.Array]] | None:
        """The slice in parts, or None where the shape widened on the way."""
        start_shape, start_rest = self._shape, self._rest
        parts: list[list[pa.Array]] = []
        pending = [(0, len(values))]
        doubts = 0
        while pending:
            low, high = pending.pop()
            part = values.slice(low, high - low)
            trying = self._fast and doubts < DOUBTS_MAX
            found = self._read_fast(part) if trying else None
            if found is None and trying and high - low > PART_ROWS:
                doubts += 1
                middle = (low + high) // 2
                pending += [(middle, high), (low, middle)]
                continue
            if found is None:
                found = RowsRead([], np.ones(len(part), bool))
            arrays, doubt = found.arrays, found.doubt
            if doubt.any() or not arrays:
                rows = self._observe(part.filter(pa.array(doubt)), bad, low + np.flatnonzero(doubt))
                if self._shape is not start_shape or self._rest != start_rest:
                    continue
                exact = self._render(rows)
                arrays = [overlaid(*both, doubt) for both in zip(arrays, exact, strict=True)] if arrays else exact
            parts.append(arrays)
        widened_meanwhile = self._shape is not start_shape or self._rest != start_rest
        return None if widened_meanwhile else parts

    def _read_fast(self, part: pa.Array) -> RowsRead | None:
        dense = part.drop_null() if part.null_count else part
        shape = self._shape
        if self._rules.schemas_enable and len(dense):
            stripped = self._records.stripped(dense)
            if stripped is None:
                return None
            dense, shape = stripped[0], stripped[1] or shape
            if self._widened_by(shape) is not self._shape:
                return None
        found = self._read_as(shape, dense)
        if found is None:
            return None
        arrays, doubt = found.arrays, found.doubt
        if part.null_count:
            known = part.is_valid().to_numpy(zero_copy_only=False)
            rows = pa.array(np.cumsum(known) - 1, mask=~known)
            arrays = [array.take(rows) for array in arrays]
            doubt = known.copy()
            doubt[known] = found.doubt
        return RowsRead([*arrays, pa.nulls(len(part), pa.string())] if self._rest else arrays, doubt)

    def _read_as(self, shape: Shape, values: pa.Array) -> RowsRead | None:
        """The topic's columns of values that all have this shape, or None where that is in doubt."""
        reader = self._fast_reader(shape)
        if not reader.usable or (self._projection and not self._projection.skips_safely(shape)):
            return None
        try:
            found = reader.read(values)
        except DoubtError:
            return None
        if shape is self._shape:
            return found
        inside = dict(zip(shape.fields, found.arrays, strict=True))
        columns = [
            fitted(inside.get(name, pa.nulls(len(values))), shape.fields.get(name, UNKNOWN), child)
            for name, child in self._shape.fields.items()
        ]
        return None if any(column is None for column in columns) else RowsRead(columns, found.doubt)

    def _fast_reader(self, shape: Shape) -> NativeReader | FastReader:
        if shape not in self._readers:
            if len(self._readers) >= _SHAPES_MAX:
                self._readers.clear()
            others_ignored = self._rules.wanted is not None
            try:
                self._readers[shape] = NativeReader(shape, None, others_ignored=others_ignored)
            except UnreadableError:
                self._readers[shape] = FastReader(shape, others_ignored=others_ignored)
        return self._readers[shape]

    def _widened_by(self, declared: Shape) -> Shape:
        """The topic's shape, joined with one that records declare; remembered, as many records declare the same."""
        if declared is self._shape:
            return declared
        if declared not in self._within:
            if len(self._within) >= _SHAPES_MAX:
                self._within.clear()
            self._within[declared] = declared if self._shape is self._blank else joined(self._shape, declared)
        return self._within[declared]

    def _observe(self, part: pa.Array, bad: dict[int, str], numbers: Iterable[int]) -> list[dict[str, Any] | None]:
        """The part's records, the shape widened for them; None where the value is null or bad, by its row's number."""
        rows: list[dict[str, Any] | None] = []
        for row, raw in zip(numbers, part.to_pylist(), strict=False):
            record: dict[str, Any] | None = None
            if raw is not None:
                try:
                    record, declared = self._records.read(raw)
                    self._widen(record, declared)
                except (NotJsonError, MisfitError) as error:
                    bad[int(row)] = str(error)
                    record = None
            rows.append(record)
        return rows

    def _widen(self, record: dict[str, Any] | None, declared: Shape | None) -> None:
        shape, rest = self._shape, self._rest
        if declared is not None:
            shape = self._widened_by(declared)
        if record is None:
            return self._become(shape, rest=rest)
        easy = self._easy_types(shape)
        changed: dict[str, Shape] = {}
        for name, value in record.items():
            if easy.get(name) is type(value):
                continue
            before = shape.fields.get(name)
            if before is None and not self._admitted(name, len(shape.fields) + len(changed)):
                rest = True
                continue
            after = _widened_field(name, UNKNOWN if before is None else before, value)
            if after is not before:
                changed[name] = after
        if shape.declared and self._projection is None:
            check_required(shape.fields, record)
        return self._become(replace(shape, fields={**shape.fields, **changed}) if changed else shape, rest=rest)

    def _easy_types(self, shape: Shape) -> dict[str, type]:
        """By field, the type of values that change nothing: what most values of most records have."""
        if self._easy_shape is not shape:
            self._easy = {name: _EASY[child.kind] for name, child in shape.fields.items() if child.kind in _EASY}
            self._easy_shape = shape
        return self._easy

    def _become(self, shape: Shape, *, rest: bool) -> None:
        if shape is not self._shape:
            self._within.clear()
        self._shape, self._rest = shape, rest

    def _admitted(self, name: str, columns: int) -> bool:
        return name in self._rules.always or (name != REST and columns < self._rules.columns_max)

    def _render(self, rows: list[dict[str, Any] | None]) -> list[pa.Array]:
        arrays = []
        for name, child in self._shape.fields.items():
            if is_plain(child):
                column = [None if row is None else row.get(name) for row in rows]
            else:
                column = [None if row is None else rendered(child, row.get(name)) for row in rows]
            arrays.append(pa.array(column, type=arrow_type(child)))
        if self._rest:
            arrays.append(pa.array([self._rest_of(row) for row in rows], type=pa.string()))
        return arrays

    def _rest_of(self, row: dict[str, Any] | None) -> str | None:
        rest = {name: value for name, value in (row or {}).items() if name not in self._shape.fields}
        return json_text.write(rest) if rest else None


def _widened_field(name: str, shape: Shape, value: object) -> Shape:
    try:
        return widened(shape, value, 1)
    except MisfitError as error:
        raise MisfitError(f"field {name!r}: {error}") from error
