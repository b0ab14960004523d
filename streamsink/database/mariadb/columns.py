"""Chooses the form of a MariaDB column in a row's JSON, and its type in the archive. Pure: asks no server.

Each type is read in a form that loses nothing: integers as numbers, doubles with all digits, decimals and times as
MariaDB writes them, text by `charsets.py`, all else as base64 of its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from streamsink.database.mariadb.charsets import codec_of
from streamsink.database.protocol import Json
from streamsink.errors import TerminalError

DECIMAL_DIGITS_MAX = 38
"""More digits than an archive's decimal column holds; such a column is text."""


class Form(StrEnum):
    """The form of a column's values in a row's JSON."""

    INTEGER = "integer"
    BITS = "bits"
    NUMBER = "number"
    """An ENUM or SET by its number: one whose members' names can't tell its values apart."""
    REAL = "real"
    DECIMAL = "decimal"
    WORDS = "words"
    """ASCII that MariaDB writes and reads: dates, times, UUIDs, addresses."""
    TEXT = "text"
    BYTES = "bytes"


_FORMS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), Form.INTEGER),
    "bit": Form.BITS,
    **dict.fromkeys(("float", "double"), Form.REAL),
    "decimal": Form.DECIMAL,
    **dict.fromkeys(("date", "time", "datetime", "timestamp", "uuid", "inet4", "inet6"), Form.WORDS),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"), Form.TEXT),
    **dict.fromkeys(("enum", "set"), Form.TEXT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"), Form.BYTES),
    **dict.fromkeys(("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"), Form.BYTES),
    **dict.fromkeys(("multipolygon", "geometrycollection", "geomcollection"), Form.BYTES),
}
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "bigint": 64, "year": 16}
_MEMBER = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPED = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_TIMES = {"date": "Date", "datetime": "LocalTimestamp", "timestamp": "Timestamp"}
_SIZES = {"tinytext": 2**8, "tinyblob": 2**8, "text": 2**16, "blob": 2**16, "bit": 8}
_NUMBER_BYTES = 80
"""No number, time or address is longer."""
_UNSIGNED: Json = {"type": "int64", "name": "Unsigned"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        type: As MariaDB writes it: `decimal(12,2)`.
        form: How a row's JSON holds it.
        charset: Of text.
        generated: Whether the server makes its values, so that none are loaded.
    """

    name: str
    type: str
    form: Form
    charset: str = ""
    generated: bool = False

    @property
    def word(self) -> str:
        """The type's first word: `decimal`."""
        return re.split(r"[ (]", self.type, maxsplit=1)[0].lower()

    @property
    def codec(self) -> str:
        """Python's codec of text."""
        codec = codec_of(self.charset)
        assert codec is not None, "a column without codec is read as bytes"
        return codec

    @property
    def members(self) -> list[str]:
        """The members of an ENUM or SET, in their order."""
        return [_unescaped(member) for member in _MEMBER.findall(self.type)]

    def to_json(self) -> Json:
        """Put the column into the form that a table's structure has."""
        charset = {"charset": self.charset} if self.charset else {}
        generated = {"generated": True} if self.generated else {}
        return {"name": self.name, "type": self.type, "form": str(self.form), **charset, **generated}

    @classmethod
    def from_json(cls, document: Json) -> Column:
        """Make a column of the JSON that `to_json` gave."""
        return cls(
            name=document["name"],
            type=document["type"],
            form=Form(document["form"]),
            charset=document.get("charset", ""),
            generated=document.get("generated", False),
        )


def column_of(name: str, type_: str, charset: str | None, *, generated: bool) -> Column:
    """Choose the form in which a column is read.

    Args:
        name: The column's name.
        type_: `COLUMN_TYPE` of `information_schema.COLUMNS`, for example `int(10) unsigned`.
        charset: The column's character set; None for a column that holds no text.
        generated: Whether the server computes it, so that it is never written.

    Returns:
        The column with its form. A text whose character set Python lacks is read as bytes.

    Raises:
        TerminalError: Its type isn't known here.
    """
    column = Column(name, type_, Form.BYTES, charset or "", generated)
    form = _FORMS.get(column.word)
    if form is None:
        raise TerminalError(f"column {name} has the type {type_}, which is not known here", hint="leave its table out")
    if column.word in {"enum", "set"} and any(member == "" or "?" in member for member in column.members):
        form = Form.NUMBER
    elif form is Form.TEXT and codec_of(column.charset) is None:
        form = Form.BYTES
    return Column(name, type_, form, column.charset, generated)


def _unescaped(member: str) -> str:
    return re.sub(r"''|\\(.)", lambda found: _ESCAPED.get(found[1], found[1]) if found[1] else "'", member)


def quoted(name: str) -> str:
    """A name in SQL."""
    return "`" + name.replace("`", "``") + "`"


def expression(column: Column) -> str:
    """Write the SQL that selects the column so that the server's text of it is exact."""
    name = quoted(column.name)
    match column.form:
        case Form.NUMBER:
            return f"CAST({name} AS UNSIGNED)"
        case Form.REAL:
            # As it stands a FLOAT is sent with six digits, and FLOAT(10,2) with two behind the point.
            return f"{name}*1e0"
    return name


def widest(column: Column) -> int | None:
    """The most bytes that the server sends of a value; None where that may be any size."""
    length, _ = _digits(column.type)
    match column.word:
        case "char" | "varchar" | "vector":
            return 4 * length
        case "binary" | "varbinary":
            return length
        case "enum" | "set":
            return 4 * len(column.type)
        case word if word in _SIZES:
            return _SIZES[word]
        case _ if column.form in {Form.TEXT, Form.BYTES}:
            return None
    return _NUMBER_BYTES


def connect_type(column: Column) -> Json:
    """The column's type in the archive, in the words of a Connect schema."""
    known: Json = {"type": "string"}
    precision, scale = _digits(column.type)
    match column.form:
        case Form.INTEGER:
            known = _integer_type(column)
        case Form.BITS:
            known = {"type": "int64"} if precision < 64 else _UNSIGNED
        case Form.NUMBER:
            known = _UNSIGNED if column.word == "set" else {"type": "int32"}
        case Form.REAL:
            known = {"type": "double"}
        case Form.BYTES:
            known = {"type": "bytes"}
        case Form.DECIMAL if precision <= DECIMAL_DIGITS_MAX:
            known = _decimal_type(precision, scale)
        case Form.WORDS if column.word in _TIMES:
            # What no calendar has, such as 0000-00-00, goes to the text column beside it.
            known = {"type": "string", "name": _TIMES[column.word]}
    return known


def _integer_type(column: Column) -> Json:
    bits = _BITS[column.word]
    if "unsigned" in column.type and column.word != "year":
        bits = bits * 2 if column.word != "mediumint" else bits
    return {"type": f"int{bits}"} if bits <= 64 else _UNSIGNED


def _decimal_type(precision: int, scale: int) -> Json:
    parameters = {"scale": str(scale), "connect.decimal.precision": str(precision)}
    return {"type": "string", "name": "Decimal", "parameters": parameters}


def _digits(type_: str) -> tuple[int, int]:
    """The numbers in a type's brackets; 1 and 0 without."""
    found = re.search(r"\((\d+)(?:,(\d+))?\)", type_)
    return (int(found[1]), int(found[2] or 0)) if found else (1, 0)


def value_schema(columns: Sequence[Column]) -> Json:
    """The `value.schema` of a table's rows."""
    fields = [{"field": column.name, "optional": True, **connect_type(column)} for column in columns]
    return {"type": "struct", "fields": fields}
