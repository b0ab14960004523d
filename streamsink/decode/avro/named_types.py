"""Named types of Avro schemas: which there are, and schemas with each written out. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
"""Types without a name."""


class AvroSchemaError(ValueError):
    """A text is no Avro schema."""


@dataclass(slots=True)
class Names:
    """Named types with the namespace inside each, and those being looked into."""

    known: dict[str, Any] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    recursive: bool = False


def learned(text: str, references: Mapping[str, str]) -> tuple[Any, Names]:
    """Read a schema text and collect its named types.

    Args:
        text: The schema: JSON, or a primitive type's bare name.
        references: Texts of the schemas that it refers to, by name.

    Returns:
        The schema as JSON, and all named types in it and in its references.
    """
    names = Names()
    for referenced in references.values():
        _learn(orjson.loads(referenced), "", names)
    schema = orjson.loads(text) if text.lstrip()[:1] in {"{", "[", '"'} else text.strip()
    _learn(schema, "", names)
    return schema, names


def whole_schema(text: str, references: Mapping[str, str]) -> Any:
    """Write out each referenced type at its first use, so that the schema stands alone.

    Args:
        text: The schema: JSON, or a primitive type's bare name.
        references: Texts of the schemas that it refers to, by name.

    Raises:
        AvroSchemaError: It uses a name that is not defined.
    """
    schema, names = learned(text, references)
    return spelled(schema, "", names, set())


def full_name(schema: Mapping[str, Any], space: str) -> tuple[str, str]:
    """Find a named type's full name.

    Args:
        schema: The type's definition.
        space: The namespace around it; empty for none.

    Returns:
        The full name, and the namespace inside the type.
    """
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
    """Look a named type up: first in the namespace, then as a full name.

    Args:
        name: The name as the schema uses it.
        space: The namespace around its use; empty for none.
        names: All named types.

    Returns:
        The type's definition, and the namespace around it.

    Raises:
        AvroSchemaError: The name is not defined.
    """
    for candidate in (f"{space}.{name}" if space and "." not in name else name, name):
        if candidate in names.known:
            found: tuple[Any, str] = names.known[candidate]
            return found
    raise AvroSchemaError(f"it uses {name!r}, which is not defined")


def spelled(schema: Any, space: str, names: Names, done: set[str]) -> Any:  # noqa: PLR0911 - one case a type
    """Write out each named type where it is first met, under its full name; later uses are the name alone.

    Args:
        schema: The schema, as JSON.
        space: The namespace around it; empty for none.
        names: All named types.
        done: Full names that were written out already; grows.

    Raises:
        AvroSchemaError: It uses a name that is not defined.
    """
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
