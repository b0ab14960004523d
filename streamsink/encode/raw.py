"""Values as they are, each followed by a separator, in memory; what they can't say goes into a sidecar.

The object is what Confluent's ByteArrayFormat writes. Keys, headers, offsets, nulls, and where a value ends are in the
sidecar, a Parquet file of `_kafka` and `length` (null for a tombstone), so that the archive restores byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from streamsink.encode.frames import COMPRESS
from streamsink.encode.parquet import ParquetEncoder
from streamsink.encode.protocol import EncodedFile, seal
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE

LENGTH = "length"
VALUE = "value"
SEPARATOR_KEY = "streamsink.separator"


class RawEncoder:
    """One file of raw values; a frame a row group.

    Args:
        schema: Must have a binary column `value`.
        codec: `none`, `gzip` or `zstd`.
        level: The codec's level, None for its default.
        separator: Follows every value.

    Raises:
        TerminalError: There is no such column.
    """

    def __init__(self, schema: pa.Schema, codec: str, level: int | None, separator: str) -> None:
        if VALUE not in schema.names or not pt.is_binary(schema.field(VALUE).type):
            raise TerminalError(
                "the raw format stores undecoded values only", hint="set archive.value=raw, or another format.class"
            )
        self._codec = codec
        self._level = level
        self._separator = separator
        self._frames: list[bytes] = []
        self._frames_bytes = 0
        self._sidecar: ParquetEncoder | None = None
        if ENVELOPE in schema.names:
            fields = [schema.field(ENVELOPE), pa.field(LENGTH, pa.int64())]
            self._sidecar = ParquetEncoder(pa.schema(fields), "zstd", None)

    @property
    def encoded_bytes(self) -> int:
        """Bytes encoded so far, the sidecar's included: it is stored as well."""
        return self._frames_bytes + (self._sidecar.encoded_bytes if self._sidecar is not None else 0)

    def encode(self, rows: pa.Table) -> None:
        """Write a frame of values."""
        values = rows.column(VALUE).combine_chunks()
        present = values.drop_null().cast(pa.large_binary())
        separator = pa.scalar(self._separator.encode(), pa.large_binary())
        followed = pc.binary_join_element_wise(present, separator, pa.scalar(b"", pa.large_binary()))
        data = b"".join(_data(chunk) for chunk in _chunks(followed))
        frame = COMPRESS[self._codec](data, self._level)
        self._frames.append(frame)
        self._frames_bytes += len(frame)
        if self._sidecar is not None:
            lengths = pc.binary_length(values).cast(pa.int64())
            self._sidecar.encode(pa.table([rows.column(ENVELOPE), lengths], schema=self._sidecar.schema))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """Join the frames, and end the sidecar."""
        sidecar = None
        if self._sidecar is not None:
            sidecar = bytes(self._sidecar.finish({**footer, SEPARATOR_KEY: self._separator}).data)
        return seal(memoryview(b"".join(self._frames)), self_describing=False, sidecar=sidecar)


def _chunks(array: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return array.chunks if isinstance(array, pa.ChunkedArray) else [array]


def _data(array: pa.Array) -> bytes:
    buffer = array.buffers()[2]
    if buffer is None or len(array) == 0:
        return b""
    return bytes(buffer)[: pc.sum(pc.binary_length(array)).as_py()]
