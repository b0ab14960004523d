"""Row groups to Parquet, in memory. Writes no file and knows no store."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.encode.protocol import EncodedFile, seal

EXTENSIONS = {
    "none": ".parquet",
    "snappy": ".snappy.parquet",
    "gzip": ".gz.parquet",
    "brotli": ".br.parquet",
    "lz4": ".lz4.parquet",
    "zstd": ".zstd.parquet",
}
FOOTER_BYTES_PER_COLUMN = 160
"""What the footer says of one column of one row group, roughly: sizes, offsets, statistics."""


class ParquetEncoder:
    """One Parquet file. Dictionaries are off: zstd finds the repeats, at half the time (see `make bench`).

    Args:
        schema: Of all rows.
        codec: A key of `EXTENSIONS`.
        level: The codec's level, None for its default.
    """

    def __init__(self, schema: pa.Schema, codec: str, level: int | None) -> None:
        self.schema = schema
        self._sink = pa.BufferOutputStream()
        self._codec = codec
        self._level = level
        self._groups = 0
        self._group_footer_bytes = FOOTER_BYTES_PER_COLUMN * sum(_leaves(field.type) for field in schema)
        self._writer: pq.ParquetWriter | None = None

    @property
    def encoded_bytes(self) -> int:
        """Bytes encoded so far, with what the footer will say of each row group."""
        written = int(self._sink.tell()) if self._writer is not None else 0
        return written + self._groups * self._group_footer_bytes

    def encode(self, rows: pa.Table) -> None:
        """Write one row group."""
        self._groups += 1
        self._open().write_table(rows, row_group_size=max(1, rows.num_rows))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """Write the footer."""
        writer = self._open()
        writer.add_key_value_metadata(dict(footer))
        writer.close()
        return seal(memoryview(self._sink.getvalue()), self_describing=True)

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._sink,
                self.schema,
                compression=self._codec,
                compression_level=self._level,
                use_dictionary=False,
                write_statistics=True,
            )
        return self._writer


def _leaves(kind: pa.DataType) -> int:
    return sum(_leaves(kind.field(at).type) for at in range(kind.num_fields)) if kind.num_fields else 1
