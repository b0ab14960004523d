"""Annotated CSV, as InfluxDB 2.x answers queries: records whose values have their types. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KINDS = {"double": "float", "long": "integer", "unsignedLong": "unsigned", "boolean": "boolean", "string": "string"}
"""Annotated CSV's names of types, and line protocol's."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table: its cells by column, and the type of `_value`, "" where there is none."""

    cells: Mapping[str, str]
    value: Any = None
    kind: str = ""


class QueryFailedError(Exception):
    """The server says in the middle of an answer that the query failed."""


def records(chunks: Iterable[bytes]) -> Iterator[Record]:
    """The records of an answer, as its bytes come.

    Raises:
        QueryFailedError: The answer ends with an error.
        ValueError: It is no annotated CSV.
    """
    kinds: list[str] = []
    names: list[str] = []
    for row in csv.reader(_lines(chunks), strict=True):
        if not row:
            names = []
        elif row[0].startswith("#"):
            kinds, names = (row[1:] if row[0] == "#datatype" else kinds), []
        elif "error" in names[:2]:
            raise QueryFailedError(" ".join(filter(None, row)))
        elif not names:
            # An error's table may come without annotations, and without the empty cell before them.
            names = row if row[0] == "error" else row[1:]
            if not kinds and "error" not in names:
                raise ValueError("names without annotations")
        else:
            yield _record(names, kinds, row[1:])


def _record(names: list[str], kinds: list[str], row: list[str]) -> Record:
    if len(row) != len(names) or len(kinds) != len(names):
        raise ValueError(f"a row of {len(row)} cells under {len(names)} names")
    cells = dict(zip(names, row, strict=True))
    if "_value" not in cells:
        return Record(cells)
    kind = KINDS.get(kinds[names.index("_value")], "")
    text = cells["_value"]
    return Record(cells, text if kind == "string" else _READ[kind](text) if kind and text else None, kind)


_READ: Mapping[str, Callable[[str], Any]] = {
    "float": float,
    "integer": int,
    "unsigned": int,
    "boolean": lambda text: text == "true",
}


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield (line + b"\n").decode()
    if rest:
        yield rest.decode()


def nanoseconds(text: str) -> int:
    """A time as annotated CSV has it, to the nanosecond.

    Raises:
        ValueError: It is none.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    since = datetime.fromisoformat(f"{found[1]}+00:00") - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + int((found[2] or "").ljust(9, "0"))


def rfc3339(time_ns: int) -> str:
    """A time as requests have it, to the nanosecond."""
    seconds, rest = divmod(time_ns, 10**9)
    days, seconds = divmod(seconds, 86_400)
    day = datetime.fromordinal(_EPOCH.toordinal() + days)
    return f"{day:%Y-%m-%d}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:09}Z"
