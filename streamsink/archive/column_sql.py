"""Writes a view over a topic's Parquet objects that joins each column with its variants again. Pure: text only.

A column without variants stays as it is. One of integers with a variant of doubles becomes a double. Any other becomes
text: strings as they are, all else as JSON has it. Inside structs the same is done, but for Athena, whose structs need
types; inside lists nothing is. A column's values that only `_rest` has room for are taken from there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from streamsink.archive.columns import ITEMS, Column, TopicColumns
from streamsink.record import ENVELOPE, REST

_PLAIN_NAME = re.compile(r"\w+", re.ASCII)
_NUMBERS = {"int8", "int16", "int32", "int64", "float", "double"}


class Dialect(StrEnum):
    """Whose SQL a view is written in."""

    DUCKDB = "duckdb"
    ATHENA = "athena"
    SPARK = "spark"


@dataclass(frozen=True, slots=True)
class _Words:
    """What dialects say differently; `{}` is an expression or a place."""

    quote: str
    text: str
    double: str
    nested: str
    view: str
    source: str
    rest: str
    struct: str
    field: str


_WORDS = {
    Dialect.DUCKDB: _Words(
        '"',
        "CAST({} AS VARCHAR)",
        "CAST({} AS DOUBLE)",
        "CAST(to_json({}) AS VARCHAR)",
        "CREATE OR REPLACE VIEW",
        "read_parquet({}, union_by_name = true)",
        "json_extract_string({}, '/{}')",
        "struct_pack({})",
        "{} := {}",
    ),
    Dialect.ATHENA: _Words(
        '"',
        "CAST({} AS VARCHAR)",
        "CAST({} AS DOUBLE)",
        "json_format(CAST({} AS JSON))",
        "CREATE OR REPLACE VIEW",
        "{}",
        "COALESCE(json_extract_scalar({0}, '$.{1}'), json_format(json_extract({0}, '$.{1}')))",
        "",
        "",
    ),
    Dialect.SPARK: _Words(
        "`",
        "CAST({} AS STRING)",
        "CAST({} AS DOUBLE)",
        "to_json({})",
        "CREATE OR REPLACE TEMPORARY VIEW",
        "parquet.{}",
        "get_json_object({}, '$.{}')",
        "named_struct({})",
        "'{}', {}",
    ),
}


def view(found: TopicColumns, dialect: Dialect, place: str) -> str:
    """The statement that makes the view, called `<topic>_joined`, its dots and dashes underscores.

    Args:
        found: The topic's columns.
        dialect: The engine whose SQL it is.
        place: The topic's folder as a URL or path; Athena has a table there, called as the topic too.

    Returns:
        One statement, with its semicolon.
    """
    words = _WORDS[dialect]
    name = "".join(sign if sign.isalnum() else "_" for sign in found.topic)
    lines = ",\n    ".join([_quoted(words, ENVELOPE), *_columns(found.columns, words)])
    source = _source(words, dialect, name, place)
    return f"{words.view} {_quoted(words, f'{name}_joined')} AS\nSELECT\n    {lines}\nFROM {source};"


def _source(words: _Words, dialect: Dialect, name: str, place: str) -> str:
    match dialect:
        case Dialect.DUCKDB:
            escaped = place.replace("'", "''")
            return words.source.format(f"'{escaped}/**/*.parquet'")
        case Dialect.SPARK:
            return words.source.format(_quoted(words, place))
    return words.source.format(_quoted(words, name))


def _columns(columns: Sequence[Column], words: _Words) -> list[str]:
    made = []
    for name, cell in _members((), "", columns, words):
        own = _quoted(words, name)
        made.append(own if cell == own else f"{cell} AS {own}")
    return made


def _members(above: tuple[str, ...], place: str, columns: Sequence[Column], words: _Words) -> list[tuple[str, str]]:
    """The columns of one level by name, each with the expression that joins its variants."""
    here = [column for column in columns if column.path[:-1] == above and above != (REST,)]
    variants: dict[str, list[Column]] = {}
    for column in here:
        if _is_variant(column):
            assert column.variant_of is not None
            variants.setdefault(column.variant_of, []).append(column)
    rest = {column.path[1] for column in columns if not above and column.path[:1] == (REST,) and column.variant_of}
    made: dict[str, str] = {}
    for column in here:
        base = column.variant_of if _is_variant(column) else column.path[-1]
        assert base is not None
        if base not in made:
            own = [other for other in here if other.path[-1] == base and not _is_variant(other)]
            cells = [(other, _cell(other, place, columns, words)) for other in [*own, *variants.get(base, [])]]
            made[base] = _joined(cells, _rest(base, words) if base in rest else "", words)
    return list(made.items())


def _is_variant(column: Column) -> bool:
    """Whether a column belongs to another: that of values which are no objects doesn't."""
    told = column.variant_of
    return told is not None and column.path[-1].startswith(f"{told}__") and column.path[-1] != REST


def _cell(column: Column, place: str, columns: Sequence[Column], words: _Words) -> str:
    """A column's values; a struct with variants inside becomes a struct of the joined values."""
    name = _quoted(words, column.path[-1])
    cell = f"({place}).{name}" if place else name
    inside = [other for other in columns if other.path[: len(column.path)] == column.path and ITEMS not in other.path]
    if not words.struct or column.types != ["struct"] or not any(map(_is_variant, inside[1:])):
        return cell
    members = [
        words.field.format(_field_name(member, words), joined)
        for member, joined in _members(column.path, cell, columns, words)
    ]
    return f"CASE WHEN {cell} IS NULL THEN NULL ELSE {words.struct.format(', '.join(members))} END"


def _field_name(name: str, words: _Words) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'") if "'" in words.field else _quoted(words, name)


def _rest(name: str, words: _Words) -> str:
    """A column's values among the fields that have no place; "" for names that a path can't say everywhere."""
    return words.rest.format(_quoted(words, REST), name) if _PLAIN_NAME.fullmatch(name) else ""


def _joined(cells: Sequence[tuple[Column, str]], rest: str, words: _Words) -> str:
    if len(cells) == 1 and not rest:
        return cells[0][1]
    kinds = {kind for column, _ in cells for kind in column.types}
    numbers = (
        not rest
        and kinds <= _NUMBERS
        and "int64" in cells[0][0].types
        and not any("int64" in column.types for column, _ in cells[1:])
    )
    told = [words.double.format(cell) if numbers else _as_text(column, cell, words) for column, cell in cells]
    return f"COALESCE({', '.join([*told, *([rest] if rest else [])])})"


def _as_text(column: Column, cell: str, words: _Words) -> str:
    if set(column.types) <= {"string", "json"}:
        return cell
    nested = any("struct" in kind or "list" in kind for kind in column.types)
    return (words.nested if nested else words.text).format(cell)


def _quoted(words: _Words, name: str) -> str:
    return f"{words.quote}{name.replace(words.quote, words.quote * 2)}{words.quote}"
