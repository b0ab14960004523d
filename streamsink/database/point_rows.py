"""Points, column by column, into rows in key order: JSON that is written in bulk. Asks no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.database.points import Shape, Tags
from streamsink.database.protocol import RowBatch

_BETWEEN = b",\n  "
_NO_TEXT = pa.scalar(b"")
_NULL = pa.scalar(b"null")
HEADS_MAX = 100_000
"""Series whose tags are kept as JSON; with more, they are written again."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Some points, side by side.

    Attributes:
        times: Nanoseconds.
        tags: Of each point, in the order of `Shape.tags`; "" or None where it has none.
        fields: By column, in the order of `Shape.columns`; None where a point has none.
    """

    times: Sequence[int]
    tags: Sequence[tuple[str | None, ...]]
    fields: Mapping[str, Sequence[Any]]


class PointRows:
    """Makes rows of a shape's points.

    Args:
        shape: What the points have in common.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._heads: dict[Tags, tuple[bytes, bytes]] = {}

    def of(self, points: Columns, *, behind: tuple[int, Tags] | None = None) -> RowBatch:
        """Rows in key order, without points that have no field.

        Args:
            points: In any order.
            behind: Where rows begin; they are all behind it.
        """
        if not len(points.times):
            return RowBatch(pa.array([], pa.binary()), pa.array([], pa.binary()))
        known = {tags: tuple([tag or "" for tag in tags]) for tags in set(points.tags)}
        found = sorted(set(known.values()))
        places = {tags: place for place, tags in enumerate(found)}
        rank = {tags: places[held] for tags, held in known.items()}
        ranks = np.fromiter(map(rank.__getitem__, points.tags), np.int32, len(points.tags))
        heads = [self._head(tags) for tags in found]
        key_heads, value_heads = (pa.array(some, pa.binary()).take(ranks) for some in zip(*heads, strict=True))
        times = np.array(points.times, np.int64)
        at = pc.cast(pc.cast(pa.array(times), pa.string()), pa.binary())
        fields = self._fields(points.fields, len(times))
        keys = joined([b'{"time":', at, key_heads])
        values = joined([b'{"time":', at, value_heads, fields, b"}}"])
        chosen = self._chosen(times, ranks, found, fields, behind)
        return RowBatch(keys, values) if chosen is None else RowBatch(keys.take(chosen), values.take(chosen))

    def _fields(self, columns: Mapping[str, Sequence[Any]], count: int) -> pa.BinaryArray:
        """What stands between the braces of `fields`, for each point."""
        found = [(orjson.dumps(name) + b":", texts_of(columns[name])) for name in self._shape.columns]
        found = [(head, texts) for head, texts in found if texts.null_count < count]
        if not found:
            return pa.array([b""] * count, pa.binary())
        parts: list[pa.BinaryArray | bytes] = []
        for head, texts in found:
            named = [b"," + head, texts]
            parts += [pc.fill_null(joined(named), _NO_TEXT)] if texts.null_count else named
        # Whichever field is a point's first, it has a comma before it.
        return pc.ascii_ltrim(joined(parts).view(pa.string()), ",").view(pa.binary())

    def _chosen(
        self,
        times: npt.NDArray[np.int64],
        ranks: npt.NDArray[np.int32],
        found: Sequence[Tags],
        fields: pa.BinaryArray,
        behind: tuple[int, Tags] | None,
    ) -> npt.NDArray[np.int64] | None:
        """The points to take, in their order; None for all as they are."""
        steps = np.diff(times)
        chosen = None
        if not ((steps > 0) | ((steps == 0) & (np.diff(ranks) > 0))).all():
            chosen = np.lexsort((ranks, times))
        empty = pc.binary_length(fields).to_numpy(zero_copy_only=False) == 0
        if behind is not None or empty.any():
            taken = ~empty
            if behind is not None:
                later = np.array([tags > behind[1] for tags in found])[ranks]
                taken &= (times > behind[0]) | ((times == behind[0]) & later)
            chosen = np.arange(len(times)) if chosen is None else chosen
            chosen = chosen[taken[chosen]]
        return chosen

    def _head(self, tags: Tags) -> tuple[bytes, bytes]:
        """What stands behind the time in a key, and in a value."""
        head = self._heads.get(tags)
        if head is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            known = dict(zip(self._shape.tags, tags, strict=True))
            key = orjson.dumps({name: value or None for name, value in known.items()})[1:]
            value = orjson.dumps({name: value for name, value in known.items() if value})
            head = self._heads[tags] = b"," + key if len(key) > 1 else key, b',"tags":%s,"fields":{' % value
        return head


def texts_of(values: Sequence[Any]) -> pa.BinaryArray:
    """Each value as JSON; null where it is None, or a float that isn't finite.

    orjson writes them all at once, each on its own line: no text has a line break of its own in JSON.
    """
    told = orjson.dumps(values if isinstance(values, list | tuple) else list(values), option=orjson.OPT_INDENT_2)
    texts = pc.split_pattern(pa.array([told[4:-2]], pa.binary()), _BETWEEN).values
    if b"null" not in told:
        return texts
    return pc.if_else(pc.equal(texts, _NULL), pa.scalar(None, pa.binary()), texts)


def batched_rows(pieces: Iterable[RowBatch], batch_rows: int) -> Iterator[RowBatch]:
    """Gather rows into batches of one size. Only the last batch is smaller.

    Args:
        pieces: Rows in order.
        batch_rows: Rows of a batch.
    """
    waiting: list[RowBatch] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece.values)
        if count >= batch_rows:
            rows = _one(waiting)
            whole = count // batch_rows * batch_rows
            for start in range(0, whole, batch_rows):
                yield RowBatch(rows.keys.slice(start, batch_rows), rows.values.slice(start, batch_rows))
            waiting = [RowBatch(rows.keys.slice(whole), rows.values.slice(whole))]
            count -= whole
    if count:
        yield _one(waiting)


def _one(pieces: Sequence[RowBatch]) -> RowBatch:
    if len(pieces) == 1:
        return pieces[0]
    keys, values = [each.keys for each in pieces], [each.values for each in pieces]
    return RowBatch(pa.concat_arrays(keys), pa.concat_arrays(values))


def joined(parts: Sequence[pa.BinaryArray | bytes]) -> pa.BinaryArray:
    """Join parts side by side, row by row; null where one is."""
    told = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*told, _NO_TEXT)
