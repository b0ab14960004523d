"""Chooses the format a configuration names. The only place that knows every encoder."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.avro import AvroEncoder
from streamsink.encode.frames import SUFFIXES
from streamsink.encode.jsonl import JsonLinesEncoder
from streamsink.encode.parquet import EXTENSIONS, ParquetEncoder
from streamsink.encode.protocol import FileWriter, Format
from streamsink.encode.raw import RawEncoder
from streamsink.encode.writer import GroupEncoder, RowGroupWriter


def make_format(encoding: Encoding, rotation: Rotation) -> Format:
    """The format of a configuration, with the size its files are cut at."""
    return _Format(encoding, rotation.size_bytes)


@dataclass(frozen=True, slots=True)
class _Format:
    encoding: Encoding
    size_bytes_max: int | None

    @property
    def extension(self) -> str:
        """See `Format.extension`."""
        match self.encoding.kind:
            case FormatKind.PARQUET:
                return EXTENSIONS[self.encoding.codec]
            case FormatKind.AVRO:
                return ".avro"
            case FormatKind.JSONL:
                return f".json{SUFFIXES[self.encoding.codec]}"
            case FormatKind.RAW:
                return f"{self.encoding.raw_extension}{SUFFIXES[self.encoding.codec]}"

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """See `Format.open`."""
        return RowGroupWriter(
            self._encoder(schema, identity),
            row_group_bytes=self.encoding.row_group_bytes,
            size_bytes_max=self.size_bytes_max,
        )

    def _encoder(self, schema: pa.Schema, identity: str) -> GroupEncoder:
        codec, level = self.encoding.codec, self.encoding.level
        match self.encoding.kind:
            case FormatKind.PARQUET:
                return ParquetEncoder(schema, codec, level)
            case FormatKind.AVRO:
                return AvroEncoder(schema, codec, level, identity)
            case FormatKind.JSONL:
                return JsonLinesEncoder(schema, codec, level)
            case FormatKind.RAW:
                return RawEncoder(schema, codec, level, self.encoding.separator)
