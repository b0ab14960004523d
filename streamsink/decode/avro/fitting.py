"""Checks whether values of one Avro schema survive in the columns of another. Pure."""

from __future__ import annotations

from streamsink.decode.avro.types import AvroKind, AvroType

_TEXTS = {AvroKind.STRING, AvroKind.BYTES}


def takes(wide: AvroType, narrow: AvroType) -> bool:  # noqa: PLR0911 - one rule a line
    """Whether each value of `narrow` that has a place in the columns of `wide` is a value of `wide` there.

    Columns tell less than schemas: an enum's symbols are text there, as free text is.

    Args:
        wide: The type whose columns hold the values.
        narrow: The type that the values were written with.
    """
    if narrow.nullable and not wide.nullable:
        return False
    narrow, wide = _alone(narrow), _alone(wide)
    if narrow.kind is AvroKind.NULL:
        return True
    if wide.kind is AvroKind.JSON or narrow.kind is AvroKind.JSON:
        return wide.kind is narrow.kind and wide.schema == narrow.schema
    if narrow.kind is AvroKind.ENUM:
        return wide.kind in _TEXTS or (wide.kind is AvroKind.ENUM and set(narrow.symbols) <= set(wide.symbols))
    nested = {AvroKind.RECORD, AvroKind.UNION, AvroKind.ENUM, AvroKind.ARRAY, AvroKind.MAP}
    if wide.kind is not narrow.kind and {wide.kind, narrow.kind} & nested:
        return False
    match narrow.kind:
        case AvroKind.ARRAY | AvroKind.MAP:
            return takes(wide.children[0], narrow.children[0])
        case AvroKind.RECORD | AvroKind.UNION:
            return _members(wide, narrow)
    return True


def _alone(type_: AvroType) -> AvroType:
    """What a union of null and one type holds; any other type itself."""
    values = [child for at, child in enumerate(type_.children) if at != type_.null_branch]
    return values[0] if type_.kind is AvroKind.UNION and len(values) == 1 else type_


def _members(wide: AvroType, narrow: AvroType) -> bool:
    inside = dict(zip(narrow.names, narrow.children, strict=True))
    if narrow.kind is AvroKind.UNION and set(narrow.names) - set(wide.names):
        return False
    return all(
        takes(child, inside[name]) for name, child in zip(wide.names, wide.children, strict=True) if name in inside
    )
