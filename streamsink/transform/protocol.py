"""The transform seam: batches of rows in, batches of rows out. Defines the protocols only.

A transform decides what objects are named and what is in them, so it must be a function of each record alone: no clock,
no chance, nothing kept between batches, the same answer whatever else is in the batch.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from streamsink.transform.rows import Rows


class Transform(Protocol):
    """One step. Made with its configuration, a map of texts; raises ValueError where that is unusable."""

    def apply(self, rows: Rows) -> Rows:
        """The rows, changed; those left out are dropped. None may be added or moved.

        Raises:
            TransformError: Some rows can't be taken; the others are tried again without them.
        """
        ...


class Predicate(Protocol):
    """Says which rows a transform applies to. Made like a transform."""

    def test(self, rows: Rows) -> pa.BooleanArray:
        """True, false or null (false) for each row."""
        ...
