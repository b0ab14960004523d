"""Reads and writes the entries of a footer, header or sidecar: ours, and the Arrow schema. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping

import pyarrow as pa

PREFIX = "streamsink."
"""Entries that describe the object begin with this."""

TAIL_BYTES = 64 * 1024
"""Read first when only a footer or header is wanted; most fit."""

ARROW_SCHEMA = "ARROW:schema"
"""Where Parquet writers keep the Arrow schema; our other formats use the same name."""

SCHEMA_CHECKSUM = "ARROW:schema.crc32"
"""Beside it, where we write it: in hexadecimal."""

SCHEMA_ENTRIES = (ARROW_SCHEMA, SCHEMA_CHECKSUM)

_WIDTH_MAX = 2**24


def schema_to_text(schema: pa.Schema) -> str:
    """An Arrow schema as base64 of its IPC message."""
    return base64.b64encode(schema.serialize()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """Read `schema_to_text` back."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def schema_entries(schema: pa.Schema) -> dict[str, str]:
    """The entries of a header or sidecar for an Arrow schema: the schema, and its checksum."""
    text = schema_to_text(schema)
    return {ARROW_SCHEMA: text, SCHEMA_CHECKSUM: _checksum(text)}


def schema_of(entries: Mapping[str, str]) -> pa.Schema | None:
    """Read `schema_entries` back; None where there is no schema.

    Raises:
        ValueError: It is damaged: Arrow believes what a schema says, and ends the process on some that can't be.
    """
    text = entries.get(ARROW_SCHEMA)
    if text is None:
        return None
    if entries.get(SCHEMA_CHECKSUM, _checksum(text)) != _checksum(text):
        raise ValueError("the checksum of its Arrow schema differs")
    schema = schema_from_text(text)
    for field in schema:
        _check(field.type)
    return schema


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _check(type_: pa.DataType) -> None:
    """Of schemas without a checksum, refuse what Arrow takes and can't work with."""
    wrong = pa.types.is_decimal(type_) and not -type_.precision <= type_.scale <= type_.precision
    wrong = wrong or (pa.types.is_fixed_size_binary(type_) and not 0 <= type_.byte_width < _WIDTH_MAX)
    wrong = wrong or (pa.types.is_fixed_size_list(type_) and not 0 <= type_.list_size < _WIDTH_MAX)
    if wrong:
        raise ValueError(f"its Arrow schema has the type {type_}, which there is none of")
    for at in range(type_.num_fields):
        _check(type_.field(at).type)


def own_entries(metadata: Mapping[bytes, bytes] | Mapping[str, bytes] | None) -> dict[str, str]:
    """The entries that describe the object, of all that a footer or header holds."""
    texts = ((_text(key), value) for key, value in (metadata or {}).items())
    return dict(sorted((key, _text(value)) for key, value in texts if key.startswith(PREFIX)))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
