"""Reads many JSON objects at once with the native library; names the rows that only the exact reader can judge.

It gives a value the place that `placing.py` would give it: its column, or the variant beside it. A field that is
unknown, a value that has no place, a key that comes twice, and bytes that are no JSON leave the row in doubt.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.json.defaults import has_defaults
from streamsink.decode.json.fast_reader import DoubtError, RowsRead
from streamsink.decode.json.row_checks import Mask
from streamsink.decode.json.shape import Kind, Shape, arrow_field, arrow_type, cast_read
from streamsink.native.json_reader import make_reader
from streamsink.record import REST

_ABSENT = 0xFFFF
_REQUIRED, _STRICT, _SKIPPING, _RESTING = 1, 2, 4, 8
_VARIANTS = ("bool", "int64", "double", "string", "json")
_PLAIN = {Kind.BOOL: b"b", Kind.DOUBLE: b"d", Kind.STRING: b"s"}
_WIRES = {
    pa.bool_(): b"b",
    pa.int8(): b"i\x08",
    pa.int16(): b"i\x10",
    pa.int32(): b"i\x20",
    pa.int64(): b"i\x40",
    pa.float64(): b"d",
    pa.string(): b"s",
}


class UnreadableError(Exception):
    """The native library can't read a place."""


class NativeReader:
    """Reads values of one shape, as `RowReader` and `FastReader` do.

    Args:
        shape: A struct shape.
        base: The part of it in the archive's set: other places may still change their types. None where columns widen:
            what doesn't fit is in doubt then, and so is a null field that the shape lacks.
        others_ignored: Whether fields the shape lacks are passed over.
        rest_but: Fields the shape lacks go to `_rest`, but for these; None where they are in doubt.

    Raises:
        UnreadableError: There is no native library, or it can't read any such values.
    """

    outdated = False
    usable = True

    def __init__(
        self,
        shape: Shape,
        base: Shape | None,
        *,
        others_ignored: bool = False,
        rest_but: frozenset[str] | None = None,
    ) -> None:
        # A text may stand where a chosen field was to be inside an object.
        if has_defaults(shape) or (others_ignored and _holds_text(shape)):
            raise UnreadableError
        flags = _SKIPPING if others_ignored else _STRICT if base is None else 0
        places, wires = [], []
        for name, child in shape.fields.items():
            try:
                known = None if base is None else base.fields.get(name)
                description, wire = _described(child, known, flags), _wire(child)
            except UnreadableError:
                description, wire = _with_flags(b"n", child, _STRICT), pa.null()
            places.append((name, description))
            wires.append((name, wire))
        description = _struct(shape, places, flags)
        if rest_but is not None and REST in shape.fields and not _has_orphans(shape):
            description = _struct(shape, places, flags | _RESTING) + _rest(shape, rest_but)
        reader = make_reader(description, pa.struct(wires)) if places else None
        if reader is None:
            raise UnreadableError
        self._reader = reader
        # Most columns come in their type: with a thousand columns, asking each one costs more than reading it.
        self._casts = [
            (at, child)
            for at, (child, (_, wire)) in enumerate(zip(shape.fields.values(), wires, strict=True))
            if not _comes_so(child, wire)
        ]

    def read(self, values: pa.Array) -> RowsRead:
        """Read the sure rows: one array a field.

        Args:
            values: Binary, none null.

        Raises:
            DoubtError: All rows are in doubt.
        """
        found = self._reader.read(values)
        if found is None:
            raise DoubtError
        columns, doubt = found
        # No row of the struct is null, so these are its columns as they are.
        arrays = columns.flatten()
        for at, child in self._casts:
            arrays[at] = _cast(arrays[at], child, doubt)
        return RowsRead(arrays, doubt)


def _holds_text(shape: Shape) -> bool:
    inside = [*shape.fields.values()] if shape.item is None else [shape.item]
    return shape.kind is Kind.TEXT or any(_holds_text(child) for child in inside)


