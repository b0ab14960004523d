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
        """Give each row its encoded partition, which is safe as a part of an object's name.

        Args:
            rows: The rows of one slice.
            now_ms: Unix time in milliseconds, for a partitioner by wall clock.

        Returns:
            One string for all rows, or one dictionary entry (int32 to string) a row.

        Raises:
            PartitionError: Records lack the field or timestamp that the path needs; `rows` names them.
        """
        ...
