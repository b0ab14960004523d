"""Row groups to JSON Lines, in memory. Bytes become base64 text; the kinds are told where JSON can't.

The one format with Python per record: Arrow has no JSON writer. `_kafka` says `value_encoding` where the value column
holds bytes, so that a reader needs no schema.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.types as pt

from streamsink.encode.frames import COMPRESS
from streamsink.encode.protocol import EncodedFile, seal
from streamsink.record import ENVELOPE

BASE64 = "base64"
VALUE_ENCODING = "value_encoding"


class JsonLinesEncoder:
    """One JSON Lines file; a frame a row group.

    Args:
        schema: Of all rows.
        codec: `none`, `gzip` or `zstd`.
        level: The codec's level, None for its default.
    """

    def __init__(self, schema: pa.Schema, codec: str, level: int | None) -> None:
        self._codec = codec
        self._level = level
        self._frames: list[bytes] = []
        self._raw_value = "value" in schema.names and pt.is_binary(schema.field("value").type)
        self.encoded_bytes = 0

    def encode(self, rows: pa.Table) -> None:
        """Write a frame of lines."""
        lines = bytearray()
        for batch in rows.to_batches(max_chunksize=1000):
            for row in _plain(batch).to_pylist():
                if self._raw_value and ENVELOPE in row:
                    row[ENVELOPE][VALUE_ENCODING] = BASE64
                lines += orjson.dumps(row, default=_default, option=orjson.OPT_APPEND_NEWLINE)
        frame = COMPRESS[self._codec](bytes(lines), self._level)
        self._frames.append(frame)
        self.encoded_bytes += len(frame)

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:  # noqa: ARG002 - the lines have no place for it
        """Join the frames."""
        return seal(memoryview(b"".join(self._frames)), self_describing=False)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Record times of the envelope as numbers: milliseconds, as Kafka has them."""
    if ENVELOPE not in batch.schema.names:
        return batch
    at = batch.schema.get_field_index(ENVELOPE)
    envelope = batch.column(at)
    columns = [
        child.cast(pa.int64()) if pt.is_timestamp(child.type) else child
        for child in (envelope.field(i) for i in range(envelope.type.num_fields))
    ]
    names = [envelope.type.field(i).name for i in range(envelope.type.num_fields)]
    return batch.set_column(at, ENVELOPE, pa.StructArray.from_arrays(columns, names=names))


def _default(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value)
