"""Finds what the rows of many objects tell: their number, partitions, offsets and hours. Knows no store, no names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.record import ENVELOPE, TIMESTAMP_TYPE
from streamsink.runs import Runs

HOUR_MS = 3_600_000

ALONE_ROWS = 4096
"""A batch of so many rows is looked at as it comes: beside them a call costs little, and they need not be held."""


@dataclass(slots=True)
class Content:
    """What the rows of one object tell."""

    records: int = 0
    partitions: tuple[int, int] | None = None
    """Their least and their greatest partition; None where none tells its own."""
    runs: Runs | None = None
    """Their offsets; None where none tells its own."""
    placed: int = 0
    """Records that tell their offset."""
    hours: dict[int, int] = field(default_factory=dict)
    """Records by hour since 1970, by their time; those without a time are in none."""


_Piece: TypeAlias = tuple[Content, pa.Array, pa.Array]
"""Partitions and times of some rows, where they tell them, and the content of their object, to which they are added."""


class Rows:
    """The rows of objects, without their values; those of small objects are looked at together.

    A call costs more than the numbers of a small object, and much more between two decodings, which leave nothing of
    it in the processor's cache.
    """

    def __init__(self) -> None:
        self._contents: list[Content] = []
        self._offsets: list[list[pa.Array]] = []
        """Those of each object."""
        self._pieces: list[_Piece] = []
        """Those that were not yet looked at."""

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add the next object with its rows; without any where the batches can't be had, which raises their error."""
        self._contents.append(Content())
        self._offsets.append([])
        content = Content()
        offsets: list[pa.Array] = []
        pieces: list[_Piece] = []
        for batch in batches:
            content.records += batch.num_rows
            at = batch.schema.get_field_index(ENVELOPE)
            if at < 0:
                continue
            envelope = batch.column(at)
            offsets.append(_field(envelope, "offset", pa.int64()))
            partitions = _field(envelope, "partition", pa.int32())
            piece = content, partitions, _field(envelope, "timestamp", TIMESTAMP_TYPE)
            if batch.num_rows < ALONE_ROWS:
                pieces.append(piece)
            else:
                _look([piece])
        self._contents[-1], self._offsets[-1] = content, offsets
        self._pieces += pieces

    def contents(self) -> list[Content]:
        """What each object's rows tell, in the order they were added."""
        _look(self._pieces)
        self._pieces = []
        counts = np.array([sum(map(len, offsets)) for offsets in self._offsets], np.int64)
        there = np.flatnonzero(counts)
        offsets = pa.chunked_array([array for arrays in self._offsets for array in arrays], pa.int64()).to_numpy()
        for at, runs in zip(there.tolist(), Runs.of_each(offsets, counts[there]), strict=True):
            self._contents[at].runs, self._contents[at].placed = runs, int(counts[at])
        return self._contents


def _field(envelope: pa.StructArray, name: str, type_: pa.DataType) -> pa.Array:
    """A field of an envelope, without nulls."""
    # A field of a struct doesn't know that the struct is null.
    values = pc.struct_field(envelope, name) if envelope.null_count else envelope.field(name)
    values = values if values.type == type_ else values.cast(type_)
    return values.drop_null() if values.null_count else values


def _look(pieces: list[_Piece]) -> None:
    """Add to each piece's content the partitions and hours of its rows."""
    numbers = pa.chunked_array([partitions for _, partitions, _ in pieces], pa.int32()).to_numpy()
    places = _places((content, len(partitions)) for content, partitions, _ in pieces)
    for content, least, greatest, _ in _extremes(numbers, places):
        known = content.partitions or (least, greatest)
        content.partitions = min(known[0], least), max(known[1], greatest)
    numbers = pa.chunked_array([times for _, _, times in pieces], TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() // HOUR_MS
    places = _places((content, len(times)) for content, _, times in pieces)
    for content, least, greatest, place in _extremes(numbers, places):
        hours, counts = [least], [place.stop - place.start]
        if least != greatest:
            hours, counts = (found.tolist() for found in np.unique(numbers[place], return_counts=True))
        for hour, count in zip(hours, counts, strict=True):
            content.hours[hour] = content.hours.get(hour, 0) + count


def _places(counts: Iterable[tuple[Content, int]]) -> list[tuple[Content, slice]]:
    """The places of each content's numbers, which follow those of the one before; none where there are none."""
    found: list[tuple[Content, slice]] = []
    end = 0
    for content, count in counts:
        start, end = end, end + count
        if count:
            found.append((content, slice(start, end)))
    return found


def _extremes(
    numbers: npt.NDArray[Any], places: list[tuple[Content, slice]]
) -> Iterator[tuple[Content, int, int, slice]]:
    """The least and the greatest number of each place."""
    if places:
        starts = [place.start for _, place in places]
        least, greatest = (extreme.reduceat(numbers, starts).tolist() for extreme in (np.minimum, np.maximum))
        for (content, place), low, high in zip(places, least, greatest, strict=True):
            yield content, low, high, place
