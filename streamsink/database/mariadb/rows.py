"""Makes JSON rows of the server's rows, column by column. Numbers and times are the server's text. No I/O.

A row's text is joined from its cells' texts by Arrow; only what has to be escaped, recoded or put into base64 is
touched cell by cell.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.database.mariadb.charsets import UTF_8, texts
from streamsink.database.mariadb.columns import Column, Form, expression, quoted, widest
from streamsink.database.mariadb.literals import behind
from streamsink.database.mariadb.structure import columns_of
from streamsink.database.protocol import RowBatch, Table

PAGE_BYTES = 8 << 20
"""About so much is read at once, however many rows were asked for."""

BURST_BYTES = 32 << 20
"""No page is larger, even where all its rows are as long as their columns allow."""

BURST_ROWS = 250
"""Where so few rows could already be larger than that, bytes are counted as rows come."""

Cells = Sequence[bytes | None]

CELL_BYTES = 60
"""What a cell takes in Python beside its bytes."""

_QUOTE, _BACKSLASH, _SPACE = ord('"'), ord("\\"), ord(" ")


class TableReader:
    """Reads rows of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = columns_of(table.structure)
        names = [column.name for column in self._columns]
        self._keys = [names.index(name) for name in table.key]
        widths = [widest(column) for column in self._columns]
        held = CELL_BYTES * len(widths) + sum(width or 0 for width in widths)
        self._rows_max = BURST_BYTES // held
        self.bounded = None not in widths and self._rows_max >= BURST_ROWS
        """Whether a page may be asked for by its number of rows alone."""

    def page_rows(self, row_bytes: int, batch_rows: int) -> int:
        """Compute how many rows to ask for, so that a page fits into `PAGE_BYTES`.

        Args:
            row_bytes: Bytes of a mean row, as the server counts them.
            batch_rows: Rows at most.

        Returns:
            1 at least.
        """
        held = row_bytes + CELL_BYTES * len(self._columns)
        return max(1, min(batch_rows, PAGE_BYTES // held, self._rows_max if self.bounded else batch_rows))

    def parts(self, rows: Iterator[Cells], most: int) -> Iterator[list[Cells]]:
        """Cut rows into parts, each ended by the row that makes it larger than a page.

        Args:
            rows: As they come from the server.
            most: The most rows that a part has.
        """
        some: list[Cells] = []
        size = 0
        for row in rows:
            some.append(row)
            size += CELL_BYTES * len(row) + sum(map(len, filter(None, row)))
            if size >= PAGE_BYTES or len(some) == most:
                yield some
                some, size = [], 0
        if some:
            yield some

    def select(self, after: bytes | None) -> str:
        """The statement for all rows behind a key."""
        chosen = ", ".join(expression(column) for column in self._columns)
        keys = [self._columns[place] for place in self._keys]
        where = "" if after is None else f" WHERE {behind(keys, after)}"
        order = ", ".join(quoted(column.name) for column in keys)
        return f"SELECT {chosen} FROM {quoted(self._table.name)}{where}" + (f" ORDER BY {order}" if order else "")

    def batch(self, cells: Sequence[Sequence[bytes | None]]) -> RowBatch:
        """Make JSON rows."""
        by_column = zip(self._columns, zip(*cells, strict=True), strict=True)
        parts = [_Part(column.name, *fragments(column, column_cells)) for column, column_cells in by_column]
        keys = _objects([parts[place] for place in self._keys]) if self._keys else pa.nulls(len(cells), pa.binary())
        return RowBatch(keys, _objects(parts))


@dataclass(frozen=True, slots=True)
class _Part:
    """A column's texts, and whether they still lack quotes."""

    name: str
    texts: pa.BinaryArray
    bare: bool


def _objects(parts: Sequence[_Part]) -> pa.BinaryArray:
    """JSON objects of columns' texts."""
    pieces: list[pa.Array | pa.Scalar] = []
    before = b"{"
    for part in parts:
        before += orjson.dumps(part.name) + b":"
        cells = part.texts
        if part.bare and not cells.null_count:
            pieces += [_scalar(before + b'"'), cells]
            before = b'",'
            continue
        if part.bare:
            cells = pc.binary_join_element_wise(_scalar(b'"'), cells, _scalar(b'"'), _scalar(b""))
        pieces += [_scalar(before), cells.fill_null(b"null") if cells.null_count else cells]
        before = b","
    end = before.removesuffix(b",") + b"}"
    return pc.binary_join_element_wise(*pieces, _scalar(end), _scalar(b""))


def _scalar(text: bytes) -> pa.Scalar:
    return pa.scalar(text, pa.binary())


def fragments(column: Column, cells: Cells) -> tuple[pa.BinaryArray, bool]:
    """The JSON of a column's cells.

    Args:
        column: Whose they are.
        cells: As the server sends what `expression` selects.

    Returns:
        The texts, null where a cell is, and whether quotes have to be put around them.
    """
    match column.form:
        case Form.INTEGER if "zerofill" in column.type or column.word == "year":
            return _array([None if cell is None else b"%d" % int(cell) for cell in cells]), False
        case Form.BITS:
            return _array([None if cell is None else b"%d" % int.from_bytes(cell, "big") for cell in cells]), False
        case Form.INTEGER | Form.NUMBER | Form.REAL:
            return _array(cells), False
        case Form.BYTES:
            return _array([None if cell is None else b64encode(cell) for cell in cells]), True
        case Form.TEXT:
            return _texts(column, cells)
    return _array(cells), True


def _texts(column: Column, cells: Cells) -> tuple[pa.BinaryArray, bool]:
    if column.codec == UTF_8:
        array = _array(cells)
        if _is_plain(array):
            return array, True
    dumps = orjson.dumps
    return _array([None if text is None else dumps(text) for text in texts(cells, column.codec)]), False


def _is_plain(array: pa.BinaryArray) -> bool:
    """Whether texts are UTF-8 with nothing that JSON escapes."""
    _, _, data = array.buffers()
    if data is None or not data.size:
        return True
    seen = np.frombuffer(data, np.uint8)
    if bool(((seen < _SPACE) | (seen == _QUOTE) | (seen == _BACKSLASH)).any()):
        return False
    try:
        array.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _array(cells: Cells) -> pa.BinaryArray:
    return pa.array(cells, pa.binary())
