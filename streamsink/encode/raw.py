"""Raw files: each value and a separator, nothing else; all other parts go to the sidecar. Writes to memory only."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.cells import binary, join, packed, pieces, size_bytes
from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.parquet import ParquetEncoder
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.stream import SUFFIXES, compress
from streamsink.encode.writer import GroupWriter
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE

PIECE_BYTES = 4 * 1024 * 1024
VALUE = "value"
LENGTH = pa.field("length", pa.int64())
"""The sidecar's column beside `_kafka`: how many bytes the value has, null for a tombstone."""
SEPARATOR = "raw.separator"
"""The sidecar's entry with the separator behind each value."""

_SIDECAR_ENCODING = Encoding()


class RawFormat:
    """Values as they are, Confluent's ByteArrayFormat.

    Args:
        encoding: Codec, level, separator and extension.
        rotation: Says how large objects may become.
    """

    keeps_footer = False

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        self.extension = f"{encoding.raw_extension}{SUFFIXES[encoding.codec]}"
        self._encoding = encoding
        self._rotation = rotation

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:  # noqa: ARG002 - nothing here is arbitrary
        """See `Format.open`.

        Raises:
            TerminalError: The rows have no column of undecoded values.
        """
        return GroupWriter(RawEncoder(schema, self._encoding), schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:  # noqa: ARG002 - the protocol's shape
        """See `Format.refused`: bytes are held whatever they are."""
        return {}


class RawEncoder:
    """One raw file and its sidecar: a Parquet file of `_kafka` and each value's length.

    Args:
        schema: Of all rows; the values are in `value`, or else in `_kafka.value`.
        encoding: Codec, level and separator.

    Raises:
        TerminalError: Neither is there.
    """

    def __init__(self, schema: pa.Schema, encoding: Encoding) -> None:
        self._encoding = encoding
        self._separator = encoding.separator.encode()
        self._chunks = Chunks()
        self._fields = _envelope_fields(schema)
        self._value_beside = VALUE in schema.names and schema.field(VALUE).type == pa.binary()
        if not self._value_beside and (ENVELOPE not in schema.names or not _has_value(schema.field(ENVELOPE).type)):
            raise TerminalError(
                "raw objects hold undecoded values, and these rows have none",
                hint="set archive.value=raw, or choose another format.class",
            )
        beside = [pa.field(ENVELOPE, pa.struct(self._fields), nullable=False)] if self._fields else []
        self._schema = pa.schema([*beside, LENGTH])
        self._sidecar = ParquetEncoder(self._schema, _SIDECAR_ENCODING)

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`; the sidecar isn't part of the object."""
        return self._chunks.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`."""
        return self._chunks.memory_bytes + self._sidecar.memory_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:
        """See `GroupEncoder.expansion`: separators may outweigh short values."""
        return size_bytes(self._lines(self._values(rows))) / max(1, int(rows.nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for piece in pieces(group, PIECE_BYTES):
            values = self._values(piece)
            lines = packed(self._lines(values))
            if lines:
                self._chunks.write(compress(lines, self._encoding))
        self._sidecar.encode(self._beside(group))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        entries = {**footer, SEPARATOR: self._encoding.separator}
        return seal(self._chunks.take(), bytes(self._sidecar.finish(entries).data))

    def _values(self, rows: pa.RecordBatch | pa.Table) -> pa.Array:
        if self._value_beside:
            return rows.column(VALUE)
        return pc.struct_field(rows.column(ENVELOPE), VALUE)

    def _lines(self, values: pa.Array) -> pa.BinaryArray:
        kept = binary(values.drop_null())
        return join([kept, self._separator], len(kept))

    def _beside(self, group: pa.Table) -> pa.Table:
        lengths = pc.binary_length(self._values(group)).cast(pa.int64())
        if not self._fields:
            return pa.table([lengths], schema=self._schema)
        children = [pc.struct_field(group.column(ENVELOPE), field.name) for field in self._fields]
        columns = [child.combine_chunks() for child in children]
        envelope = pa.StructArray.from_arrays(columns, fields=self._fields)
        return pa.table([envelope, lengths.combine_chunks()], schema=self._schema)


def _envelope_fields(schema: pa.Schema) -> list[pa.Field]:
    if ENVELOPE not in schema.names:
        return []
    type_ = schema.field(ENVELOPE).type
    return [type_.field(index) for index in range(type_.num_fields) if type_.field(index).name != VALUE]


def _has_value(type_: pa.DataType) -> bool:
    return any(type_.field(index).name == VALUE for index in range(type_.num_fields))
