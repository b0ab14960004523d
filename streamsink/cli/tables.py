"""Tables for people: side by side where the terminal is wide enough, else less of them, or lines for each row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

PIPE_COLUMNS = 200
"""How wide a table may be where stdout is no terminal."""
WIDEST = 100_000
"""No table is as wide: the bound within which its own width is measured."""
_MARKS = ">~?"


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its cells, and what may become of it where the table is too wide."""

    name: str
    mark: str
    cells: tuple[RenderableType, ...]

    @property
    def shown(self) -> bool:
        """Whether a cell of it says anything."""
        return any(map(str, self.cells))

    @property
    def alike(self) -> bool:
        """Whether it says the same in each of several rows."""
        return len(self.cells) > 1 and "~" not in self.mark and len(set(map(str, self.cells))) == 1


@dataclass(slots=True)
class _Narrower:
    """A table on its way to fit: the columns that stay, and what is told around them."""

    columns: list[_Column]
    alike: list[_Column] = field(default_factory=list)
    beneath: _Column | None = None
    left_out: list[str] = field(default_factory=list)

    def table(self) -> Table:
        """What is side by side."""
        made = new_table(*(column.mark + column.name for column in self.columns))
        for row in zip(*(column.cells for column in self.columns), strict=True):
            made.add_row(*row)
        return made


class MarkedTable(Table):
    """A table that remembers how its columns were marked."""

    marks: Sequence[str] = ()


def new_table(*columns: str) -> MarkedTable:
    """A table; marks before a column's name say how it stands, and what becomes of it where there is no room.

    Args:
        columns: Their names. `>` puts a column to the right, `~` tells it beneath a table that is too wide, and `?`
            leaves it out of one.
    """
    table = MarkedTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.marks = [column[: len(column) - len(column.lstrip(_MARKS))] for column in columns]
    for column, mark in zip(columns, table.marks, strict=True):
        table.add_column(column[len(mark) :], justify="right" if ">" in mark else "left", overflow="fold")
    return table


def print_table(table: MarkedTable, *, columns: int | None = None) -> None:
    """A table on stdout.

    Where it is too wide: what columns say alike in all rows stands above it, reasons stand beneath it, what can be done
    without is left out. If that is not enough, it is printed row by row, each column on a separate line.

    Args:
        table: Made by `new_table`; its cells are texts.
        columns: How wide it may be; None asks the terminal.
    """
    width = columns or (None if sys.stdout.isatty() else PIPE_COLUMNS)
    console = Console(width=width, markup=False, highlight=False, soft_wrap=False)
    if len(table.columns) < 3 or _fits(console, table):
        console.print(table)
        return
    whole = [
        _Column(str(column.header), mark, tuple(column.cells))
        for column, mark in zip(table.columns, table.marks, strict=True)
    ]
    narrower = _narrowed(console, whole)
    if narrower is None:
        _print_rows(console, whole)
    else:
        _print_narrower(console, narrower)


def _fits(console: Console, table: Table) -> bool:
    return Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum <= console.width


def _narrowed(console: Console, whole: Sequence[_Column]) -> _Narrower | None:
    """As much of a table as fits; None where too little would be left."""
    told = _Narrower([column for column in whole if column.shown])
    if _fits(console, told.table()):
        return told
    for column in [one for one in told.columns if "~" in one.mark]:
        told.columns.remove(column)
        told.beneath = column
    _take_out(console, told, [one for one in told.columns if one.alike and not one.mark], told.alike.append)
    needless = [one for one in reversed(told.columns) if "?" in one.mark]
    _take_out(console, told, needless, lambda column: told.left_out.insert(0, column.name))
    _take_out(console, told, [one for one in told.columns if one.alike], told.alike.append)
    return told if len(told.columns) > 1 and _fits(console, told.table()) else None


def _take_out(console: Console, told: _Narrower, columns: Sequence[_Column], keep: Callable[[_Column], object]) -> None:
    """Take columns out of a table, one by one until it fits; each is kept for what is told around it."""
    for column in columns:
        if _fits(console, told.table()):
            return
        told.columns.remove(column)
        keep(column)


def _print_narrower(console: Console, told: _Narrower) -> None:
    if told.alike:
        console.print("in each row: " + ", ".join(f"{column.name} {column.cells[0]}" for column in told.alike))
    console.print(told.table())
    if told.beneath is not None:
        for name, note in zip(told.columns[0].cells, told.beneath.cells, strict=True):
            if str(note):
                console.print(f"{name}: {note}")
    if told.left_out:
        console.print(f"a wider terminal shows: {', '.join(told.left_out)}")


def _print_rows(console: Console, columns: Sequence[_Column]) -> None:
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            console.print()
        lines = Table.grid(padding=(0, 2))
        for column, cell in zip(columns, row, strict=True):
            if cell:
                lines.add_row(column.name, cell)
        lines.columns[1].overflow = "fold"
        console.print(lines)
