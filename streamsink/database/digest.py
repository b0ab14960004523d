"""A digest over rows that does not depend on how they came in batches. Pure.

With a key, rows have an order, and the digest is over all keys and values in it. Without one a database may give them
back in another order, so that each row has a digest, and the sum of these counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from streamsink.database.protocol import RowBatch

_SUM_BITS = 256


class RowDigest:
    """Takes rows, and tells how many there were and their digest.

    Args:
        keyed: Whether rows have keys.
    """

    def __init__(self, *, keyed: bool) -> None:
        self.rows = 0
        self._keyed = keyed
        self._parts = [hashlib.sha256() for _ in range(4)]
        self._sum = 0

    def add(self, keys: pa.BinaryArray, values: pa.BinaryArray) -> None:
        """Take more rows.

        Args:
            keys: One a row; not looked at where rows have no keys.
            values: One a row. With keys, rows must come in key order.
        """
        self.rows += len(values)
        if not self._keyed:
            for value in values.to_pylist():
                self._sum += int.from_bytes(hashlib.sha256(value or b"").digest(), "big")
            return
        for place, array in enumerate((keys, values)):
            lengths, data = _content(array)
            self._parts[2 * place].update(lengths)
            self._parts[2 * place + 1].update(data)

    def add_all(self, batches: Iterable[RowBatch]) -> RowDigest:
        """Take all rows of a table, and be what was asked for."""
        for rows in batches:
            self.add(rows.keys, rows.values)
        return self

    def text(self) -> str:
        """The digest so far, with how it was made."""
        if not self._keyed:
            return f"rows-sha256:{self._sum % 2**_SUM_BITS:064x}"
        whole = hashlib.sha256(b"".join(part.digest() for part in self._parts))
        return f"sha256:{whole.hexdigest()}"


def _content(array: pa.BinaryArray) -> tuple[memoryview, memoryview]:
    """The lengths of all values, little-endian, and their bytes one behind the other; a null has the length -1."""
    validity, ends, data = array.buffers()
    if not len(array):
        return memoryview(b""), memoryview(b"")
    offsets = np.frombuffer(ends, np.int32, len(array) + 1, array.offset * 4)
    lengths = np.diff(offsets).astype("<i4")
    if validity is not None and array.null_count:
        lengths[array.is_null().to_numpy(zero_copy_only=False)] = -1
    content = memoryview(b"") if data is None else memoryview(data)[int(offsets[0]) : int(offsets[-1])]
    return memoryview(lengths.tobytes()), content
