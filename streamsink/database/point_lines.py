"""Rows of points into line protocol, column by column: InfluxDB's way in, 1.x and 2.x. Asks no server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.database.point_rows import HEADS_MAX, joined, texts_of
from streamsink.database.points import Shape
from streamsink.errors import TerminalError

WRITE_BYTES = 4_000_000
"""Of one write; servers take 25 MB unless told otherwise."""
_UNWRITABLE = re.compile(r"\\(?:[,= ]|$)|[\n\r]|^$")
_MEASUREMENT = re.compile(r"([, ])")
_NAME = re.compile(r"([,= ])")
_BACKSLASHED = r"\\\1"
_NO_TEXT = pa.scalar(b"")


@dataclass(frozen=True, slots=True)
class Lines:
    """Points in line protocol.

    Attributes:
        texts: One line each, without its end.
        times: Nanoseconds.
    """

    texts: pa.BinaryArray
    times: npt.NDArray[np.int64]

    def bodies(self, cuts: Iterable[int] = ()) -> Iterator[bytes]:
        """Lines joined into bodies of writes.

        Args:
            cuts: The lines that begin a body, whatever the size of the one before.
        """
        ends = np.cumsum(np.asarray(pc.binary_length(self.texts), np.int64) + 1)
        for start, stop in pairwise([0, *cuts, len(self.texts)]):
            at = start
            while at < stop:
                before = ends[at - 1] if at else 0
                end = min(int(np.searchsorted(ends, before + WRITE_BYTES)) + 1, stop)
                yield b"\n".join(self.texts.slice(at, end - at).to_pylist())
                at = end


class PointLines:
    """Writes rows of a shape's points as lines.

    Args:
        shape: What the points have in common.

    Raises:
        TerminalError: A name has no form in line protocol.
    """

    def __init__(self, shape: Shape) -> None:
        self._measurement = _escaped(shape.measurement, _MEASUREMENT)
        self._columns = [
            (name, f",{_escaped(column.field)}=".encode(), column.kind) for name, column in shape.columns.items()
        ]
        self._known = set(shape.columns)
        self._heads: dict[bytes, bytes] = {}

    def of(self, values: pa.BinaryArray) -> Lines:
        """Lines of rows' values, in their order.

        Raises:
            TerminalError: A tag has no form in line protocol, or the shape lacks a field.
        """
        if not len(values):
            return Lines(pa.array([], pa.binary()), np.array([], np.int64))
        told = orjson.loads(b"[%s]" % b",".join(values.to_pylist()))
        held: list[Mapping[str, Any]] = [row["fields"] for row in told]
        if not self._known.issuperset(chain.from_iterable(held)):
            raise TerminalError("a point has a field that its table lacks", hint="take the snapshot anew")
        times = np.array([row["time"] for row in told], np.int64)
        at = pc.cast(pc.cast(pa.array(times), pa.string()), pa.binary())
        heads = pa.array([self._head(row["tags"]) for row in told], pa.binary())
        return Lines(joined([heads, self._fields(held), b" ", at]), times)

    def _fields(self, held: Sequence[Mapping[str, Any]]) -> pa.BinaryArray:
        parts: list[pa.BinaryArray | bytes] = [pa.array([b""] * len(held), pa.binary())]
        for name, head, kind in self._columns:
            texts = _written([fields.get(name) for fields in held], kind)
            if texts.null_count < len(texts):
                parts.append(pc.fill_null(joined([head, texts]), _NO_TEXT))
        # Whichever field is a point's first, it has a comma before it.
        return pc.ascii_ltrim(joined(parts).view(pa.string()), ",").view(pa.binary())

    def _head(self, tags: Mapping[str, str] | None) -> bytes:
        key = orjson.dumps(tags)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            pairs = [f"{_escaped(name)}={_escaped(tag)}" for name, tag in sorted((tags or {}).items()) if tag]
            head = self._heads[key] = (",".join([self._measurement, *pairs]) + " ").encode()
        return head


def _escaped(text: str, signs: re.Pattern[str] = _NAME) -> str:
    if _UNWRITABLE.search(text):
        raise TerminalError(
            f"{text!r} has no form in line protocol, InfluxDB's only way in",
            hint="a line break, or a backslash before a comma, space, equals sign or the end, can't be written: "
            "restore the other tables with --table",
        )
    return signs.sub(_BACKSLASHED, text)


def _written(values: list[Any], kind: str) -> pa.BinaryArray:
    """Values of a field in line protocol; null where a point has none."""
    if kind == "string":
        texts = pc.replace_substring(pa.array(values, pa.string()), "\\", "\\\\")
        return joined([b'"', pc.replace_substring(texts, '"', '\\"').view(pa.binary()), b'"'])
    if kind == "float" and int in set(map(type, values)):
        values = [None if value is None else float(value) for value in values]
    texts = texts_of(values)
    return joined([texts, b"i" if kind == "integer" else b"u"]) if kind in {"integer", "unsigned"} else texts
