"""Named types of Avro schemas: which there are, and schemas with each written out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
"""Types that have no name of their own."""


class AvroSchemaError(ValueError):
    """A text is no Avro schema."""


@dataclass(slots=True)
class Names:
    """Named types with the namespace inside each, and those being looked into."""

    known: dict[str, Any] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    recursive: bool = False


def learned(text: str, references: Mapping[str, str]) -> tuple[Any, Names]:
    """A schema text as JSON, and all named types in it and in what it refers to."""
    names = Names()
    for referenced in references.values():
        _learn(orjson.loads(referenced), "", names)
    schema = orjson.loads(text) if text.lstrip()[:1] in {"{", "[", '"'} else text.strip()
    _learn(schema, "", names)
    return schema, names


def whole_schema(text: str, references: Mapping[str, str]) -> Any:
    """The schema with what it refers to written out at its first use, so that it stands alone.

    Raises:
        AvroSchemaError: It uses a name that is not defined.
    """
    schema, names = learned(text, references)
    return spelled(schema, "", names, set())


def full_name(schema: Mapping[str, Any], space: str) -> tuple[str, str]:
    """A named type's full name, and the namespace inside it."""
    name = str(schema["name"])
    if "." in name:
        return name, name.rpartition(".")[0]
    space = str(schema.get("namespace", space) or "")
    return (f"{space}.{name}" if space else name), space


def _learn(schema: Any, space: str, names: Names) -> None:
    """Remember named types, so that they may be used before or after they are defined."""
    if isinstance(schema, list):
        for branch in schema:
            _learn(branch, space, names)
    elif isinstance(schema, dict):
        kind = schema["type"]
        if kind in {"record", "error", "enum", "fixed"}:
            name, space = full_name(schema, space)
            names.known.setdefault(name, (schema, space))
        for member in schema.get("fields", ()):
            _learn(member["type"], space, names)
        for inside in ("items", "values"):
            if inside in schema:
                _learn(schema[inside], space, names)
        if isinstance(kind, dict | list):
            _learn(kind, space, names)


def resolve(name: str, space: str, names: Names) -> tuple[Any, str]:
    """A named type's definition, and the namespace inside it."""
    for candidate in (f"{space}.{name}" if space and "." not in name else name, name):
        if candidate in names.known:
            found: tuple[Any, str] = names.known[candidate]
            return found
    raise AvroSchemaError(f"it uses {name!r}, which is not defined")


def spelled(schema: Any, space: str, names: Names, done: set[str]) -> Any:  # noqa: PLR0911 - one case a type
    """The schema with each named type written out where it is first met, under its full name."""
    if isinstance(schema, list):
        return [spelled(branch, space, names, done) for branch in schema]
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return schema
        schema, space = resolve(schema, space, names)
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return spelled(kind, space, names, done)
    if kind in {"record", "error", "enum", "fixed"}:
        name, inner = full_name(schema, space)
        if name in done:
            return name
        done.add(name)
        found = {**schema, "name": name}
        found.pop("namespace", None)
        if "fields" in schema:
            found["fields"] = [
                {**member, "type": spelled(member["type"], inner, names, done)} for member in schema["fields"]
            ]
        return found
    inside = {key: spelled(schema[key], space, names, done) for key in ("items", "values") if key in schema}
    if kind in PRIMITIVES or inside:
        return {**schema, **inside}
    return spelled(kind, space, names, done)
