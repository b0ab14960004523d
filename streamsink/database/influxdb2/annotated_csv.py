"""Annotated CSV, as InfluxDB 2.x answers queries, read column by column: values in their types. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

KINDS = {"double": "float", "long": "integer", "unsignedLong": "unsigned", "boolean": "boolean", "string": "string"}
"""Annotated CSV's names of types, and line protocol's."""
PORTION_BYTES = 1024 * 1024
"""Of an answer that are read together."""
_ARROW = {"float": pa.float64(), "integer": pa.int64(), "unsigned": pa.uint64()}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARSED = arrow_csv.ParseOptions(newlines_in_values=True)
_LINE_END, _QUOTE, _COMMA = b'\n",'
_HEADS_KEPT = 256
_UNREAD = frozenset({"result", "table", "_start", "_stop", "_measurement"})


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that have the same columns, of one table or of several.

    Attributes:
        cells: Texts by column, those apart that say nothing of a point; "" stands for a missing one as well.
        kind: The type of `_value`; "" where there is none, or one that points can't have.
        values: `_value` in its type, null where it is missing. A missing text is an empty one.
        times: `_time` in nanoseconds; none where there is no such column.
    """

    cells: Mapping[str, pa.StringArray]
    kind: str
    values: pa.Array
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.values)

    def texts(self, name: str) -> list[str]:
        """A column's cells."""
        texts: list[str] = self.cells[name].to_pylist()
        return texts


class QueryFailedError(Exception):
    """The server says in the middle of an answer that the query failed."""


def tables(chunks: Iterable[bytes]) -> Iterator[Rows]:
    """The rows of an answer, as its bytes come. Those with the same columns come together, in no certain order.

    Raises:
        QueryFailedError: The answer ends with an error.
        UnicodeDecodeError: A text isn't UTF-8.
        ValueError: It is no annotated CSV.
    """
    state = _State()
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= PORTION_BYTES:
            data = b"".join(waiting)
            ends = _record_ends(data)
            whole = int(ends[-1]) if len(ends) else 0
            yield from state.read(data[:whole], ends)
            waiting, size = [data[whole:]], len(data) - whole
    data = b"".join(waiting)
    ends = _record_ends(data)
    if len(data) > (ends[-1] if len(ends) else 0):
        ends = np.append(ends, len(data))
    yield from state.read(data, ends)


@dataclass(slots=True)
class _State:
    """What annotations and names say of the rows behind them."""

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    waiting: dict[tuple[tuple[str, ...], tuple[str, ...]], list[bytes]] = field(default_factory=dict)

    def read(self, data: bytes, ends: npt.NDArray[np.int64]) -> Iterator[Rows]:
        """Rows of whole records, given where each ends."""
        if not len(ends):
            return
        data.decode()
        starts = np.concatenate(([0], ends[:-1]))
        # What a row has first is the empty cell of annotations.
        marks = np.flatnonzero(np.frombuffer(data, np.uint8)[starts] != _COMMA)
        at = 0
        for mark in [*marks.tolist(), len(starts)]:
            if at < mark and not self.names:
                self._mark(data[starts[at] : ends[at]])
                at += 1
            if at < mark:
                self._take(data[starts[at] : ends[mark - 1]])
            if mark < len(starts):
                self._mark(data[starts[mark] : ends[mark]])
            at = mark + 1
        waiting, self.waiting = self.waiting, {}
        for (names, kinds), records in waiting.items():
            yield _rows(names, kinds, b"".join(records))

    def _mark(self, record: bytes) -> None:
        """Take what is no row, or none that is known for one."""
        cells = _cells(record)
        if not cells:
            self.names = ()
        elif cells[0].startswith("#"):
            self.kinds, self.names = (cells[1:] if cells[0] == "#datatype" else self.kinds), ()
        elif self.names:
            self._take(record)
        else:
            # An error's table may come without annotations, and without the empty cell before them.
            self.names = cells if cells[0] == "error" else cells[1:]
            if not self.kinds and "error" not in self.names:
                raise ValueError("names without annotations")

    def _take(self, records: bytes) -> None:
        if "error" in self.names[:2]:
            raise QueryFailedError(" ".join(filter(None, _cells(records))))
        self.waiting.setdefault((self.names, self.kinds), []).append(records)


def _rows(names: tuple[str, ...], kinds: tuple[str, ...], records: bytes) -> Rows:
    if len(kinds) != len(names):
        raise ValueError(f"{len(kinds)} types for {len(names)} names")
    numbers = [str(number) for number in range(len(names) + 1)]
    wanted = {name: number for name, number in zip(names, numbers[1:], strict=True) if name not in _UNREAD}
    read = arrow_csv.read_csv(
        pa.BufferReader(records),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(records) + 1, column_names=numbers),
        _PARSED,
        arrow_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(numbers, pa.string()),
            include_columns=list(wanted.values()),
            strings_can_be_null=False,
        ),
    )
    cells = {name: column.combine_chunks() for name, column in zip(wanted, read.columns, strict=True)}
    kind = KINDS.get(dict(zip(names, kinds, strict=True)).get("_value", ""), "")
    values = _values(cells["_value"], kind) if kind else pa.nulls(len(read))
    return Rows(cells, kind, values, _times(cells["_time"]) if "_time" in cells else np.array([], np.int64))


def _values(texts: pa.StringArray, kind: str) -> pa.Array:
    """Values in their type. The server writes a carriage return before a text's line breaks, and leaves out others."""
    if kind == "string":
        return pc.replace_substring(texts, "\r\n", "\n")
    known = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    return pc.equal(known, "true") if kind == "boolean" else pc.cast(known, _ARROW[kind])


def _times(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    try:
        return np.asarray(pc.cast(texts, pa.timestamp("ns", "UTC")).view(pa.int64()))
    except pa.ArrowInvalid:
        # Arrow refuses the first second that nanoseconds can tell as well.
        return np.array([nanoseconds(text) for text in texts.to_pylist()], np.int64)


def _record_ends(data: bytes) -> npt.NDArray[np.int64]:
    """Where records end: behind line breaks that don't stand in quotes."""
    signs = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(signs == _LINE_END)
    if _QUOTE in data:
        quotes = np.flatnonzero(signs == _QUOTE)
        breaks = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return breaks + 1


@lru_cache(_HEADS_KEPT)
def _cells(record: bytes) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([record.decode()], strict=True), ()))
    except csv.Error as error:
        raise ValueError(str(error)) from error


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
