"""Puts in the defaults that a record's own schema declares, so that a topic's shape needs none. Pure: no I/O, no clock.

Schemas of one topic may declare different defaults for one field; each record gets those it came with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamsink.decode.json.shape import Kind, Shape


def has_defaults(shape: Shape) -> bool:
    """Whether the shape declares a default anywhere outside its maps."""
    if shape.default is not None or (shape.item is not None and has_defaults(shape.item)):
        return True
    return any(has_defaults(child) for child in shape.fields.values())


def without_defaults(shape: Shape) -> Shape:
    """The shape of values that were filled in."""
    fields = {name: without_defaults(child) for name, child in shape.fields.items()}
    item = None if shape.item is None else without_defaults(shape.item)
    return replace(shape, fields=fields, item=item, default=None)


def filled(shape: Shape, value: Any) -> Any:
    """Put a schema's defaults where the value has null or nothing, as Connect's `replace.null.with.default`.

    Args:
        shape: The schema, with its defaults.
        value: Parsed JSON that fits the schema.
    """
    if value is None:
        value = shape.default
    if shape.kind is Kind.STRUCT and isinstance(value, dict):
        members = {name: filled(child, value.get(name)) for name, child in shape.fields.items()}
        return {**value, **{name: member for name, member in members.items() if member is not None}}
    if shape.item is not None and isinstance(value, list):
        return [filled(shape.item, member) for member in value]
    return value
