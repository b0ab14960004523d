"""Parquet files: one row group for each flush, our entries in the footer. Writes to memory only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.nested import PLACEHOLDER, schema_with_leaves
from streamsink.encode.parquet_columns import Chosen, choose, rows_at_once
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.refusal import Doubts
from streamsink.encode.writer import GroupWriter
from streamsink.record import ENVELOPE

EXTENSIONS = {
    "zstd": ".zstd.parquet",
    "snappy": ".snappy.parquet",
    "gzip": ".gz.parquet",
    "brotli": ".br.parquet",
    "lz4": ".lz4.parquet",
    "none": ".parquet",
}
"""By codec."""

LEVELS = {"zstd": 1, "gzip": 6, "brotli": 4}
"""Where no level is given. Zstandard's 3 costs a third more time and saves nothing on log records."""

DICTIONARY_BYTES_MAX = 64 * 1024
"""A column whose distinct values pass this goes on without a dictionary: larger ones cost time and save no space."""

MONOTONIC = ("offset", "timestamp")
"""Envelope columns that are written as differences: they rise, so they have no use for a dictionary."""

WHOLE_VALUES = ("value", f"{ENVELOPE}.value")
"""Columns of undecoded values, which have no statistics: nobody looks for a range of them, and they make long ones."""

CHUNK_FOOTER_BYTES = 80
CHUNK_STATISTICS_BYTES = 60
"""The footer's bytes for one column of one row group, about, without the least and the largest text."""

STATISTIC_BYTES_MAX = 4096
"""The longest text that pyarrow keeps as a statistic."""


