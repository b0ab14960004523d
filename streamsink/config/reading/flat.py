"""Reads flat maps from YAML, JSON and Java properties texts, strictly: no value is guessed. Opens no file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import yaml

INITIAL_STATES = ("RUNNING", "PAUSED", "STOPPED")


class FlatMapError(ValueError):
    """A text is not a flat map; `line` says where, None where that is unknown. Turned into a problem by `files`."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def parse_yaml(text: str) -> dict[str, str]:
    """A YAML mapping, its scalars as they are written: `yes`, `0123` and `null` stay these words.

    Raises:
        FlatMapError: It isn't flat, has a key twice, or isn't YAML.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FlatMapError(error.problem or error.context or "is not YAML", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise FlatMapError(f"is not YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise FlatMapError("is not a map of keys to values", root.start_mark.line + 1)
    flat: dict[str, str] = {}
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise FlatMapError("has a key that is not a word", line)
        key = key_node.value
        if key in flat:
            raise FlatMapError(f"{key} is given twice", line)
        flat[key] = _yaml_value(key, value_node)
    return flat


def _yaml_value(key: str, node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
            raise FlatMapError(f"{key} has a list of more than plain values", line)
        return ",".join(item.value for item in node.value)
    raise FlatMapError(f"{key} has a nested map: write each key in full, as {key}.something: value", line)


def parse_json(text: str) -> dict[str, str]:
    """A JSON object of plain values, or Connect's `{"name", "config"}`; numbers as they are written.

    Raises:
        FlatMapError: It isn't flat, has a key twice, or isn't JSON.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in found]
        for key in keys:
            if keys.count(key) > 1:
                raise FlatMapError(f"{key} is given twice", _line_of(text, key))
        return dict(found)

    try:
        root = json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise FlatMapError(f"is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise FlatMapError("is nested too deeply") from None
    if not isinstance(root, dict):
        raise FlatMapError("is not an object of keys and values", 1)
    name = root.get("name")
    if isinstance(root.get("config"), dict):
        root = root["config"]
        if name is not None and root.setdefault("name", name) != name:
            raise FlatMapError(f"has two names, {name} and {root['name']}", _line_of(text, "name"))
    return {key: _json_value(text, key, value) for key, value in root.items() if value is not None}


def parse_initial_state(text: str) -> str:
    """Read the initial state of Connect's `{"name", "config", "initial_state"}`; "" where there is none.

    Raises:
        FlatMapError: It is no state; other mistakes of the text are `parse_json`'s to tell.
    """
    root = json.loads(text)
    state = root.get("initial_state") if isinstance(root, dict) and isinstance(root.get("config"), dict) else None
    if state is None:
        return ""
    found = state.strip().upper() if isinstance(state, str) else ""
    if found not in INITIAL_STATES:
        raise FlatMapError(f"initial_state is none of {', '.join(INITIAL_STATES)}", _line_of(text, "initial_state"))
    return found


def _json_value(text: str, key: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return ",".join(value)
        case list():
            raise FlatMapError(f"{key} has a list of more than plain values", _line_of(text, key))
        case _:
            raise FlatMapError(
                f"{key} has a nested object: write each key in full, as {key}.something", _line_of(text, key)
            )


def _line_of(text: str, key: str) -> int | None:
    """Where a key is first written; JSON's parser doesn't tell."""
    found = re.search(re.escape(json.dumps(key)) + r"\s*:", text)
    return text.count("\n", 0, found.start()) + 1 if found else None


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> dict[str, str]:
    """Java's properties: `key=value`, `key: value`, comments, continued lines, escapes, values' trailing spaces kept.

    Raises:
        FlatMapError: A key is given twice, or an escape is wrong.
    """
    flat: dict[str, str] = {}
    for line, logical in _logical_lines(text):
        found = re.match(r"((?:\\.|[^\\=:\s])*)\s*[=:]?\s*", logical, re.DOTALL)
        assert found is not None
        key = _unescape(found[1], line)
        if key in flat:
            raise FlatMapError(f"{key} is given twice", line)
        flat[key] = _unescape(logical[found.end() :], line)
    return flat


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines joined where they end in an odd number of backslashes, comments and empty ones left out."""
    lines: list[tuple[int, str]] = []
    pending: tuple[int, str] | None = None
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        stripped = line.lstrip()
        if pending is None and (not stripped or stripped[0] in "#!"):
            continue
        start, before = pending or (number, "")
        trailing = len(stripped) - len(stripped.rstrip("\\"))
        joined = before + (stripped[:-1] if trailing % 2 else stripped)
        pending = (start, joined) if trailing % 2 else None
        if pending is None:
            lines.append((start, joined))
    if pending is not None:
        lines.append(pending)
    return lines


def _unescape(text: str, line: int) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1][0] == "u":
            if len(found[1]) != 5:
                raise FlatMapError("has \\u without four hexadecimal digits after it", line)
            return chr(int(found[1][1:], 16))
        return _ESCAPES.get(found[1], found[1])

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", replace, text, flags=re.DOTALL)


PARSERS: dict[str, Callable[[str], dict[str, str]]] = {
    ".yaml": parse_yaml,
    ".yml": parse_yaml,
    ".json": parse_json,
    ".properties": parse_properties,
}
"""By a file's suffix."""
