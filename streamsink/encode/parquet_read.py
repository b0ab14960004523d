"""Parquet objects back into rows, and their footer alone. Reads bytes, knows no store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.encode.footer import TAIL_BYTES, own_entries
from streamsink.encode.nested import PLACEHOLDER, schema_with_leaves
from streamsink.encode.protocol import Data, GetRange
from streamsink.encode.stream import as_file

BATCH_ROWS = 8192
BUFFER_BYTES = 1024 * 1024

_PLACEHOLDER_NAME = PLACEHOLDER.field(0).name


class ParquetReader:
    """One Parquet object.

    Args:
        data: All of it, or a file of it.
    """

    def __init__(self, data: Data) -> None:
        # Buffered, and not read before it is decoded, a row group is never in memory as a whole: another program's may
        # be as large as the file. An object that is in memory as a whole needs no second buffer.
        self._file = pq.ParquetFile(
            as_file(data),
            page_checksum_verification=True,
            buffer_size=BUFFER_BYTES if isinstance(data, pa.NativeFile) else 0,
            pre_buffer=False,
        )
        # A footer has names in plain text: to look for one costs less than a list of the columns.
        has_name = not isinstance(data, bytes) or _PLACEHOLDER_NAME.encode() in data[-_footer_bytes(data) :]
        self._plain = not has_name or _PLACEHOLDER_NAME not in self._file.schema.names

    @property
    def metadata(self) -> pq.FileMetaData:
        """Row groups, columns and sizes."""
        return self._file.metadata

    def footer(self) -> dict[str, str]:
        """The entries of ours in the footer."""
        return own_entries(self._file.metadata.metadata)

    def schema(self) -> pa.Schema:
        """The rows' schema as it was before Parquet."""
        return schema_with_leaves(self._file.schema_arrow, _without_placeholder)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows, some thousands at a time; `columns` are the columns to read, a struct's leaves as `_kafka.offset`."""
        found: Iterable[pa.RecordBatch]
        if self._file.metadata.num_rows > BATCH_ROWS:
            found = self._file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
        else:
            # All at once costs a small object less than the machinery of parts.
            found = self._file.read(columns, use_threads=False).to_batches()
        for batch in found:
            if self._plain:
                yield batch
                continue
            wanted = schema_with_leaves(batch.schema, _without_placeholder)
            yield batch if wanted.equals(batch.schema) else batch.cast(wanted)


def _without_placeholder(type_: pa.DataType) -> pa.DataType:
    return pa.struct([]) if type_ == PLACEHOLDER else type_


def parquet_footer(size_bytes: int, get_range: GetRange) -> dict[str, str]:
    """Read the entries of ours in a Parquet object's footer.

    Args:
        size_bytes: The object's size.
        get_range: Reads bytes of the object; asked for its end only.
    """
    return own_entries(pq.read_metadata(pa.BufferReader(_tail(size_bytes, get_range))).metadata)


def _tail(size_bytes: int, get_range: GetRange) -> bytes:
    length = min(size_bytes, TAIL_BYTES)
    tail = get_range(size_bytes - length, length)
    if tail[-4:] != b"PAR1":
        raise ValueError("it doesn't end as a Parquet file")
    needed = _footer_bytes(tail)
    if needed > size_bytes:
        raise ValueError("it is smaller than its footer")
    return tail if needed <= length else get_range(size_bytes - needed, needed)


def _footer_bytes(tail: bytes) -> int:
    """The length of the footer, and of its own length and mark, by the end of a file."""
    return int.from_bytes(tail[-8:-4], "little") + 8
