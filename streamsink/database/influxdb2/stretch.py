"""Puts a stretch's values together into points, column by column: the server tells fields one after another. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.database.influxdb2.annotated_csv import Rows
from streamsink.database.point_rows import Columns
from streamsink.database.points import Shape, Tags
from streamsink.errors import TerminalError

_NO_TAGS = frozenset({"_time", "_value", "_field"})
_PLACES_MAX = 2**62

Numbers = npt.NDArray[np.int64]


class Stretch:
    """The values of a stretch of time.

    Args:
        shape: The measurement. Tags and fields that it lacks were written after it was looked at, and are left out.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._columns = {(column.field, column.kind): name for name, column in shape.columns.items()}
        self._fields = {column.field for column in shape.columns.values()}
        self._series: dict[Tags, int] = {}
        self._parts: dict[str, list[tuple[Numbers, Numbers, pa.Array]]] = {name: [] for name in shape.columns}
        self.count = 0
        """Values that were added, those that were left out among them."""

    def add(self, rows: Rows) -> None:
        """Take rows in.

        Raises:
            TerminalError: A field has another type than the shape says.
        """
        self.count += len(rows)
        known = self._known(rows)
        fields = rows.cells["_field"].dictionary_encode()
        codes = np.asarray(fields.indices)
        series = self._series_of(rows)
        for code, chosen in _apart(codes if known is None else codes[known], known):
            field = fields.dictionary[code].as_py()
            if field in self._fields:
                part = rows.times[chosen], series[chosen], rows.values.take(chosen)
                self._parts[self._column(field, rows.kind)].append(part)

    def _column(self, field: str, kind: str) -> str:
        name = self._columns.get((field, kind))
        if name is None:
            raise TerminalError(
                f"reading {self._shape.measurement}: the field {field} is {kind} there, and has another type elsewhere",
                hint="take the snapshot again; if this stays, delete the points of one of both types",
            )
        return name

    def _known(self, rows: Rows) -> Numbers | None:
        """The rows without a tag that the shape lacks; None for all."""
        found = None
        for name in rows.cells.keys() - _NO_TAGS - set(self._shape.tags):
            empty = np.asarray(pc.equal(rows.cells[name], ""))
            found = empty if found is None else found & empty
        return None if found is None or found.all() else np.flatnonzero(found)

    def _series_of(self, rows: Rows) -> Numbers:
        """The number of each row's series."""
        tags = [rows.cells.get(name) for name in self._shape.tags]
        mixed = np.zeros(len(rows), np.int64)
        most = 1
        for cells in tags:
            if cells is not None:
                coded = cells.dictionary_encode()
                if most * len(coded.dictionary) > _PLACES_MAX:
                    mixed = np.unique(mixed, return_inverse=True)[1]
                    most = len(mixed)
                mixed = mixed * len(coded.dictionary) + np.asarray(coded.indices)
                most *= len(coded.dictionary)
        _, firsts, places = np.unique(mixed, return_index=True, return_inverse=True)
        held = [[""] * len(firsts) if cells is None else cells.take(firsts).to_pylist() for cells in tags]
        names: list[Tags] = list(zip(*held, strict=True)) or [()] * len(firsts)
        numbers = np.array([self._series.setdefault(one, len(self._series)) for one in names], np.int64)
        return numbers[places]

    def points(self) -> Columns:
        """All points, in key order."""
        names = sorted(self._series)
        rank = np.empty(len(names), np.int64)
        rank[[self._series[name] for name in names]] = np.arange(len(names))
        found = {
            name: tuple(map(np.concatenate, zip(*((t, s) for t, s, _ in parts), strict=True)))
            for name, parts in self._parts.items()
            if parts
        }
        if not found:
            return Columns([], [], {name: [] for name in self._shape.columns})
        keys = _Keys([times for times, _ in found.values()], len(names))
        placed = {name: keys.of(times, rank[series]) for name, (times, series) in found.items()}
        places = keys.places(list(placed.values()))
        fields = {
            name: _laid(placed[name], places, pa.concat_arrays([values for *_, values in self._parts[name]]))
            if name in placed
            else [None] * len(places)
            for name in self._shape.columns
        }
        times, ranks = keys.apart(places)
        return Columns(times.tolist(), [names[at] for at in ranks.tolist()], fields)


class _Keys:
    """Time and series in one number each, in the order of both."""

    def __init__(self, times: list[Numbers], series: int) -> None:
        self._series = series
        first, last = (int(edge(list(map(edge, times)))) for edge in (np.min, np.max))
        self._first = first
        self._times = np.unique(np.concatenate(times)) if (last - first + 1) * series > _PLACES_MAX else None

    def of(self, times: Numbers, ranks: Numbers) -> Numbers:
        """The keys of values."""
        at = times - self._first if self._times is None else np.searchsorted(self._times, times)
        return at * self._series + ranks

    def places(self, keys: list[Numbers]) -> Numbers:
        """All keys, sorted, each once. Most fields have those of the first."""
        return np.unique(np.concatenate([keys[0], *(one for one in keys[1:] if not np.array_equal(one, keys[0]))]))

    def apart(self, keys: Numbers) -> tuple[Numbers, Numbers]:
        """Times, and places of series."""
        at, ranks = np.divmod(keys, self._series)
        return (at + self._first if self._times is None else self._times[at]), ranks


def _laid(keys: Numbers, places: Numbers, values: pa.Array) -> list[object]:
    """Values where their points are; None where a point has none."""
    if not np.array_equal(keys, places):
        sources = np.full(len(places), -1, np.int64)
        sources[np.searchsorted(places, keys)] = np.arange(len(keys))
        values = values.take(pa.array(sources, mask=sources < 0))
    laid: list[object] = values.to_pylist()
    return laid


def _apart(codes: npt.NDArray[np.int32], among: Numbers | None) -> Iterator[tuple[int, Numbers]]:
    """Each code with its rows."""
    if not len(codes):
        return
    order = np.argsort(codes, kind="stable")
    held = codes[order]
    cuts = np.flatnonzero(np.diff(held)) + 1
    for some in np.split(order, cuts):
        yield int(codes[some[0]]), some if among is None else among[some]
