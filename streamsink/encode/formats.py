"""Chooses the format that a configuration names. Encodes nothing itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.avro import CODECS, AvroFormat
from streamsink.encode.jsonl import JsonLinesFormat
from streamsink.encode.parquet import EXTENSIONS, ParquetFormat
from streamsink.encode.protocol import Format
from streamsink.encode.raw import RawFormat
from streamsink.encode.stream import SUFFIXES
from streamsink.encode.users import UsersFormat
from streamsink.errors import ConfigError, Problem

_AVRO_NAMES = {"none": "null", "zstd": "zstandard", "gzip": "deflate"}
"""Avro's names of codecs that other formats know under another one."""


def make_format(encoding: Encoding, rotation: Rotation) -> Format:
    """The format an `Encoding` names.

    Args:
        encoding: Kind, codec, level and row group size.
        rotation: Says how large objects may become.

    Raises:
        ConfigError: The format has no such codec.
        TerminalError: A user's format is not installed any more.
    """
    match encoding.kind:
        case FormatKind.PARQUET:
            return ParquetFormat(_checked(encoding, "parquet.codec", EXTENSIONS), rotation)
        case FormatKind.AVRO:
            named = dataclasses.replace(encoding, codec=_AVRO_NAMES.get(encoding.codec, encoding.codec))
            return AvroFormat(_checked(named, "avro.codec", CODECS), rotation)
        case FormatKind.JSONL:
            return JsonLinesFormat(_checked(encoding, "s3.compression.type", SUFFIXES), rotation)
        case FormatKind.RAW:
            return RawFormat(_checked(encoding, "s3.compression.type", SUFFIXES), rotation)
        case FormatKind.USERS:
            return UsersFormat(encoding, rotation)


def _checked(encoding: Encoding, key: str, codecs: Collection[str]) -> Encoding:
    if encoding.codec not in codecs:
        raise ConfigError([Problem(key, f"{encoding.codec!r} is none of {', '.join(codecs)}")])
    return encoding
