"""Decides whether values are written as other products' sinks write JSON, each by itself. Writes nothing."""

from __future__ import annotations

from dataclasses import replace

from streamsink.config.keys.definition import Values
from streamsink.config.sink import (
    Converter,
    Encoding,
    FormatKind,
    JsonForm,
    LineRules,
    Profile,
    TransformSpec,
)

_EXTENSION = ".json"


def read_lines(
    values: Values,
    profile: Profile,
    converter: Converter,
    encoding: Encoding,
    transforms: tuple[TransformSpec, ...],
    *,
    schemas_enable: bool,
) -> LineRules | None:
    """Decide how values are written as JSON Lines without becoming columns first.

    Args:
        values: The connector's map.
        profile: The product whose connector class was named; our class has no such lines.
        converter: How values are decoded.
        encoding: Format and codec of the objects.
        transforms: The chain. One that changes values needs columns.
        schemas_enable: Whether JSON values come in Connect's envelope.

    Returns:
        The rules for lines, or None where values become columns first.
    """
    if profile is Profile.NATIVE or encoding.kind is not FormatKind.JSONL:
        return None
    if values.text("archive.value").strip() or values.items("converters"):
        return None
    if converter not in {Converter.JSON, Converter.STRING, Converter.BYTES}:
        return None
    has_schemas = converter is Converter.JSON and schemas_enable
    # A transform that reads values sees the line, which says the same only of JSON without schemas.
    alike = converter is Converter.JSON and not has_schemas
    if any("value" in one.writes or ("value" in one.reads and not alike) for one in transforms):
        return None
    numeric = values.text("json.decimal.format").strip().upper() == "NUMERIC"
    return LineRules(schemas_enable=has_schemas, decimal_numeric=numeric)


def json_form(values: Values, profile: Profile, encoding: Encoding) -> JsonForm:
    """Choose how JSON of columns has dates, times and decimals: Connect's way under another product's class.

    Args:
        values: The connector's configuration; `archive.value` keeps ISO 8601, `json.decimal.format` decides on
            decimals.
        profile: The product whose class the connector names.
        encoding: The objects' format; only JSON Lines have Connect's way.
    """
    if profile is Profile.NATIVE or encoding.kind is not FormatKind.JSONL or values.text("archive.value").strip():
        return JsonForm.ISO
    numeric = profile is Profile.LENSES or values.text("json.decimal.format").strip().upper() == "NUMERIC"
    return JsonForm.CONNECT_NUMERIC if numeric else JsonForm.CONNECT


def as_lines(encoding: Encoding) -> Encoding:
    """Objects of such lines: raw ones of Confluent's names."""
    return replace(encoding, kind=FormatKind.RAW, separator="\n", raw_extension=_EXTENSION)
