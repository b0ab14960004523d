"""Says in words what a replay gives back where the archive has no original bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from streamsink.config.sink import Converter
from streamsink.decode.registry.values import CONVERTER_KEY
from streamsink.replay.rows import Kind, kind_of

FOREIGN = "foreign"
"""Columns that another program wrote."""

_JSON = "equal to the archived ones but for fields that were null or absent, spaces and the order of fields"
_WORDS = {
    Converter.JSON.value: f"JSON values are {_JSON}; a schema that JsonConverter put around them is not kept",
    Converter.JSON_SCHEMA.value: f"JSON values have their schema's id again, and are {_JSON}",
    Converter.AVRO.value: "Avro values are written in their schema again: the same content, the same bytes where the "
    "serializer wrote arrays and maps as one block",
    Converter.PROTOBUF.value: "Protobuf values are written in their schema again: the same fields, perhaps in another "
    "order, without fields that the schema doesn't know",
    FOREIGN: "another program wrote the columns: values are JSON objects made of them",
}


def made_of(schema: pa.Schema) -> str | None:
    """Name the thing that values must be made of in rows of this schema; None where the original bytes are there."""
    kind = kind_of(schema)
    if kind is Kind.FOREIGN:
        bare = len(schema.names) == 1
        return None if bare else FOREIGN
    if kind is not Kind.COLUMNS:
        return None
    converter = (schema.metadata or {}).get(CONVERTER_KEY.encode())
    return Converter.JSON.value if converter is None else str(converter.decode())


def in_words(made: Iterable[str]) -> str:
    """Say how values come back; "" where all are byte for byte as they were.

    Args:
        made: What `made_of` said of the objects.
    """
    known = sorted(set(made))
    if not known:
        return ""
    other = "values are made by the converter's own class"
    told = "; ".join(_WORDS.get(one, other) for one in known)
    return f"the archive keeps columns only, so values are made of them: {told}"
