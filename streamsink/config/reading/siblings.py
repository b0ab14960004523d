"""Reads which objects of keys and headers stand beside the values' objects, as Confluent has them. Writes nothing."""

from __future__ import annotations

import re
from dataclasses import replace

from streamsink.config.keys.definition import Values
from streamsink.config.reading import names
from streamsink.config.sink import Converter, Encoding, FormatKind, NullValues, Profile, SiblingRules

KEYS, HEADERS = "store.kafka.keys", "store.kafka.headers"
_COMPRESSION = ("s3.compression.type", "gcs.compression.type", "az.compression.type", "compression.type")
_WITH_SCHEMA = frozenset({FormatKind.AVRO, FormatKind.PARQUET})


def read_siblings(
    values: Values, profile: Profile, encoding: Encoding, key_converter: Converter, null_values: NullValues
) -> SiblingRules | None:
    """Read the formats of objects that stand beside the values' objects.

    Args:
        values: Get the problems.
        profile: Whose sink it is.
        encoding: Of the values, whose codecs and separator keys and headers share.
        key_converter: How keys are read.
        null_values: Whether tombstones are written: as keys.

    Returns:
        Formats of keys' and headers' objects; None where there are none.
    """
    if profile is not Profile.CONFLUENT or values.wrong(KEYS, HEADERS) or values.flag("archive.envelope"):
        return None
    keys = _encoding(values, "keys.format.class", encoding) if values.flag(KEYS) else None
    headers = _encoding(values, "headers.format.class", encoding) if values.flag(HEADERS) else None
    if keys is None and headers is None:
        return None
    if headers is not None and headers.kind is FormatKind.RAW:
        values.problem("headers.format.class", "headers are no bytes: use AvroFormat, JsonFormat or ParquetFormat")
    if keys is not None and key_converter is Converter.JSON and keys.kind in _WITH_SCHEMA:
        values.problem(
            "keys.format.class", f"keys of JSON make lines, and no {keys.kind.value}: use JsonFormat, as {KEYS} allows"
        )
    if values.text("format.bytearray.extension").startswith((".keys", ".headers")):
        values.problem("format.bytearray.extension", "is what names of keys and headers end in")
    return SiblingRules(keys, headers, _tombstones(values) if null_values is NullValues.WRITE else "")


def keeps_avro_keys(values: Values, profile: Profile) -> bool:
    """Tell whether keys are stored in Avro objects, in the schema they were written with.

    Args:
        values: The connector's map.
        profile: The product whose connector class was named; only Confluent's has such objects.
    """
    asked = profile is Profile.CONFLUENT and values.flag(KEYS) and not values.flag("archive.envelope")
    return asked and names.find(names.FORMATS, values.text("keys.format.class")) is FormatKind.AVRO


def _tombstones(values: Values) -> str:
    key = "tombstone.encoded.partition"
    folder = values.text(key).strip()
    if not re.fullmatch(r"[A-Za-z0-9._=-]+", folder) or set(folder) == {"."}:
        values.problem(key, f"{folder!r} must be the name of a folder: letters, digits, '.', '_', '=' or '-'")
    return folder


def _encoding(values: Values, key: str, own: Encoding) -> Encoding:
    """The format of keys or headers; its codec is what the same keys say for values."""
    text = values.text(key)
    kind = names.find(names.FORMATS, text)
    if kind is None:
        values.problem(key, names.unknown(names.FORMATS, text))
        kind = FormatKind.AVRO
    if kind is own.kind:
        return own
    match kind:
        case FormatKind.PARQUET:
            codec = values.text("parquet.codec").strip().lower()
            return Encoding(kind, "none" if codec == "uncompressed" else codec)
        case FormatKind.AVRO:
            return Encoding(kind, values.text("avro.codec").strip().lower())
    given = [one for one in _COMPRESSION if values.given(one)]
    codec = values.text(given[0]).strip().lower() if given else "none"
    separator = own.separator if kind is FormatKind.RAW else "\n"
    return replace(own, kind=kind, codec=codec, level=None, separator=separator, plugin=None)
