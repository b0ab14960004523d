"""JSON Lines: one object a line, `_kafka` first, as a stream of compressed members. Writes to memory only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import orjson
import pyarrow as pa

from streamsink.cells import packed, pieces, size_bytes
from streamsink.config.sink import Encoding, JsonForm, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.footer import schema_entries
from streamsink.encode.json.rows import encode_rows
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.refusal import Doubts
from streamsink.encode.stream import SUFFIXES, compress
from streamsink.encode.writer import GroupWriter

PIECE_BYTES = 4 * 1024 * 1024
SAMPLE_ROWS = 64
FORM = "json.form"
"""The sidecar's entry that says how dates, times and decimals are written, where that is not our way."""


class JsonLinesFormat:
    """JSON Lines. Their sidecar has the rest: the footer entries, and the columns' types.

    Args:
        encoding: Codec, level and how many rows make a member.
        rotation: Says how large objects may become.
    """

    keeps_footer = False

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        self.extension = f".json{SUFFIXES[encoding.codec]}"
        self._encoding = encoding
        self._rotation = rotation
        self._doubts = Doubts()

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:  # noqa: ARG002 - nothing here is arbitrary
        """See `Format.open`."""
        return GroupWriter(JsonLinesEncoder(schema, self._encoding), schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """See `Format.refused`."""
        return self._doubts.refused(rows, partial(encode_rows, form=self._encoding.json_form))


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
        return size_bytes(encode_rows(sample, self._encoding.json_form)) / max(1, int(sample.nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for piece in pieces(group, PIECE_BYTES):
            lines = encode_rows(piece, self._encoding.json_form)
            self._chunks.write(compress(packed(lines), self._encoding))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        form = self._encoding.json_form
        told = {} if form is JsonForm.ISO else {FORM: form.value}
        sidecar = {**dict(sorted(footer.items())), **schema_entries(self._schema), **told}
        return seal(self._chunks.take(), orjson.dumps(sidecar))