def _described(  # noqa: PLR0911 - one case a kind
    shape: Shape, base: Shape | None, flags: int, *, inside: bool = False
) -> bytes:
    """The place as `src/place.rs` reads it.

    Raises:
        UnreadableError: It is of a type that JSON has no plain values for.
    """
    # What is fresh may become another type by a value that fits it now.
    fresh = base is None and not shape.declared
    if shape.leaf is not None:
        code = None if shape.leaf.wire is None else _WIRES.get(shape.leaf.wire)
        if code is None or (inside and shape.leaf.cast is not None):
            raise UnreadableError
        return _with_flags(code, shape, _STRICT)
    widens = _STRICT if flags else 0
    match shape.kind:
        case Kind.INT:
            return _with_flags(b"i\x40", shape, _STRICT if fresh else widens)
        case Kind.LIST:
            assert shape.item is not None
            item = _described(shape.item, None if base is None else base.item, flags, inside=True)
            return _with_flags(b"l", shape, widens) + item
        case Kind.STRUCT:
            fields = {} if base is None else base.fields
            places = [
                (name, _described(child, fields.get(name), flags, inside=True)) for name, child in shape.fields.items()
            ]
            return _struct(shape, places, flags)
        case Kind.NULL:
            return _with_flags(b"n", shape, _STRICT)
        case Kind.TEXT:
            # Where columns widen, a text stays one.
            return _with_flags(b"j", shape, _STRICT if fresh and not flags else 0)
    return _with_flags(_PLAIN[shape.kind], shape, widens)


def _with_flags(code: bytes, shape: Shape, flags: int) -> bytes:
    return code[:1] + bytes([flags | (_REQUIRED if shape.required else 0)]) + code[1:]


def _struct(shape: Shape, places: list[tuple[str, bytes]], flags: int) -> bytes:
    numbers = {name: number for number, name in enumerate(shape.fields)}
    parts = [_with_flags(b"{", shape, flags), struct.pack("<H", len(places))]
    for name, place in places:
        child, encoded = shape.fields[name], name.encode()
        variants = []
        for suffix in _VARIANTS:
            variant = shape.fields.get(f"{name}__{suffix}")
            known = child.variant_of is None and variant is not None and variant.variant_of == name
            variants.append(numbers[f"{name}__{suffix}"] if known else _ABSENT)
        parts += [struct.pack("<?5HH", child.variant_of is not None, *variants, len(encoded)), encoded, place]
    return b"".join(parts)


def _rest(shape: Shape, rest_but: frozenset[str]) -> bytes:
    variants = {name for name, child in shape.fields.items() if child.variant_of is not None}
    reserved = [name.encode() for name in rest_but | variants]
    parts = [struct.pack("<HH", list(shape.fields).index(REST), len(reserved))]
    for name in reserved:
        parts += [struct.pack("<H", len(name)), name]
    return b"".join(parts)


def _has_orphans(shape: Shape) -> bool:
    """Whether there is a variant of a field that has no column: such a field's values may go there."""
    return any(
        child.variant_of is not None
        and child.variant_of not in shape.fields
        and name.startswith(f"{child.variant_of}__")
        for name, child in shape.fields.items()
    )


def _wire(shape: Shape) -> pa.DataType:
    """The type that the library gives the place."""
    if shape.leaf is not None:
        return shape.leaf.wire
    if shape.item is not None:
        return pa.list_(arrow_field("item", shape.item).with_type(_wire(shape.item)))
    if shape.kind is Kind.STRUCT and shape.fields:
        return pa.struct([arrow_field(name, child).with_type(_wire(child)) for name, child in shape.fields.items()])
    return arrow_type(shape)


def _comes_so(shape: Shape, wire: pa.DataType) -> bool:
    """Whether the library gives the place in the shape's own type."""
    return (shape.leaf is None or shape.leaf.cast is None) and bool(wire == arrow_type(shape))


def _cast(array: pa.Array, shape: Shape, doubt: Mask) -> pa.Array:
    """The values in the shape's type; rows that may not be so are marked."""
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), arrow_type(shape))
    cell = cast_read(array, shape)
    if cell.null_count > array.null_count:
        doubt |= np.asarray(pc.and_not(cell.is_null(), array.is_null()))
    return cell
