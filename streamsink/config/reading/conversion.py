"""Reads which converters, format and codec make the archive's objects, and what a value becomes. Decodes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config.keys.definition import Values
from streamsink.config.reading import names
from streamsink.config.reading.plugin_classes import plugin_converter, plugin_format
from streamsink.config.reading.plugins import PluginType, find_plugin
from streamsink.config.reading.registry import WITH_REGISTRY, find_converter
from streamsink.config.reading.transforms import HIDING
from streamsink.config.sink import (
    ArchiveValue,
    Converter,
    Encoding,
    FormatKind,
    HeaderConverter,
    NullValues,
    Profile,
    TransformSpec,
)

MAKES_COLUMNS = WITH_REGISTRY | {Converter.JSON, Converter.BSON, Converter.PLUGIN}
"""Converters that take a value apart."""

_HEADER_CONVERTERS = {
    "": HeaderConverter.SIMPLE,
    "SimpleHeaderConverter": HeaderConverter.SIMPLE,
    "StringConverter": HeaderConverter.STRING,
    "ByteArrayConverter": HeaderConverter.BYTES,
}

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
    values: Values, worker: Mapping[str, str], transforms: tuple[TransformSpec, ...], *, as_avro: bool = False
) -> tuple[Converter, bool]:
    """Read how keys are decoded, and whether JSON comes in Connect's envelope.

    Keys are archived as bytes in any case. A registry's converter is only applied where a transform looks at keys, or
    where keys have Avro objects (`as_avro`).

    Args:
        values: The connector's map; problems and warnings go here.
        worker: The worker's flat map. Its `key.converter` holds where the connector names none.
        transforms: The connector's chain.
        as_avro: Whether keys are stored in Avro objects beside the values' objects.

    Returns:
        The converter, bytes where it is unknown or not applied; and whether the envelope is expected.
    """
    own = values.text("key.converter")
    source = values.raw if own else worker
    text = (own or worker.get("key.converter", "")).strip() or "bytes"
    found = names.find(names.CONVERTERS, text)
    later = text in names.CONVERTERS_LATER or find_plugin(PluginType.CONVERTER, text) is not None
    looked_at = any("key" in one.reads | one.writes for one in transforms) or (as_avro and found is Converter.AVRO)
    if (found in WITH_REGISTRY and not looked_at) or (found is None and later):
        found = Converter.BYTES
        values.warn(f"key.converter: keys are kept as bytes, {text} is not applied to them")
    elif found is None:
        values.problem("key.converter", names.unknown(names.CONVERTERS, text))
    enabled = source.get("key.converter.schemas.enable", "").strip().lower()
    default = text == names.JSON_CONVERTER_CLASS
    return found or Converter.BYTES, {"true": True, "false": False}.get(enabled, default)


def read_header_converter(values: Values, worker: Mapping[str, str], profile: Profile) -> HeaderConverter:
    """Read how headers are understood where another product's sink writes them as text.

    Args:
        values: The connector's map; an unknown converter is warned of here.
        worker: The worker's flat map, which holds where the connector names none.
        profile: Whose files are written.
    """
    text = (values.text("header.converter") or worker.get("header.converter", "")).strip()
    found = _HEADER_CONVERTERS.get(text.rpartition(".")[2])
    if found is None and profile is not Profile.NATIVE:
        values.warn(f"header.converter: {text} is not known: header values are written as texts")
    return found or HeaderConverter.STRING


def read_value_converter(values: Values, worker: Mapping[str, str]) -> tuple[Converter, bool]:
    """Read how values are decoded, and whether JSON comes in Connect's envelope.

    Args:
        values: The connector's map; problems go here.
        worker: The worker's flat map. Its `value.converter` holds where the connector names none.

    Returns:
        The converter, and whether the envelope is expected: by `schemas.enable`, else by Connect's default for the
        class.
    """
    own = values.text("value.converter")
    source = values.raw if own else worker
    text = (own or worker.get("value.converter", "")).strip() or "bytes"
    whose = "" if own else "the worker's "
    plugin = plugin_converter(values, worker)
    found = Converter.PLUGIN if plugin is not None else find_converter(values, "value.converter", text, whose)
    enabled = source.get("value.converter.schemas.enable", "").strip().lower()
    default = text == names.JSON_CONVERTER_CLASS
    return found, {"true": True, "false": False}.get(enabled, default)


def read_replace_null(values: Values, worker: Mapping[str, str], converter: Converter, *, with_schema: bool) -> bool:
    """Tell whether nulls become their schema's defaults.

    Args:
        values: The connector's map; a setting without effect is warned of here.
        worker: The worker's flat map, which holds where the connector names no converter.
        converter: How values are decoded.
        with_schema: Whether JSON values come in Connect's envelope.

    Returns:
        False only where the setting says so.
    """
    key = "value.converter.replace.null.with.default"
    source = values.raw if values.text("value.converter") else worker
    replaces = source.get(key, "").strip().lower() != "false"
    if not replaces and not (converter is Converter.JSON and with_schema):
        values.warn(f"{key}: has no effect on {converter.value} values, whose schemas are not in them")
    return replaces


_OWN_CONVERTERS = frozenset({Converter.BYTES, Converter.STRING, Converter.JSON, Converter.BSON})
_CONVERTER_KEYS = frozenset({"schemas.enable", "replace.null.with.default", "schemas.cache.size", "encoding"})
_REGISTRY_KEYS = _CONVERTER_KEYS | {"auto.register.schemas", "schemas.cache.config", "connect.meta.data"}
"""What can change nothing for one who reads, or makes no difference here."""
_UTF8 = frozenset({"", "utf8", "utf-8"})


def warn_of_idle(values: Values, converter: Converter) -> None:
    """Warn of converter settings that change nothing here. Settings of users' converters are left alone.

    Args:
        values: The connector's map; warnings go here.
        converter: How values are decoded.
    """
    prefix = "value.converter."
    if converter not in _OWN_CONVERTERS | WITH_REGISTRY:
        return
    quiet = _REGISTRY_KEYS if converter in WITH_REGISTRY else _CONVERTER_KEYS
    for key, text in values.raw.items():
        name = key.removeprefix(prefix)
        if not key.startswith(prefix) or key in values.definition:
            continue
        if name not in quiet:
            values.warn(f"{key}: has no effect on {converter.value} values")
        elif name == "encoding" and text.strip().lower() not in _UTF8:
            values.warn(f"{key}: has no effect, texts are read as UTF-8")


def read_encoding(values: Values) -> Encoding:
    """Format, codec and level."""
    text = values.text("format.class")
    kind = names.find(names.FORMATS, text)
    plugin = plugin_format(values) if kind is None else None
    if plugin is not None:
        kind = FormatKind.PLUGIN
        _check_compression(values, kind)
    elif kind is None:
        if not values.wrong("format.class"):
            values.problem("format.class", names.unknown(names.FORMATS, text))
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
        case FormatKind.PLUGIN:
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
            instead = "that is its own matter" if kind is FormatKind.PLUGIN else f"use {kind.value}.codec"
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
    """Decide what a value becomes: as `archive.value` says, else as converter, format and transforms suggest.

    Args:
        values: The connector's map; problems go here.
        profile: The product whose connector class was named.
        converter: How values are decoded.
        kind: The objects' format.
        transforms: The chain. One that changes values makes columns.

    Returns:
        Raw bytes, columns or both. Raw where another key's problem leaves it open.
    """
    said = values.text("archive.value").strip().lower()
    envelope = values.flag("archive.envelope")
    if values.wrong("archive.value", "value.converter", "format.class"):
        return ArchiveValue.RAW
    if said:
        value = ArchiveValue(said)
    elif (converter in MAKES_COLUMNS or _change_values(transforms)) and kind is not FormatKind.RAW:
        hides = any(one.kind in HIDING for one in transforms if "value" in one.writes)
        value = ArchiveValue.BOTH if envelope and not hides else ArchiveValue.COLUMNS
    else:
        value = ArchiveValue.RAW
    _check_transforms(values, value, transforms)
    as_text = converter is Converter.STRING
    if value is not ArchiveValue.RAW and not (converter in MAKES_COLUMNS or as_text or _change_values(transforms)):
        wanted = "makes no columns: use json, string or a converter with a Schema Registry, or archive.value=raw"
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
    """Read how tombstones are treated.

    Args:
        values: The connector's map; problems go here.
        profile: The product whose connector class was named.

    Returns:
        Whether they are written, ignored or fail the task.
    """
    text = values.text("behavior.on.null.values").strip().lower()
    keeps_keys = values.flag("archive.envelope") or values.flag("store.kafka.keys")
    if text == NullValues.WRITE and profile is Profile.CONFLUENT and not keeps_keys:
        values.problem("behavior.on.null.values", "write needs store.kafka.keys=true: of a tombstone its key is stored")
    return NullValues(text)
