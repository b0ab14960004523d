"""Checks of single values that key definitions use. Pure: each says what is wrong, or "" if nothing is."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from streamsink.config.keys.definition import Validator, Value
from streamsink.java.zones import zone_of

PATH_LETTERS = "GCYyxMwDdeEaHhKkmsSzZ"
"""Letters of Joda's date patterns."""


def at_least(smallest: int) -> Validator:
    """A number not below `smallest`."""

    def check(value: Value) -> str:
        return "" if isinstance(value, int) and value >= smallest else f"{value} is below {smallest}"

    return check


def between(smallest: int, largest: int) -> Validator:
    """Make a check that takes whole numbers in a range.

    Args:
        smallest: The least that is allowed.
        largest: The most that is allowed.

    Returns:
        A check that says what is wrong, or "".
    """

    def check(value: Value) -> str:
        inside = isinstance(value, int) and smallest <= value <= largest
        return "" if inside else f"{value} is not from {smallest} to {largest}"

    return check


def limit(value: Value) -> str:
    """A rotation limit: a positive number, or -1 for none."""
    usable = isinstance(value, int) and (value == -1 or value > 0)
    return "" if usable else f"{value} is no limit: give a positive number, or -1 for none"


def one_of(known: Collection[str]) -> Validator:
    """One of some words, in any case."""

    def check(value: Value) -> str:
        usable = isinstance(value, str) and value.strip().lower() in {word.lower() for word in known}
        return "" if usable else f"{value!r} is none of {', '.join(sorted(known))}"

    return check


def connector_name(value: Value) -> str:
    """A connector's name: it becomes a group's name, a file's name and a part of URLs."""
    name = str(value)
    if not name.strip():
        return "is empty"
    if re.search(r"[\x00-\x1f\x7f-\x9f]", name):
        return "has control characters"
    if "/" in name or "\\" in name or ".." in name:
        return f"{name!r} has '/', '\\' or '..', which a name can't"
    return ""


def topic_names(value: Value) -> str:
    """Names of Kafka topics."""
    for name in value if isinstance(value, tuple) else (str(value),):
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) or name in {".", ".."}:
            return f"{name!r} is not a topic's name (letters, digits, '.', '_' and '-', at most 249)"
    return ""


def topic_name_or_empty(value: Value) -> str:
    """The name of a Kafka topic, or nothing."""
    return topic_names(value) if value else ""


def regex(value: Value) -> str:
    """A regular expression, or nothing."""
    try:
        re.compile(str(value))
    except re.error as error:
        return f"{value!r} is not a regular expression: {error}"
    return ""


def timezone(value: Value) -> str:
    """A time zone's name, or nothing."""
    name = str(value).strip()
    if not name:
        return ""
    try:
        zone_of(name)
    except ValueError:
        return f"{name!r} is not a time zone; write one like UTC, Europe/Berlin or +02:00"
    return ""


def path_format(value: Value) -> str:
    """A date pattern as Confluent's `path.format`, or nothing."""
    pattern = str(value)
    bare = re.sub(r"'[^']*'", "", pattern)
    if "'" in bare:
        return f"{pattern!r} has a quote that doesn't end"
    if ".." in pattern or re.search(r"[\x00-\x1f\x7f\\]", pattern):
        return f"{pattern!r} has characters that a path can't have"
    for letter in sorted({letter for letter in bare if letter.isascii() and letter.isalpha()}):
        if letter not in PATH_LETTERS:
            return f"{pattern!r}: {letter!r} is no letter of date patterns; put text in single quotes"
    return ""


def value_schema(value: Value) -> str:
    """Connect's JSON form of a struct schema, or nothing."""
    text = str(value).strip()
    if not text:
        return ""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"is not JSON: {error}"
    if not isinstance(schema, dict) or schema.get("type") != "struct":
        return 'must be a schema of {"type":"struct","fields":[...]}'
    fields = schema.get("fields")
    if not isinstance(fields, list) or not fields:
        return "has no fields"
    if not all(isinstance(one, dict) and isinstance(one.get("field"), str) and one.get("type") for one in fields):
        return 'has a field without "field" (its name) or "type"'
    names = [one["field"] for one in fields]
    return "" if len(set(names)) == len(names) else "has two fields of one name"


def writes_words(pattern: str) -> bool:
    """Whether a date pattern writes names of months, days or halves of days, which differ by language."""
    return re.search(r"MMM|E|a", re.sub(r"'[^']*'", "", pattern)) is not None


def relative_folder(value: Value) -> str:
    """A folder below the archive's root, or nothing."""
    text = str(value)
    if text.startswith("/") or ".." in text.split("/") or re.search(r"[\x00-\x1f\x7f\\]", text):
        return f"{text!r} must be a relative path without '..', backslashes and control characters"
    return ""


def delimiter(value: Value) -> str:
    """Check the text that separates the parts of an object's name."""
    text = str(value)
    usable = 1 <= len(text) <= 8 and not re.search(r"[\x00-\x1f\x7f\\%a-zA-Z0-9]|\.\.", text)
    return "" if usable else f"{text!r} can't separate parts of a name"


def http_url(value: Value) -> str:
    """An HTTP URL, or nothing; the scheme may be left out, as Confluent allows."""
    text = str(value).strip()
    usable = not text or re.fullmatch(r"(https?://)?[^\s/?#@]+(/[^\s?#]*)?", text)
    return "" if usable else f"{text!r} is not an http or https URL"
