"""Checks of transforms' settings: each says what is wrong, or "" if nothing is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamsink.config.keys.definition import Validator, Value
from streamsink.java import regex
from streamsink.java.dates import DateFormat

CAST_TYPES = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string")


def exactly(known: tuple[str, ...]) -> Validator:
    """One of some words, as they are written."""

    def validate(value: Value) -> str:
        return "" if value in known else f"{value!r} is none of {', '.join(known)}"

    return validate


def _items(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def filled(value: Value) -> str:
    """A text or list that isn't empty."""
    return "" if value else "is empty"


def pairs(value: Value) -> str:
    """A list of two names with a colon between them."""
    wrong = [item for item in _items(value) if len(item.split(":")) != 2 or not all(item.split(":"))]
    return f"{wrong[0]!r} is not two names with a colon between them" if wrong else ""


def cast_spec(value: Value) -> str:
    """Cast's list of fields and types, or one type."""
    whole = [item for item in _items(value) if ":" not in item]
    for item in _items(value):
        name, colon, target = item.rpartition(":")
        if target.strip().lower() not in CAST_TYPES:
            return f"{item!r}: {target!r} is none of {', '.join(CAST_TYPES)}"
        if colon and (not name or ":" in name):
            return f"{item!r} is not a field, a colon and a type"
    if whole and len(_items(value)) > 1:
        return "has a type for the whole value, and more"
    return "" if _items(value) else "names nothing to cast"


def readable_by(attempt: Callable[[str], object]) -> Validator:
    """A text that something can be made of."""

    def validate(value: Value) -> str:
        try:
            attempt(str(value))
        except ValueError as error:
            return str(error)
        return ""

    return validate


def date_format(value: Value) -> str:
    """A pattern of SimpleDateFormat, or nothing."""
    return readable_by(DateFormat)(value) if str(value).strip() else ""


def insertions(settings: Mapping[str, str]) -> str:
    """InsertField's settings as a whole."""
    kinds = ("topic", "partition", "offset", "timestamp", "static")
    given = [kind for kind in kinds if settings.get(f"{kind}.field", "").strip()]
    if not given:
        return "topic.field: nothing to insert: give one of topic.field, partition.field, offset.field, timestamp.field"
    return "static.value: is needed with static.field" if "static" in given and not settings.get("static.value") else ""


def literal_given(settings: Mapping[str, str]) -> str:
    """InsertHeader has a value, an empty one too."""
    return "" if "value.literal" in settings else "value.literal: is required and has no default"


def as_many(settings: Mapping[str, str]) -> str:
    """Check that HeaderFrom's two lists are equally long."""
    fields, headers = (settings.get(key, "").split(",") for key in ("fields", "headers"))
    return "" if len(fields) == len(headers) else "headers: has not as many names as fields"


def format_for_string(settings: Mapping[str, str]) -> str:
    """TimestampConverter's settings as a whole."""
    needed = settings.get("target.type", "").strip() == "string" and not settings.get("format", "").strip()
    return "format: is needed with target.type=string" if needed else ""


def replacement_fits(settings: Mapping[str, str]) -> str:
    """RegexRouter's replacement names groups that the pattern has."""
    try:
        regex.check_replacement(regex.compiled(settings.get("regex", "")), settings.get("replacement", ""))
    except ValueError as error:
        return f"replacement: {error}"
    return ""


def name_or_version(settings: Mapping[str, str]) -> str:
    """SetSchemaMetadata has something to set."""
    given = settings.get("schema.name", "").strip() or settings.get("schema.version", "").strip()
    return "" if given else "schema.name: neither schema.name nor schema.version is given"
