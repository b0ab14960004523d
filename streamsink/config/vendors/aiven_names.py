"""Turns Aiven's file.name.template and prefixes into folders of ours and a template of names. Opens nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamsink.config.keys.definition import Values

NAME_KEY = "file.name.template"
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*(?::\s*(\w+)\s*=\s*(\w+)\s*)?\}\}")
_WIDTHS = {"partition": 10, "start_offset": 20}
_UNITS = ("yyyy", "MM", "dd", "HH")
_NAMED = ("topic", "partition", "start_offset")
EXTENSIONS = {"none": "", "gzip": ".gz", "snappy": ".snappy", "zstd": ".zst"}
HOUR_MS, DAY_MS = "3600000", "86400000"


@dataclass(frozen=True, slots=True)
class Names:
    """How objects are named.

    `folder` is what all names begin with, `template` the rest (`upload/template.py`). `units` are the times that make
    lanes, in the order of the parts of the encoded partition, behind the key's where it makes lanes as well.
    """

    folder: str = ""
    template: str = ""
    units: tuple[str, ...] = ()
    by_key: bool = False


def read_names(values: Values, kind: str, codec: str) -> Names:
    """Read prefix and template; what can't be honoured is a problem.

    Args:
        values: Get the problems and warnings.
        kind: `format.output.type`.
        codec: `file.compression.type`.

    Returns:
        Empty names where there was a problem.
    """
    given = [key for key in ("file.prefix.template", "file.name.prefix") if values.given(key)]
    prefix_key = given[0] if given else "aws.s3.prefix"
    prefix = values.text(prefix_key).strip()
    text = values.text(NAME_KEY).strip()
    if not text:
        pad = ":padding=true" if prefix and prefix_key == "aws.s3.prefix" else ""
        ending = (".avro" if kind == "avro" else "") + EXTENSIONS[codec]
        text = "{{topic}}-{{partition}}-{{start_offset" + pad + "}}" + ending
    problems = len(values.problems)
    parts = _Parts()
    template = _translated(values, prefix_key, prefix, parts) + _translated(values, NAME_KEY, text, parts)
    if len(values.problems) > problems:
        return Names()
    missing = [name for name in _NAMED if f"{{{name}" not in template]
    if missing:
        stem, dot, ending = template.rpartition("/")[2].partition(".")
        added = "".join(f"-{{{name}}}" for name in missing)
        template = template[: len(template) - len(stem + dot + ending)] + f"{stem}{added}{dot}{ending}"
        values.warn(
            f"{NAME_KEY}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} added to names, since an object "
            "is never overwritten: each has its own name, and an object of a key is not replaced by the next"
        )
    folder, slash, _ = template.partition("{")[0].rpartition("/")
    template = template[len(folder) + len(slash) :]
    sample = f"{folder}/{template}" if folder else template
    if any(part in {"", ".", ".."} for part in sample.split("/")):
        values.problem(NAME_KEY, f"makes names with an empty part, '.' or '..': {sample}")
        return Names()
    return Names(folder, template, parts.ordered_units(), parts.by_key)


@dataclass(slots=True)
class _Parts:
    """The variables that make lanes."""

    by_key: bool = False
    units: dict[str, None] | None = None

    def ordered_units(self) -> tuple[str, ...]:
        return tuple(self.units or {})


def _translated(values: Values, key: str, text: str, parts: _Parts) -> str:
    """Our template of one of Aiven's; keys come first in the encoded partition, times in their order behind."""
    wants_key = any(found.group(1) == "key" for found in _VARIABLE.finditer(values.text(NAME_KEY)))
    parts.by_key = parts.by_key or wants_key
    wrong: list[str] = []

    def ours(found: re.Match[str]) -> str:
        name, parameter, value = found.groups()
        match (name, parameter):
            case ("topic", None):
                return "{topic}"
            case ("partition" | "start_offset", None):
                return f"{{{name}}}"
            case ("partition" | "start_offset", "padding") if value in {"true", "false"}:
                return f"{{{name}:{_WIDTHS[name]}}}" if value == "true" else f"{{{name}}}"
            case ("timestamp", "unit") if value in _UNITS:
                units = parts.units = parts.units if parts.units is not None else {}
                units.setdefault(str(value))
                return f"{{path:{list(units).index(str(value)) + (1 if parts.by_key else 0)}}}"
            case ("key", None) if key == NAME_KEY:
                return "{path:0}"
        wrong.append(found.group())
        return ""

    written = _VARIABLE.sub(ours, text)
    if wrong:
        values.problem(
            key, f"{', '.join(wrong)} can't be used: known are topic, partition, start_offset, timestamp, key"
        )
    elif "{{" in written or re.search(r"\{(?!topic|partition|start_offset|path)", written):
        values.problem(key, f"{text!r} has braces that are no variable")
    return written


def time_keys(values: Values, units: tuple[str, ...]) -> dict[str, str]:
    """Make our keys of a partitioner that has the template's times as folders.

    Args:
        values: The map as Aiven's definition reads it: source and zone of the times.
        units: Time formats in the template, such as `yyyy` and `HH`, from the longest unit to the shortest.

    Returns:
        Our keys; none where the template has no times.
    """
    if not units:
        return {}
    event = values.text("file.name.timestamp.source").strip().lower() == "event"
    zone = values.text("file.name.timestamp.timezone").strip()
    return {
        "partitioner.class": "time",
        "path.format": "/".join(units),
        "partition.duration.ms": HOUR_MS if "HH" in units else DAY_MS,
        "timezone": "UTC" if zone in {"", "Z"} else zone,
        "timestamp.extractor": "Record" if event else "Wallclock",
    }
