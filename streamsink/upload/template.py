"""Makes objects' names by a template, as other products' sinks have them, and reads them back. Pure.

A template's variables are {topic}, {partition:10} and {start_offset:20} with a width or without, {path:0} for one part
of the encoded partition and {path} for all of it. All else stands for itself; `config` makes them of vendors' keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_VARIABLE = re.compile(r"\{(topic|partition|start_offset|path)(?::([0-9]+))?\}")
_TOPIC, _NUMBER = "[A-Za-z0-9._-]+", "[0-9]+"


@dataclass(frozen=True, slots=True)
class Filled:
    """The values of a template's variables."""

    topic: str
    encoded_partition: str
    partition: int
    start_offset: int


def render(template: str, filled: Filled) -> str:
    """Put values into a template.

    Args:
        template: As the module describes it.
        filled: The values.

    Example:
        >>> render("{topic}/{path:0}/{partition}-{start_offset:5}", Filled("t", "2026/11", 3, 7))
        't/2026/3-00007'
    """
    parts = filled.encoded_partition.split("/")

    def value(found: re.Match[str]) -> str:
        name, number = found.group(1), found.group(2)
        match name:
            case "topic":
                return filled.topic
            case "path":
                return filled.encoded_partition if number is None else parts[int(number)]
            case "partition":
                return str(filled.partition).zfill(int(number or 0))
        return str(filled.start_offset).zfill(int(number or 0))

    return _VARIABLE.sub(value, template)


def fill(template: str, name: str) -> Filled | None:
    """Read values out of a name; None where the template didn't make it.

    Args:
        template: As the module describes it.
        name: A name below `topics.dir`, without its extension.
    """
    pattern, parts = _pattern(template)
    found = pattern.fullmatch(name)
    if found is None:
        return None
    groups = found.groupdict()
    path = groups["path"] if "path" in groups else "/".join(groups[f"path{part}"] for part in range(parts))
    filled = Filled(groups["topic"], path, int(groups["partition"]), int(groups["start_offset"]))
    return filled if render(template, filled) == name else None


def head(template: str, topic: str) -> str:
    """The prefix of all names of a topic.

    Args:
        template: As the module describes it.
        topic: The topic's name.
    """
    before = template.replace("{topic}", topic)
    return before.partition("{")[0]


@lru_cache(64)
def _pattern(template: str) -> tuple[re.Pattern[str], int]:
    written: list[str] = []
    known: set[str] = set()
    at = 0
    for found in _VARIABLE.finditer(template):
        written.append(re.escape(template[at : found.start()]))
        at = found.end()
        name, number = found.group(1), found.group(2)
        group = f"path{number}" if name == "path" and number is not None else name
        text = {"topic": _TOPIC, "path": "[^/]+" if number is not None else ".+"}.get(name, _NUMBER)
        # A second time it may have another width: the caller renders the values and compares.
        written.append(f"(?:{text})" if group in known else f"(?P<{group}>{text})")
        known.add(group)
    written.append(re.escape(template[at:]))
    parts = sum(1 for group in known if re.fullmatch("path[0-9]+", group))
    return re.compile("".join(written)), parts
