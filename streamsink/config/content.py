"""What is in the archive's objects: converters, what a value becomes, format and codec. Decodes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config import names
from streamsink.config.definition import Values
from streamsink.config.own_classes import own_converter, own_format
from streamsink.config.plugins import PluginType, find_plugin
from streamsink.config.registry import WITH_REGISTRY, find_converter
from streamsink.config.sink import (
    ArchiveValue,
    Converter,
    Encoding,
    FormatKind,
    NullValues,
    Profile,
    TransformSpec,
)
from streamsink.config.transforms import HIDING

MAKES_COLUMNS = WITH_REGISTRY | {Converter.JSON, Converter.USERS}
"""Converters that take a value apart."""

COMPRESSION_KEYS = ("compression.type", "s3.compression.type", "gcs.compression.type", "az.compression.type")
LEVELS = {
    "gzip": (1, 9),
    "deflate": (1, 9),
    "bzip2": (1, 9),
    "zstd": (1, 22),
    "zstandard": (1, 22),
    "brotli": (0, 11),
}
"""The levels each codec has; those not here have none."""


def read_key_converter(
    values: Values, worker: Mapping[str, str], transforms: tuple[TransformSpec, ...]
) -> tuple[Converter, bool]:
    """How keys are read, and whether JSON comes in Connect's envelope.

    Keys are archived as bytes in any case: those of a registry's converters are only read for transforms.
    """
    own = values.text("key.converter")
    source = values.raw if own else worker
    text = (own or worker.get("key.converter", "")).strip() or "bytes"
    found = names.find(names.CONVERTERS, text)
    later = text in names.CONVERTERS_LATER or find_plugin(PluginType.CONVERTER, text) is not None
    looked_at = any("key" in one.reads | one.writes for one in transforms)
    if (found in WITH_REGISTRY and not looked_at) or (found is None and later):
        found = Converter.BYTES
        values.warn(f"key.converter: keys are kept as bytes, {text} is not applied to them")
    elif found is None:
        values.problem("key.converter", f"{text!r} is unknown; known are {names.known_short(names.CONVERTERS)}")
    enabled = source.get("key.converter.schemas.enable", "").strip().lower()
    default = text == names.JSON_CONVERTER_CLASS
    return found or Converter.BYTES, {"true": True, "false": False}.get(enabled, default)


def read_value_converter(values: Values, worker: Mapping[str, str]) -> tuple[Converter, bool]:
    """How values are read, and whether JSON comes in Connect's envelope."""
    own = values.text("value.converter")
    source = values.raw if own else worker
    text = (own or worker.get("value.converter", "")).strip() or "bytes"
    whose = "" if own else "the worker's "
    plugin = own_converter(values, worker)
    found = Converter.USERS if plugin is not None else find_converter(values, "value.converter", text, whose)
    enabled = source.get("value.converter.schemas.enable", "").strip().lower()
    default = text == names.JSON_CONVERTER_CLASS
    return found, {"true": True, "false": False}.get(enabled, default)


def read_encoding(values: Values) -> Encoding:
    """Format, codec and level."""
    text = values.text("format.class")
    kind = names.find(names.FORMATS, text)
    plugin = own_format(values) if kind is None else None
    if plugin is not None:
        kind = FormatKind.USERS
        _check_compression(values, kind)
    elif kind is None:
        if not values.wrong("format.class"):
            values.problem("format.class", f"{text!r} is unknown; known are {names.known_short(names.FORMATS)}")
        kind = FormatKind.PARQUET
    else:
        _check_compression(values, kind)
    codec = _codec(values, kind)
    extension = values.text("format.bytearray.extension")
    if (
        not extension.startswith(".")
        or not all(char.isalnum() or char in "._-" for char in extension)
        or ".." in extension
    ):
        values.problem("format.bytearray.extension", f"{extension!r} must be a dot and then letters or digits")
    return Encoding(
        kind=kind,
        codec=codec,
        level=_level(values, codec),
        row_group_bytes=values.whole("row.group.bytes"),
        separator=values.text("format.bytearray.separator"),
        raw_extension=extension,
        plugin=plugin,
    )


