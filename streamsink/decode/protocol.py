"""The decoder seam: raw slices in, the rows to be written out. Defines the protocol only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamsink.record import DecodedSlice, RawSlice


class Decoder(Protocol):
    """Turns raw slices into rows. Holds the widening schema of each topic; one thread owns it."""

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """Split a slice so that each part's rows may share a file; most have one part. Each is decoded by itself.

        Raises:
            TransientError: A Schema Registry can't be asked now: the slice is to be read again later.
        """
        ...

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; records that can't be decoded come back in `bad`, never as an exception.

        Raises:
            TransientError: As `parts`.
            DecodeError: With `errors.tolerance=none`, for the first bad record, naming topic, partition and offset.
        """
        ...
