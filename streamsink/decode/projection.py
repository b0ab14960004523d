"""Keeps just the fields that encoded partitions are made of. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamsink.decode.json.shape import UNKNOWN, Kind, Shape, joined


class Projection:
    """A choice of fields.

    Args:
        paths: Names, dots for fields inside objects. A name that itself holds the dots counts as well.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._steps = [path.split(".") for path in paths]
        self._skeleton = Shape(Kind.STRUCT, fields=dict.fromkeys(paths, UNKNOWN))
        for steps in self._steps:
            self._skeleton = joined(self._skeleton, _branch(steps))
        whole = {tuple(steps) for steps in self._steps}
        self._overlaps = any(tuple(steps[:count]) in whole for steps in self._steps for count in range(1, len(steps)))

    def kept(self, record: dict[str, Any]) -> dict[str, Any]:
        """The chosen fields of a record."""
        kept = {path: record[path] for path in self._paths if path in record}
        for steps in self._steps:
            if len(steps) > 1:
                _keep_nested(record, kept, steps)
        return kept

    def pruned(self, shape: Shape) -> Shape:
        """The chosen fields of a shape, known or not, and without its demands."""
        named = {name: _lenient(child) for name, child in shape.fields.items() if name in self._paths}
        inside = _chosen(shape, self._steps)
        fields = {name: named.get(name, inside.fields.get(name)) for name in shape.fields}
        return joined(
            self._skeleton, replace(inside, fields={name: of for name, of in fields.items() if of is not None})
        )

    def skips_safely(self, shape: Shape) -> bool:
        """Whether a reader of this shape may skip fields that the shape lacks, as none of them can be a chosen one."""
        return not self._overlaps and _structs(shape) == _structs(self._skeleton)


def _branch(steps: list[str]) -> Shape:
    shape = UNKNOWN
    for step in reversed(steps):
        shape = Shape(Kind.STRUCT, fields={step: shape})
    return shape


def _keep_nested(record: dict[str, Any], kept: dict[str, Any], steps: list[str]) -> None:
    for step in steps[:-1]:
        member = record.get(step)
        if not isinstance(member, dict):
            return
        record, kept = member, kept.setdefault(step, {})
    if steps[-1] in record:
        kept[steps[-1]] = record[steps[-1]]


def _chosen(shape: Shape, paths: list[list[str]]) -> Shape:
    """A struct with the fields on the paths alone; another type as it is."""
    if shape.kind is not Kind.STRUCT or [] in paths:
        return _lenient(shape)
    fields = {}
    for name, child in shape.fields.items():
        below = [steps[1:] for steps in paths if steps[0] == name]
        if below:
            fields[name] = _chosen(child, below)
    return replace(shape, fields=fields, required=False)


def _lenient(shape: Shape) -> Shape:
    fields = {name: _lenient(child) for name, child in shape.fields.items()}
    return replace(shape, fields=fields, required=False)


def _structs(shape: Shape) -> int:
    inside = sum(_structs(child) for child in shape.fields.values())
    if shape.item is not None:
        inside += _structs(shape.item)
    return inside + (shape.kind is Kind.STRUCT)
