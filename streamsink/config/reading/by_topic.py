"""Reads `converters.*`: other converters for topics that a regular expression matches. Reads keys; decodes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from streamsink.config.keys.definition import Values
from streamsink.config.reading import names

PREFIX = "converters."
PATTERN = "topics.regex"
_SIDES = ("key.converter", "value.converter")
_OWN = ("value.schema", "archive.value")


def read_patterns(values: Values) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each rule's name, its pattern, and the connector's whole map as it is for the topics that match."""
    aliases = dict.fromkeys(values.items("converters"))
    for stray in sorted({key.split(".")[1] for key in values.raw if key.startswith(PREFIX)} - aliases.keys()):
        values.warn(f"{PREFIX}{stray}: has no effect, converters does not list {stray}")
    for alias in aliases:
        prefix = f"{PREFIX}{alias}."
        own = {key.removeprefix(prefix): text for key, text in values.raw.items() if key.startswith(prefix)}
        pattern = own.pop(PATTERN, "").strip()
        if not pattern:
            values.problem(f"{prefix}{PATTERN}", "is required: the topics that these converters are for")
            continue
        try:
            re.compile(pattern)
        except re.error as error:
            values.problem(f"{prefix}{PATTERN}", f"{pattern!r} is no regular expression: {error}")
            continue
        strange = [key for key in own if not (key in _OWN or any(_of(side, key) for side in _SIDES))]
        for key in strange:
            values.problem(f"{prefix}{key}", f"is not for one topic: only {', '.join((*_SIDES, *_OWN))} are")
        if not any(side in own for side in _SIDES):
            values.problem(f"{prefix}value.converter", "is required, or key.converter")
            continue
        yield alias, pattern, _merged(values.raw, own)


def _merged(raw: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The connector's map with a rule's own keys; settings of a converter that is replaced are not taken over.

    A converter of the same kind keeps them, so that a registry's address needs to be given once.
    """
    kept = {key: text for key, text in raw.items() if key != "converters" and not key.startswith(PREFIX)}
    for side in _SIDES:
        if side in own and _kind(own[side]) != _kind(kept.get(side, "")):
            kept = {key: text for key, text in kept.items() if not _of(side, key)}
    if "value.converter" in own:
        kept.pop("archive.value", None)
        kept.pop("value.schema", None)
    return {**kept, **own}


def _of(side: str, key: str) -> bool:
    return key == side or key.startswith(f"{side}.")


def _kind(text: str) -> object:
    return names.find(names.CONVERTERS, text) or text
