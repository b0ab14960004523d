"""Objects of text back into rows, by their sidecar. Reads bytes, knows no store."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from streamsink.encode.footer import PREFIX, own_entries
from streamsink.encode.output.text import BASE64, CODEC, NOTHING, PLACES, TEXT
from streamsink.encode.parquet_read import ParquetReader
from streamsink.encode.protocol import Data
from streamsink.encode.raw import VALUE
from streamsink.encode.stream import open_codec

WITHOUT_VALUES = f"{PREFIX}without_values"
"""An entry of an object whose records' values were left out."""

_PLACES = frozenset(field.name for field in PLACES)


class TextReader:
    """One object of text.

    Args:
        data: All of it, or a file of it.
        sidecar: Where its values are, and `_kafka`.
        entries: The sidecar's.
    """

    def __init__(self, data: Data, sidecar: bytes, entries: Mapping[str, str]) -> None:
        self._data = data
        self._entries = entries
        self._sidecar = ParquetReader(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar, and whether values were left out."""
        left_out = {WITHOUT_VALUES: "true"} if self._entries[TEXT] == NOTHING else {}
        return own_entries(self._sidecar.metadata.metadata) | left_out

    def schema(self) -> pa.Schema:
        """`_kafka`, and `value` where the object has values."""
        fields = [field for field in self._sidecar.schema() if field.name not in _PLACES]
        return pa.schema(fields if self._entries[TEXT] == NOTHING else [*fields, pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, some thousands at a time."""
        stream = open_codec(self._data, self._entries[CODEC])
        schema = self.schema()
        for beside in self._sidecar.batches():
            sizes, heads, lengths = (beside.column(field.name).to_pylist() for field in PLACES)
            text = stream.read(sum(sizes))
            if len(text) != sum(sizes):
                raise ValueError("it ends within a record")
            values: list[bytes | None] = []
            at = 0
            for size, before, length in zip(sizes, heads, lengths, strict=True):
                values.append(None if length is None else self._value(text[at + before : at + before + length]))
                at += size
            made = [pa.array(values, pa.binary()) if name == VALUE else beside.column(name) for name in schema.names]
            yield pa.RecordBatch.from_arrays(made, schema=schema)
        if len(stream.read()) > len(b"\n]"):
            raise ValueError("more follows its last record than ends it")

    def _value(self, text: bytes) -> bytes:
        return base64.b64decode(text, validate=True) if self._entries[TEXT] == BASE64 else bytes(text)
