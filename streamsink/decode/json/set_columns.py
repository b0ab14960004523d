"""Turns a topic's JSON values into the columns of the archive's set; fast where that is certain, exact elsewhere.

A slice is read as a whole by Arrow's reader; rows in doubt are read one by one, which may add columns. The grown set
is written before the rows are given out. Where another task was faster, the slice is read anew in what it wrote.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.decode.column_history import TRIES_MAX, ColumnHistory
from streamsink.decode.json import text as json_text
from streamsink.decode.json.columns import Columns, JsonRules
from streamsink.decode.json.defaults import filled, has_defaults
from streamsink.decode.json.fast_reader import DoubtError, RowsRead
from streamsink.decode.json.limits import Limits
from streamsink.decode.json.native_reader import NativeReader, UnreadableError
from streamsink.decode.json.placing import (
    WHOLE,
    Record,
    Whole,
    easy_types,
    orphaned,
    placed,
    rest_text,
    with_fields,
    with_variants,
)
from streamsink.decode.json.record import NESTING_MAX, document_of
from streamsink.decode.json.row_checks import Mask, overlaid
from streamsink.decode.json.row_reader import Habits, RowReader
from streamsink.decode.json.shape import MisfitError, Shape, arrow_field, arrow_type, check_required
from streamsink.decode.json.text import NotJsonError
from streamsink.decode.json.widening import fitted
from streamsink.record import REST

SAMPLE_ROWS = 256
"""So many rows teach a shape; the fast reader then reads the others in it."""

ROUNDS_MAX = 6
"""So often may a slice be read again in a shape that grew, before all rows in doubt are read one by one."""

DOUBTS_MAX = 16
"""After so many halves that Arrow's reader is of no use with, the rest of a slice is read row by row."""

RARE_SHARE, COMMON_SHARE = 0.02, 0.05
"""A column that fewer rows have is left to the exact reader, until more rows have it: empty ones cost Arrow's much."""

HABITS_MAX = 8
"""So many columns of mixed numbers may be found in one slice."""


@dataclass(slots=True)
class _Slice:
    """One slice in work: the documents read so far, the placed ones, and the reasons of bad rows."""

    values: pa.Array
    records: dict[int, Record | None] = field(default_factory=dict)
    cells: dict[int, dict[str, object]] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)


