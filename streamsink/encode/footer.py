"""What a file's own footer, header or sidecar holds beside its rows: our entries, and the Arrow schema. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pyarrow as pa

PREFIX = "streamsink."
"""Entries that describe the object begin with this."""

ARROW_SCHEMA = "ARROW:schema"
"""Where Parquet writers keep the Arrow schema; our other formats use the same name."""


def schema_to_text(schema: pa.Schema) -> str:
    """An Arrow schema as base64 of its IPC message."""
    return base64.b64encode(schema.serialize()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """Read `schema_to_text` back."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def own_entries(metadata: Mapping[bytes, bytes] | Mapping[str, bytes] | None) -> dict[str, str]:
    """The entries that describe the object, of all that a footer or header holds."""
    texts = {_text(key): _text(value) for key, value in (metadata or {}).items() if _text(key).startswith(PREFIX)}
    return dict(sorted(texts.items()))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
