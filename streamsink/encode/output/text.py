"""Objects of text as other products' sinks write them: csv, JSON Lines, or one JSON array. Writes to memory only.

Where a value is in the text goes into the sidecar, with `_kafka`, so that each comes back as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.cells import buffers_of, join, packed, pieces
from streamsink.config.output import OutputField, OutputRules, TextLayout
from streamsink.config.sink import Encoding, JsonForm, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.json.rows import encode_rows
from streamsink.encode.output.fields import VALUE, field_cells, member
from streamsink.encode.parquet import ParquetEncoder
from streamsink.encode.protocol import EncodedFile, FileWriter, source_of
from streamsink.encode.stream import compress
from streamsink.encode.writer import GroupWriter
from streamsink.record import ENVELOPE, TopicPartition

PIECE_BYTES = 4 * 1024 * 1024
TEXT = "text.value"
"""The sidecar's entry that says how the text has a value: as it is, as base64, or not at all."""
PLAIN, BASE64, NOTHING = "plain", "base64", "nothing"
CODEC = "text.codec"
PLACES = (
    pa.field("size", pa.int64(), nullable=False),
    pa.field("before", pa.int64(), nullable=False),
    pa.field("length", pa.int64()),
)
"""Of each record: its bytes with what separates it, those before its value, and the value's, null for none."""

Cells = Callable[[pa.Array], pa.Array]
"""Makes JSON of bytes, a cell of each."""


@dataclass(frozen=True, slots=True)
class JsonCells:
    """What makes JSON of the bytes of keys and of header values; null stays null."""

    of_keys: Cells
    of_headers: Cells


_HEADERS = frozenset({OutputField.HEADERS, OutputField.HEADER_MAP})
_AS_JSON = _HEADERS | {OutputField.KEY}
_SIDECAR = Encoding()
_BEGIN = {TextLayout.JSON: b"[\n"}
_BETWEEN = {TextLayout.JSON: b",\n"}
"""Where the layout says it, whatever the rules have."""
_END = {TextLayout.JSON: b"\n]"}


