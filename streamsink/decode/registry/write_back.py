"""Writes a sample of values back from their columns and compares. Pure: no I/O, no clock.

What comes back in other bytes that say the same (fields in another order, an array in two blocks) has come back.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamsink.decode.avro.columns import Columns
from streamsink.decode.registry.schema_reader import SchemaReader
from streamsink.decode.registry.wire import Frames, Int64s


class WriteBack:
    """Checks the values of one task.

    Args:
        every: One record in so many of a schema is checked, its first one among them; 0 for none. Once a value did not
            come back, all of its schema are checked.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._unchecked: dict[int, int] = {}
        self._suspects: set[int] = set()

    def differing(self, schema_id: int, reader: SchemaReader, columns: Columns, frames: Frames) -> dict[int, str]:
        """Why values don't come back, by their place in `frames`.

        Args:
            schema_id: Theirs.
            reader: The reader that read them.
            columns: The columns that it made of them.
            frames: Their bytes.
        """
        count = len(frames.ids)
        if not self._every or not count:
            return {}
        left = self._unchecked.get(schema_id, 0)
        self._unchecked[schema_id] = (left - count) % self._every if left < count else left - count
        rows = np.arange(count) if schema_id in self._suspects else np.arange(left, count, self._every)
        found = _differing(rows, reader, columns, frames)
        if found and schema_id not in self._suspects:
            self._suspects.add(schema_id)
            found = _differing(np.arange(count), reader, columns, frames)
        return found


def _differing(rows: Int64s, reader: SchemaReader, columns: Columns, frames: Frames) -> dict[int, str]:
    rows = rows[~np.isin(rows, list(columns.bad))] if columns.bad else rows
    if not len(rows):
        return {}
    chosen = columns.array.take(pa.array(rows))
    written = reader.write(pa.RecordBatch.from_struct_array(chosen))
    found: dict[int, str] = {}
    for at, (row, cell) in enumerate(zip(rows.tolist(), written.cells.to_pylist(), strict=True)):
        if at in written.bad:
            found[row] = f"it can't be written again: {written.bad[at]}"
            continue
        payload = frames.payload(row)
        if cell != payload and not reader.same(payload, cell):
            found[row] = "written again, its columns say something else"
    return found
