"""Raw objects back into rows, and other programs' lines. Reads bytes, knows no store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from streamsink.encode.parquet_read import BATCH_ROWS, ParquetReader
from streamsink.encode.protocol import Data
from streamsink.encode.raw import LENGTH, SEPARATOR, VALUE
from streamsink.encode.stream import lines_of, open_plain
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE


class RawReader:
    """One raw object: its values, and the rest of its records from the sidecar.

    Args:
        name: Its name, whose end tells the compression.
        data: All of it, or a file of it.
        sidecar: Lengths and `_kafka`.

    Raises:
        TerminalError: There is no sidecar.
    """

    def __init__(self, name: str, data: Data, sidecar: bytes | None) -> None:
        if sidecar is None:
            raise TerminalError(
                f"{name} has no sidecar: where its values end, and their keys and offsets, is not known",
                hint="restore the folder _streamsink/sidecar beside the archive",
            )
        self._name = name
        self._data = data
        self._sidecar = ParquetReader(sidecar)

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar."""
        return self._sidecar.footer()

    def schema(self) -> pa.Schema:
        """`_kafka`, where the sidecar has it, and `value`."""
        fields = [field for field in self._sidecar.schema() if field.name != LENGTH.name]
        return pa.schema([*fields, pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, a batch for each row group of the sidecar."""
        entries = self._sidecar.metadata.metadata
        separator = entries[SEPARATOR.encode()]
        stream, position = open_plain(self._data, self._name), 0
        for beside in self._sidecar.batches():
            lengths = beside.column(LENGTH.name).to_pylist()
            plain = memoryview(stream.read(sum(length + len(separator) for length in lengths if length is not None)))
            values: list[bytes | None] = []
            at = 0
            for length in lengths:
                if length is None:
                    values.append(None)
                    continue
                end = at + length
                if plain[end : end + len(separator)] != separator:
                    raise ValueError(f"no separator follows the value at byte {position + at}")
                values.append(bytes(plain[at:end]))
                at = end + len(separator)
            position += at
            envelope = [beside.column(ENVELOPE)] if ENVELOPE in beside.schema.names else []
            yield pa.RecordBatch.from_arrays([*envelope, pa.array(values, pa.binary())], schema=self.schema())
        if rest := len(stream.read()):
            raise ValueError(f"{rest} bytes follow its last value")


class LinesReader:
    """One object of lines that another program wrote: each is a value, as it is.

    Args:
        name: Its name, whose end tells the compression.
        data: All of it, or a file of it.
    """

    def __init__(self, name: str, data: Data) -> None:
        self._name = name
        self._data = data

    def footer(self) -> dict[str, str]:
        """Give no entries: another program wrote none."""
        return {}

    def schema(self) -> pa.Schema:
        """`value`."""
        return pa.schema([pa.field(VALUE, pa.binary())])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows, some thousands at a time."""
        for lines in lines_of(open_plain(self._data, self._name), BATCH_ROWS):
            yield pa.RecordBatch.from_arrays([pa.array(lines, pa.binary())], schema=self.schema())