class ParquetFormat:
    """Parquet.

    Args:
        encoding: Codec, level and size of row groups.
        rotation: Says how large objects may become.
    """

    keeps_footer = True

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        self.extension = EXTENSIONS[encoding.codec]
        self._encoding = encoding
        self._rotation = rotation
        self._doubts = Doubts()
        self._columns: _Columns | None = None

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:  # noqa: ARG002 - nothing here is arbitrary
        """See `Format.open`."""
        if self._columns is None or not self._columns.given.equals(schema, check_metadata=True):
            self._columns = _columns(schema)
        encoder = ParquetEncoder(schema, self._encoding, self._columns)
        return GroupWriter(encoder, schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """See `Format.refused`."""
        return self._doubts.refused(rows, self._trial)

    def _trial(self, rows: pa.RecordBatch) -> None:
        encoder = ParquetEncoder(rows.schema, self._encoding)
        if rows.num_rows:
            encoder.encode(pa.Table.from_batches([rows]))
        encoder.finish({})


FOOTER_BYTES_PER_COLUMN = 160
"""The footer's bytes for one column of one row group, roughly: sizes, offsets, statistics."""


def _leaves(kind: pa.DataType) -> int:
    fields = [kind.field(at) for at in range(kind.num_fields)] if kind.num_fields else []
    return sum(_leaves(field.type) for field in fields) if fields else 1


@dataclass(frozen=True, slots=True)
class _Columns:
    """What follows from a file's schema alone: the schema it is stored in, its leaves, those with statistics."""

    given: pa.Schema
    stored: pa.Schema
    leaves: list[str]
    measured: list[str]


def _columns(schema: pa.Schema) -> _Columns:
    stored = schema_with_leaves(schema, _storable)
    leaves = list(leaf_paths(stored))
    return _Columns(schema, stored, leaves, [path for path in leaves if path not in WHOLE_VALUES])


class ParquetEncoder:
    """One Parquet file; pyarrow's writer begins with the first row group.

    Args:
        schema: Of all rows.
        encoding: Codec and level.
        columns: What `_columns` makes of the schema, where many files share it.
    """

    def __init__(self, schema: pa.Schema, encoding: Encoding, columns: _Columns | None = None) -> None:
        columns = columns or _columns(schema)
        self._schema = columns.stored
        self._cast = not self._schema.equals(schema)
        self._encoding = encoding
        self._chunks = Chunks()
        self._leaves = columns.leaves
        self._measured = columns.measured
        self._footer_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`."""
        return self._chunks.size_bytes + self._footer_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`; pyarrow holds the footer several times as large as it is written."""
        return self._chunks.memory_bytes + 4 * self._footer_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:  # noqa: ARG002 - pages are never larger than columns
        """See `GroupEncoder.expansion`."""
        return 1.0

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        if self._cast:
            group = group.cast(self._schema)
        self._open(group).write_table(group, row_group_size=group.num_rows)
        self._footer_bytes += CHUNK_FOOTER_BYTES * len(self._leaves) + CHUNK_STATISTICS_BYTES * len(self._measured)
        self._footer_bytes += _statistics_bytes(group)

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        writer = self._open(None)
        writer.add_key_value_metadata(dict(footer))
        writer.close()
        self._writer = None
        return seal(self._chunks.take())

    def _open(self, first: pa.Table | None) -> pq.ParquetWriter:
        if self._writer is None:
            rows, size_bytes = (0, 0) if first is None else (first.num_rows, first.nbytes)
            chosen = Chosen(is_small=True) if first is None else choose(first, size_bytes)
            monotonic = (*MONOTONIC, "timestamp_type") if chosen.is_small else MONOTONIC
            rising = chosen.rising | {f"{ENVELOPE}.{name}" for name in monotonic}
            plain = chosen.plain | rising
            codecs, levels = self._codecs(rising | _empty_headers(first) if chosen.is_small else frozenset())
            self._writer = pq.ParquetWriter(
                self._chunks,
                self._schema,
                compression=codecs,
                compression_level=levels,
                use_dictionary=[] if chosen.is_small else [path for path in self._leaves if path not in plain],
                column_encoding={path: "DELTA_BINARY_PACKED" for path in self._leaves if path in rising} or None,
                dictionary_pagesize_limit=DICTIONARY_BYTES_MAX,
                write_batch_size=rows_at_once(rows, size_bytes),
                write_statistics=self._measured,
                write_page_checksum=True,
                store_schema=True,
            )
        return self._writer

    def _codecs(self, short: Collection[str]) -> tuple[dict[str, str], dict[str, int] | None]:
        """Each column's codec and level. A page of few bytes grows by a codec, which costs more than the rest of it."""
        codec = self._encoding.codec
        level = LEVELS.get(codec) if self._encoding.level is None else self._encoding.level
        codecs = {path: "none" if path in short else codec for path in self._leaves}
        return codecs, None if level is None else {path: level for path in self._leaves if path not in short}


def _empty_headers(group: pa.Table | None) -> frozenset[str]:
    """The columns of the headers, where no record has any."""
    if group is None or ENVELOPE not in group.column_names:
        return frozenset()
    envelope = group.column(ENVELOPE)
    at = envelope.type.get_field_index("headers")
    if at < 0 or any(len(chunk.field(at).flatten()) for chunk in envelope.chunks):
        return frozenset()
    return frozenset(_leaf_paths(f"{ENVELOPE}.headers", envelope.type.field(at).type))


def _statistics_bytes(group: pa.Table) -> int:
    """About how long the least and the largest text of each column are together."""
    longest = (
        max(map(_longest, column.chunks), default=0)
        for name, column in zip(group.column_names, group.columns, strict=True)
        if name not in WHOLE_VALUES and (pa.types.is_string(column.type) or pa.types.is_binary(column.type))
    )
    return sum(2 * length for length in longest if length <= STATISTIC_BYTES_MAX)


def _longest(texts: pa.Array) -> int:
    """Bytes of the longest text. Compute functions take longer to call than a small row group takes to look at."""
    offsets = texts.buffers()[1]
    if not len(texts) or offsets is None:
        return 0
    ends = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * np.dtype(np.int32).itemsize)
    return int(np.diff(ends).max())


def _storable(type_: pa.DataType) -> pa.DataType:
    return PLACEHOLDER if pa.types.is_struct(type_) else type_


def leaf_paths(schema: pa.Schema) -> Iterator[str]:
    """Parquet's names of the columns that hold values, as pyarrow writes them."""
    for field in schema:
        yield from _leaf_paths(field.name, field.type)


def _leaf_paths(path: str, type_: pa.DataType) -> Iterator[str]:
    if pa.types.is_struct(type_):
        for index in range(type_.num_fields):
            yield from _leaf_paths(f"{path}.{type_.field(index).name}", type_.field(index).type)
    elif pa.types.is_map(type_):
        yield from _leaf_paths(f"{path}.key_value.key", type_.key_type)
        yield from _leaf_paths(f"{path}.key_value.value", type_.item_type)
    elif pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        yield from _leaf_paths(f"{path}.list.element", type_.value_type)
    else:
        yield path
