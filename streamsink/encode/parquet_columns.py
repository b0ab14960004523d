"""Chooses how Parquet writes each column, by a look at a file's first rows. Pure.

A dictionary helps a column of few values, and costs time where nearly every value is another. Where a column has a page
or a few, the codec finds what repeats as well, and a dictionary is one page more for nothing. Integers that rise, as
times and counters do, are shortest as differences. The choice is for size and time alone: each can hold any values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

GROUP_ROWS_MIN = 16_384
"""Where the first row group has fewer rows, the look would cost as much as it saves."""

SMALL_BYTES_MAX = 4 * 1024 * 1024
"""A first row group of fewer rows and no more bytes has no dictionaries: 500 to 5,000 log records take 5 to 18 % less
without, a fifth less time to write, and a sixth less to read."""

SAMPLE_ROWS = 2048
"""So many rows are looked at."""

KNOWN_MIN = 512
"""A column with fewer values among them keeps its dictionary."""

DISTINCT_SHARE = 0.85
"""A column of which more of the values differ has no use for a dictionary."""

RISING_SHARE = 0.875
"""So many of its steps go up or nowhere in a column that rises."""

ROWS_AT_ONCE_MIN, ROWS_AT_ONCE_MAX = 1024, 8192
BYTES_AT_ONCE = 4 * 1024 * 1024
"""Of all columns together. A page ends only between such parts, so it can pass pyarrow's 1 MiB by as much."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Paths of columns that need no dictionary, and of those among them that are written as differences."""

    plain: frozenset[str] = frozenset()
    rising: frozenset[str] = frozenset()
    is_small: bool = False
    """Whether no column needs a dictionary."""


def choose(group: pa.Table, size_bytes: int) -> Chosen:
    """Choose encodings that fit the first rows of a file.

    Args:
        group: Its first row group.
        size_bytes: The row group's size.
    """
    if group.num_rows < GROUP_ROWS_MIN:
        return Chosen(is_small=size_bytes <= SMALL_BYTES_MAX)
    sample = group.slice(0, SAMPLE_ROWS)
    plain: set[str] = set()
    rising: set[str] = set()
    for name, column in zip(sample.column_names, sample.columns, strict=True):
        for path, leaf in _leaves(name, column.combine_chunks()):
            known = leaf.drop_null()
            if len(known) >= KNOWN_MIN and len(known.unique()) > len(known) * DISTINCT_SHARE:
                plain.add(path)
                if _rises(known):
                    rising.add(path)
    return Chosen(frozenset(plain), frozenset(rising))


def rows_at_once(rows: int, size_bytes: int) -> int:
    """How many rows of a column pyarrow shall take in one go: more cost less, up to what keeps pages small.

    Args:
        rows: The rows of a file's first row group.
        size_bytes: Their size.
    """
    fitting = BYTES_AT_ONCE * rows // max(1, size_bytes)
    return max(ROWS_AT_ONCE_MIN, min(fitting, ROWS_AT_ONCE_MAX))


def _leaves(path: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """The columns outside lists and maps that values may differ in."""
    kind = array.type
    if pa.types.is_struct(kind):
        for field, member in zip(kind, array.flatten(), strict=True):
            yield from _leaves(f"{path}.{field.name}", member)
    elif pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield path, array


def _rises(known: pa.Array) -> bool:
    kind = known.type
    if not (pa.types.is_signed_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_date32(kind)):
        return False
    integers = known.view(pa.int32() if kind.bit_width == 32 else pa.int64()) if pa.types.is_temporal(kind) else known
    steps = pc.subtract(integers[1:].cast(pa.int64()), integers[:-1].cast(pa.int64()))
    return bool(np.count_nonzero(np.asarray(steps) >= 0) >= len(steps) * RISING_SHARE)