class SetColumns:
    """The columns of one topic. Not thread-safe.

    Args:
        rules: What values may become.
        history: The topic's sets.
        fast: Whether Arrow's reader may be used; tests compare.
    """

    def __init__(self, rules: JsonRules, history: ColumnHistory, *, fast: bool = True) -> None:
        self._declared = rules.declared
        self._defaults = has_defaults(rules.declared)
        self._fast = fast and not self._defaults
        self._limits = Limits(rules.columns_max, rules.always)
        self._history = history
        self._habits = Habits()
        self._known: tuple[int, Shape] | None = None
        self._reader: tuple[Shape, NativeReader | RowReader] | None = None
        self._fields: tuple[Shape, list[pa.Field]] | None = None

    def read(self, values: pa.Array) -> Columns:
        """The columns of a slice's values, all in the set the topic has after them.

        Raises:
            TransientError: The set has to grow, and the store can't be asked now.
            TerminalError: The store refuses.
        """
        for _ in range(TRIES_MAX):
            start = self._start()
            work = _Slice(values)
            shape, arrays = self._read(start, work)
            grown = shape is not start or len(start.fields) > len(self._history.shape.fields)
            if not grown or self._history.grow(shape):
                return Columns(arrays, self._fields_of(shape), work.bad, self._history.number)
        raise self._history.outrun()

    def _fields_of(self, shape: Shape) -> list[pa.Field]:
        if self._fields is None or self._fields[0] is not shape:
            self._fields = shape, [arrow_field(name, child) for name, child in shape.fields.items()]
        return list(self._fields[1])

    def _start(self) -> Shape:
        """The newest set, with what `value.schema` demands of it."""
        if self._known is None or self._known[0] != self._history.number:
            self._known = self._history.number, _demanding(self._history.start, self._declared)
        return self._known[1]

    def _read(self, start: Shape, work: _Slice) -> tuple[Shape, list[pa.Array]]:
        present = np.asarray(work.values.is_valid())
        filled = work.values.fill_null(b"{}") if work.values.null_count else work.values
        shape = start
        if self._fast and not shape.fields and len(filled) > SAMPLE_ROWS:
            shape = self._learned(shape, np.flatnonzero(present)[:SAMPLE_ROWS], work)
        for turn in range(ROUNDS_MAX):
            last = turn == ROUNDS_MAX - 1 or not self._fast
            arrays, doubt = self._read_fast(shape, filled, give_up=last)
            doubt &= present
            doubtful = np.flatnonzero(doubt)
            left = self._unplaced(shape, doubtful, work) if shape is start else doubtful
            if len(left) > SAMPLE_ROWS and not last:
                grown = self._learned(shape, left[:SAMPLE_ROWS], work)
                if grown is not shape:
                    shape = grown
                    continue
            grown = self._learned(shape, left, work)
            whole = _grown(arrays, shape, grown, len(filled))
            shape = grown
            if whole is not None:
                self._place(shape, left, work)
                self._notice(shape, arrays, doubtful, work)
                if not len(doubtful):
                    return shape, whole
                exact = _columns(shape, [work.cells[row] for row in doubtful.tolist()])
                return shape, [overlaid(*both, doubt) for both in zip(whole, exact, strict=True)]
        raise AssertionError("the last round reads all rows one by one")

    def _read_fast(self, shape: Shape, values: pa.Array, *, give_up: bool) -> tuple[list[pa.Array], Mask]:
        """The columns as far as Arrow's reader is sure of them, and the rows that it isn't sure of."""
        doubt = np.ones(len(values), bool)
        parts: list[tuple[int, list[pa.Array]]] = []
        pending, doubts = [(0, len(values))] if shape.fields and not give_up else [], 0
        while pending:
            low, high = pending.pop()
            read = self._part(shape, values.slice(low, high - low)) if doubts < DOUBTS_MAX else None
            if read is not None:
                doubt[low:high] = read.doubt
            elif high - low > SAMPLE_ROWS and doubts < DOUBTS_MAX:
                doubts += 1
                middle = (low + high) // 2
                pending += [(middle, high), (low, middle)]
                continue
            parts.append((high - low, _nothing(shape, high - low) if read is None else read.arrays))
        if len(parts) == 1:
            return parts[0][1], doubt
        if not parts:
            return _nothing(shape, len(values)), doubt
        return [pa.concat_arrays(list(same)) for same in zip(*(part for _, part in parts), strict=True)], doubt

    def _part(self, shape: Shape, values: pa.Array) -> RowsRead | None:
        """What Arrow's reader is sure of; None where it is of no use with these values as a whole."""
        for _ in range(HABITS_MAX):
            reader = self._reader_of(shape)
            try:
                return reader.read(values)
            except DoubtError:
                if not reader.outdated:
                    return None
        return None

    def _reader_of(self, shape: Shape) -> NativeReader | RowReader:
        if self._reader is None or self._reader[0] is not shape or self._reader[1].outdated:
            try:
                full = shape is self._start() and self._is_full(shape)
                rest_but = self._limits.always if full else None
                self._reader = shape, NativeReader(shape, self._history.shape, rest_but=rest_but)
            except UnreadableError:
                self._reader = shape, RowReader(shape, self._habits)
        return self._reader[1]

    def _is_full(self, shape: Shape) -> bool:
        """Whether fields that the shape lacks go to `_rest`."""
        return REST in shape.fields and len(shape.fields) >= self._limits.fields_max

    def _unplaced(self, shape: Shape, rows: npt.NDArray[np.int64], work: _Slice) -> npt.NDArray[np.int64]:
        """The rows that may need columns which the archive's set lacks; the others have their places then."""
        if not len(rows):
            return rows
        easy = easy_types(shape)
        full = self._is_full(shape)
        left_rows = []
        for row in rows.tolist():
            record = self._record(row, work)
            cells, left = ({}, {}) if record is None else placed(shape, record, easy)
            if left or orphaned(shape, cells):
                if not full or any(name in shape.fields or name in self._limits.always for name in left):
                    left_rows.append(row)
                    continue
                if left:
                    cells[REST] = rest_text(left)
            work.cells[row] = cells
        return np.array(left_rows, np.int64)

    def _place(self, shape: Shape, rows: npt.NDArray[np.int64], work: _Slice) -> None:
        """Give rows their places in a shape that has learned them."""
        easy = easy_types(shape) if len(rows) else {}
        for row in rows.tolist():
            record = work.records[row]
            cells, left = ({}, {}) if record is None else placed(shape, record, easy)
            if left:
                cells[REST] = rest_text(left)
            work.cells[row] = cells

    def _notice(self, shape: Shape, arrays: list[pa.Array], doubtful: npt.NDArray[np.int64], work: _Slice) -> None:
        """Note which columns few rows have: the fast reader leaves those to the exact one."""
        rows = len(work.values)
        if rows <= SAMPLE_ROWS or not self._fast or isinstance(self._reader_of(shape), NativeReader):
            return
        seen = Counter(name for row in doubtful.tolist() for name in work.cells[row])
        for name, array in zip(shape.fields, arrays, strict=False):
            seen[name] += len(array) - array.null_count
        rare = self._habits.rare
        for name in shape.fields:
            if name in rare and seen[name] > rows * COMMON_SHARE:
                rare.discard(name)
            elif seen[name] < rows * RARE_SHARE:
                rare.add(name)

    def _learned(self, shape: Shape, rows: npt.NDArray[np.int64], work: _Slice) -> Shape:
        """The shape with places for all that these rows hold: fields first, since they go before variants."""
        base = self._history.shape
        records = [record for row in rows.tolist() if (record := self._record(row, work)) is not None]
        for record in records:
            shape = with_fields(shape, base, record, self._limits)
        for record in records:
            shape = with_variants(shape, record, self._limits)
        return shape

    def _record(self, row: int, work: _Slice) -> Record | None:
        if row not in work.records:
            work.records[row] = None
            try:
                work.records[row] = self._document(work.values[row].as_py())
            except (NotJsonError, MisfitError) as error:
                work.bad[row] = str(error)
        return work.records[row]

    def _document(self, raw: bytes) -> Record:
        text = raw.removeprefix(json_text.BYTE_ORDER_MARK)
        document = document_of(text, NESTING_MAX) if text else None
        if not isinstance(document, dict):
            return {WHOLE: Whole(json_text.write(document))}
        record: Record = filled(self._declared, document) if self._defaults else document
        check_required(self._declared.fields, record)
        return record