class TextFormat:
    """Text.

    Args:
        rules: The layout and its fields.
        encoding: Codec and level.
        rotation: Says how large objects may become.
        cells: Makes JSON of keys and header values; csv has their bytes.
    """

    keeps_footer = False
    extension = ""

    def __init__(self, rules: OutputRules, encoding: Encoding, rotation: Rotation, cells: JsonCells) -> None:
        self._rules = rules
        self._encoding = encoding
        self._rotation = rotation
        self._json = cells

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """See `Format.open`."""
        encoder = TextEncoder(self._rules, self._encoding, schema, source_of(identity), self._json)
        return GroupWriter(encoder, schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:  # noqa: ARG002 - the protocol's shape
        """See `Format.refused`: lines of JSON were made before, and bytes are held whatever they are."""
        return {}


class TextEncoder:
    """One object of text and its sidecar.

    Args:
        rules: The layout and its fields.
        encoding: Codec and level.
        schema: Of all rows.
        source: Where the records come from.
        cells: See `TextFormat`.
    """

    def __init__(
        self, rules: OutputRules, encoding: Encoding, schema: pa.Schema, source: TopicPartition, cells: JsonCells
    ) -> None:
        self._rules = rules
        self._encoding = encoding
        self._source = source
        self._json = cells
        self._chunks = Chunks()
        self._begun = False
        self._beside = pa.schema([schema.field(ENVELOPE), *PLACES])
        self._sidecar = ParquetEncoder(self._beside, _SIDECAR)

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`; the sidecar isn't part of the object."""
        return self._chunks.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`."""
        return self._chunks.memory_bytes + self._sidecar.memory_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:
        """See `GroupEncoder.expansion`."""
        size = sum(len(packed(cells)) for cells in self._cells(rows.slice(0, 64)))
        return size / max(1, int(rows.slice(0, 64).nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for piece in pieces(group, PIECE_BYTES):
            before, value, behind = self._cells(piece)
            self._begun = True
            lengths = [np.diff(buffers_of(cells)[0]) for cells in (before, value, behind)]
            self._chunks.write(compress(packed(join([before, value, behind], piece.num_rows)), self._encoding))
            kept = (
                _with_value(piece, self._encoding.json_form).column(VALUE).is_valid()
                if OutputField.VALUE in self._rules.fields
                else None
            )
            places = [
                pa.array(sum(lengths)),
                pa.array(lengths[0]),
                pa.nulls(piece.num_rows, pa.int64())
                if kept is None
                else pa.array(lengths[1], mask=~kept.to_numpy(zero_copy_only=False)),
            ]
            self._sidecar.encode(pa.Table.from_arrays([piece.column(ENVELOPE), *places], schema=self._beside))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        if end := _END.get(self._rules.layout):
            self._chunks.write(compress(end, self._encoding))
        entries = {**footer, TEXT: self._kept(), CODEC: self._encoding.codec}
        return seal(self._chunks.take(), bytes(self._sidecar.finish(entries).data))

    def _kept(self) -> str:
        if OutputField.VALUE not in self._rules.fields:
            return NOTHING
        return BASE64 if self._rules.layout is TextLayout.CSV and self._rules.base64 else PLAIN

    def _cells(self, rows: pa.RecordBatch) -> tuple[pa.BinaryArray, pa.BinaryArray, pa.BinaryArray]:
        """Of each record what stands before its value, the value, and what stands behind it."""
        rows = self._with_json(_with_value(rows, self._encoding.json_form))
        rules, count = self._rules, rows.num_rows
        parts: list[list[pa.BinaryArray | bytes]] = [[self._separators(count)], [b""], []]
        at = 0
        is_json = rules.layout is not TextLayout.CSV
        for position, field in enumerate(rules.fields):
            comma = b"," if position else b"{" if is_json and rules.envelope else b""
            name = b'"%b":' % field.word.encode() if is_json and rules.envelope else b""
            parts[at].append(comma + name)
            cells = field_cells(rows, field, rules, self._source)
            if field is OutputField.VALUE:
                parts[1], at = [cells], 2
            else:
                parts[at].append(cells)
        parts[2 if at else 0].append((b"}" if is_json and rules.envelope else b"") + rules.behind.encode())
        before, value, behind = (join(part or [b""], count) for part in parts)
        return before, value, behind

    def _separators(self, count: int) -> pa.BinaryArray:
        layout = self._rules.layout
        between = _BETWEEN.get(layout, self._rules.between.encode())
        first = between if self._begun else _BEGIN.get(layout, b"")
        return pa.array([first, *[between] * (count - 1)][:count], pa.binary())

    def _with_json(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with JSON for keys and header values, where their fields are written."""
        if self._rules.layout is TextLayout.CSV or not _AS_JSON.intersection(self._rules.fields):
            return rows
        type_ = rows.schema.field(ENVELOPE).type
        cells = {field.name: member(rows, field.name) for field in type_}
        if OutputField.KEY in self._rules.fields:
            cells["key"] = self._json.of_keys(cells["key"])
        if _HEADERS.intersection(self._rules.fields):
            cells["headers"] = _with_values(cells["headers"], self._json.of_headers)
        envelope = pa.StructArray.from_arrays(list(cells.values()), fields=list(type_))
        return rows.set_column(rows.schema.get_field_index(ENVELOPE), rows.schema.field(ENVELOPE), envelope)


def _with_values(headers: pa.ListArray, cells_of: Cells) -> pa.ListArray:
    """Lists of headers with other values."""
    items = headers.flatten()
    members = [items.field("key"), cells_of(items.field("value"))]
    made = pa.StructArray.from_arrays(members, fields=list(items.type))
    offsets = pc.subtract(headers.offsets, headers.offsets[0]).cast(pa.int32())
    return pa.ListArray.from_arrays(offsets, made, type=headers.type)


def _with_value(rows: pa.RecordBatch, form: JsonForm) -> pa.RecordBatch:
    """The rows with one value each: columns become objects of JSON."""
    names = [name for name in rows.schema.names if name != ENVELOPE]
    if names == [VALUE] and pa.types.is_binary(rows.schema.field(VALUE).type):
        return rows
    lines = pc.binary_slice(encode_rows(rows.select(names), form), 0, -1)
    if rows.schema.field(ENVELOPE).type.get_field_index("tombstone") >= 0:
        lines = pc.if_else(member(rows, "tombstone"), pa.scalar(None, pa.binary()), lines)
    fields = [rows.schema.field(ENVELOPE), pa.field(VALUE, pa.binary())]
    return pa.RecordBatch.from_arrays([rows.column(ENVELOPE), lines], schema=pa.schema(fields))
