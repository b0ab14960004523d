"""The partitioner seam: rows in, an encoded partition per row out. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from streamsink.record import DecodedSlice


class Partitioner(Protocol):
    """Gives every row the path part that its object's name will have (Confluent's encoded partition)."""

    @property
    def deterministic(self) -> bool:
        """Whether the same record always gets the same encoded partition (false for Wallclock)."""
        ...

    def encode(self, rows: DecodedSlice, *, now_ms: int) -> str | pa.DictionaryArray:
        """One string for all rows, or one dictionary entry (int32 to string) a row, every entry safe as a path.

        Raises:
            TerminalError: A record lacks the field or timestamp that the path needs.
        """
        ...