def _columns(shape: Shape, rows: list[dict[str, object]]) -> list[pa.Array]:
    """One array a field; most fields may be in few rows."""
    found: dict[str, tuple[list[int], list[object]]] = {}
    for row, cells in enumerate(rows):
        for name, cell in cells.items():
            if name not in found:
                found[name] = [], []
            places, values = found[name]
            places.append(row)
            values.append(cell)
    return [_column(found.get(name), arrow_type(child), len(rows)) for name, child in shape.fields.items()]


def _column(found: tuple[list[int], list[object]] | None, kind: pa.DataType, rows: int) -> pa.Array:
    if found is None:
        return pa.nulls(rows, kind)
    places, values = found
    if len(values) == rows:
        return pa.array(values, kind)
    order, absent = np.zeros(rows, np.int64), np.ones(rows, bool)
    order[places], absent[places] = np.arange(len(values)), False
    return pa.array(values, kind).take(pa.array(order, mask=absent))


def _demanding(shape: Shape, declared: Shape) -> Shape:
    """The set's shape with the demands that `value.schema` makes of top-level fields."""
    required = [name for name, child in declared.fields.items() if child.required and child.default is None]
    if not required:
        return shape
    marked = {name: replace(shape.fields[name], required=True) for name in required if name in shape.fields}
    return replace(shape, fields={**shape.fields, **marked})


def _nothing(shape: Shape, rows: int) -> list[pa.Array]:
    return [pa.nulls(rows, arrow_type(child)) for child in shape.fields.values()]


def _grown(arrays: list[pa.Array], narrow: Shape, wide: Shape, rows: int) -> list[pa.Array] | None:
    """Turn columns of a shape into columns of a shape that grew from it; None where the rows have to be read again."""
    if wide is narrow:
        return arrays
    before = dict(zip(narrow.fields, arrays, strict=True))
    # A value that was kept as text for want of a column has one now.
    added = wide.fields.keys() - before.keys()
    if any(child.variant_of in added and before[name].null_count < rows for name, child in narrow.fields.items()):
        return None
    grown: list[pa.Array] = []
    for name, child in wide.fields.items():
        array = before.get(name)
        if array is not None and child is not narrow.fields[name]:
            try:
                array = fitted(array, narrow.fields[name], child)
            except pa.ArrowInvalid:
                array = None
            if array is None:
                return None
        grown.append(pa.nulls(rows, arrow_type(child)) if array is None else array)
    return grown
