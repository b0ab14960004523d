"""Gives tombstones a folder of their own, whatever the partitioner of other rows is. Pure: no clock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import PartitionError
from streamsink.partition.protocol import Partitioner
from streamsink.record import ENVELOPE, ENVELOPE_TOMBSTONE, DecodedSlice


class TombstonesApart:
    """A `Partitioner` around another, as Confluent's sink files tombstones.

    Args:
        partitioner: Files all other rows.
        folder: The encoded partition of tombstones.
    """

    def __init__(self, partitioner: Partitioner, folder: str) -> None:
        self._partitioner = partitioner
        self._folder = folder

    @property
    def deterministic(self) -> bool:
        """See `Partitioner`."""
        return self._partitioner.deterministic

    def encode(self, rows: DecodedSlice, *, now_ms: int) -> str | pa.DictionaryArray:
        """See `Partitioner`."""
        mask = tombstones_of(rows.rows)
        if not mask.any():
            return self._partitioner.encode(rows, now_ms=now_ms)
        if mask.all():
            return self._folder
        others = np.flatnonzero(~mask)
        try:
            paths = self._partitioner.encode(rows.take(pa.array(others)), now_ms=now_ms)
        except PartitionError as error:
            told = {int(others[row]): fault for row, fault in dict(error.rows).items()}
            raise PartitionError(error.message, rows=told, hint=error.hint) from error
        texts = [paths] if isinstance(paths, str) else paths.dictionary.to_pylist()
        codes = np.full(len(mask), len(texts), np.int32)
        codes[others] = 0 if isinstance(paths, str) else paths.indices.to_numpy(zero_copy_only=False)
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([*texts, self._folder], pa.string()))


def tombstones_of(rows: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Say which rows are tombstones: `_kafka` tells it of columns, the value itself of bytes."""
    envelope = rows.column(ENVELOPE)
    if envelope.type.get_field_index(ENVELOPE_TOMBSTONE.name) >= 0:
        found = pc.struct_field(envelope, ENVELOPE_TOMBSTONE.name)
    else:
        found = rows.column("value").is_null()
    mask: npt.NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask
