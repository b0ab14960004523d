"""JSON Lines: one object a line, `_kafka` first, as a stream of compressed members. Writes to memory only."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pyarrow as pa

from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.cells import packed, pieces, size_bytes
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.footer import ARROW_SCHEMA, schema_to_text
from streamsink.encode.json_rows import encode_rows
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.stream import SUFFIXES, compress
from streamsink.encode.writer import GroupWriter

PIECE_BYTES = 4 * 1024 * 1024
SAMPLE_ROWS = 64


class JsonLinesFormat:
    """JSON Lines. What its lines can't say is in the sidecar: the footer entries, and the columns' types.

    Args:
        encoding: Codec, level and how many rows make a member.
        rotation: Says how large objects may become.
    """

    keeps_footer = False

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        self.extension = f".json{SUFFIXES[encoding.codec]}"
        self._encoding = encoding
        self._rotation = rotation

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:  # noqa: ARG002 - nothing here is arbitrary
        """See `Format.open`."""
        return GroupWriter(JsonLinesEncoder(schema, self._encoding), schema, self._encoding, self._rotation)


class JsonLinesEncoder:
    """One JSON Lines file.

    Args:
        schema: Of all rows.
        encoding: Codec and level.
    """

    def __init__(self, schema: pa.Schema, encoding: Encoding) -> None:
        self._schema = schema
        self._encoding = encoding
        self._chunks = Chunks()

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`."""
        return self._chunks.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`."""
        return self._chunks.memory_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:
        """See `GroupEncoder.expansion`."""
        sample = rows.slice(0, SAMPLE_ROWS)
        return size_bytes(encode_rows(sample)) / max(1, int(sample.nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for piece in pieces(group, PIECE_BYTES):
            self._chunks.write(compress(packed(encode_rows(piece)), self._encoding))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        sidecar = {**dict(sorted(footer.items())), ARROW_SCHEMA: schema_to_text(self._schema)}
        return seal(self._chunks.take(), orjson.dumps(sidecar))