def _codec(values: Values, kind: FormatKind) -> str:
    match kind:
        case FormatKind.PARQUET:
            codec = values.text("parquet.codec").strip().lower()
            return "none" if codec == "uncompressed" else codec
        case FormatKind.AVRO:
            return values.text("avro.codec").strip().lower()
        case FormatKind.USERS:
            return "none"
        case FormatKind.JSONL | FormatKind.RAW:
            given = [key for key in COMPRESSION_KEYS if values.given(key)]
            codecs = {values.text(key).strip().lower() for key in given}
            if len(codecs) > 1:
                values.problem(given[1], f"says another codec than {given[0]}: give one of them")
            return values.text(given[0]).strip().lower() if given else "none"


def _check_compression(values: Values, kind: FormatKind) -> None:
    if kind in {FormatKind.JSONL, FormatKind.RAW}:
        return
    for key in COMPRESSION_KEYS:
        if values.text(key).strip().lower() != "none":
            instead = "that is its own matter" if kind is FormatKind.USERS else f"use {kind.value}.codec"
            values.problem(key, f"is for JSON Lines and raw objects only: {instead}")


def _level(values: Values, codec: str) -> int | None:
    given = [key for key in ("compression.level", "s3.compression.level") if values.whole(key) != -1]
    if not given:
        return None
    level = values.whole(given[0])
    if codec not in LEVELS:
        values.problem(given[0], f"the codec {codec} has no levels")
        return None
    low, high = LEVELS[codec]
    if not low <= level <= high:
        values.problem(given[0], f"{level} is not from {low} to {high}, the levels of {codec}")
    return level


def read_archive_value(
    values: Values,
    profile: Profile,
    converter: Converter,
    kind: FormatKind,
    transforms: tuple[TransformSpec, ...] = (),
) -> ArchiveValue:
    """What a value becomes: as said, else what converter, format and transforms suggest."""
    said = values.text("archive.value").strip().lower()
    envelope = values.flag("archive.envelope")
    if values.wrong("archive.value", "value.converter", "format.class"):
        return ArchiveValue.RAW
    if said:
        value = ArchiveValue(said)
    elif (converter in MAKES_COLUMNS or _change_values(transforms)) and kind is not FormatKind.RAW:
        value = ArchiveValue.COLUMNS
    else:
        value = ArchiveValue.RAW
    _check_transforms(values, value, transforms)
    if value is not ArchiveValue.RAW and converter not in MAKES_COLUMNS and not _change_values(transforms):
        wanted = "makes no columns: use json or a converter with a Schema Registry, or archive.value=raw"
        values.problem("value.converter", f"{converter.value} {wanted}")
    if value is not ArchiveValue.RAW and kind is FormatKind.RAW:
        values.problem("archive.value", "raw objects hold values as they are: use raw, or another format.class")
    if value is ArchiveValue.BOTH and not envelope:
        values.problem(
            "archive.value", "both keeps the value's bytes in _kafka, which archive.envelope=false leaves out"
        )
    if (
        profile is not Profile.NATIVE
        and not said
        and not envelope
        and (value, kind) == (ArchiveValue.RAW, FormatKind.JSONL)
    ):
        values.problem(
            "value.converter",
            f"{converter.value} values as JSON Lines are not what this class writes elsewhere: use JsonConverter, or "
            "set archive.value=raw to have them as base64",
        )
    if values.given("value.schema") and value is ArchiveValue.RAW:
        values.warn("value.schema: has no effect, since archive.value is raw")
    return value


def _change_values(transforms: tuple[TransformSpec, ...]) -> bool:
    return any("value" in one.writes for one in transforms)


def _check_transforms(values: Values, value: ArchiveValue, transforms: tuple[TransformSpec, ...]) -> None:
    """Bytes kept as they are can't have been changed, and would still hold what a transform hides."""
    changing = [one for one in transforms if "value" in one.writes]
    if changing and value is ArchiveValue.RAW:
        values.problem(
            "archive.value",
            f"raw keeps values' bytes as they are, and the transform {changing[0].name} changes values: use columns "
            "and a format.class other than raw",
        )
    hiding = [one for one in changing if one.kind in HIDING]
    if hiding and value is ArchiveValue.BOTH:
        values.problem(
            "archive.value",
            f"both keeps values' bytes as well, with what the transform {hiding[0].name} hides: use columns",
        )


def read_null_values(values: Values, profile: Profile) -> NullValues:
    """What tombstones do."""
    text = values.text("behavior.on.null.values").strip().lower()
    if text == NullValues.WRITE and profile is Profile.CONFLUENT and not values.flag("archive.envelope"):
        values.problem("behavior.on.null.values", "write needs archive.envelope=true: a tombstone is its key alone")
    return NullValues(text)
