"""Reads many BSON documents at once into a shape's columns, and names those that need the exact reader.

Documents of one layout, the same fields in the same order, are read together, a field at a time. Where a topic has
more layouts than `LAYOUTS_MAX` in a slice, the rest is in doubt. Doubt costs time only: the exact reader then decides.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamsink.decode.bson import positions as at
from streamsink.decode.bson.cells import column
from streamsink.decode.bson.positions import Data, Int64s, Mask, Values
from streamsink.decode.json.fast_reader import RowsRead
from streamsink.decode.json.shape import Shape, arrow_type

LAYOUTS_MAX = 12
ALIKE_MIN = 16
"""So few documents are not worth a layout."""


def read_rows(values: pa.BinaryArray, shape: Shape) -> RowsRead:
    """Read the sure rows: one array a field of the shape.

    Args:
        values: Documents, none null.
        shape: A struct.
    """
    _, ends, content = values.buffers()
    offsets = np.frombuffer(ends, np.int32, len(values) + 1, values.offset * 4).astype(np.int64)
    used = np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]] if content is not None else np.empty(0, np.uint8)
    offsets -= offsets[0]
    arrays, doubt = _Documents(Data(used)).read(offsets[:-1], offsets[1:], shape)
    return RowsRead(arrays, doubt)


class _Documents:
    """Documents in some bytes."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def read(self, starts: Int64s, ends: Int64s, shape: Shape) -> tuple[list[pa.Array], Mask]:
        """The columns of documents that lie from here to there, and which are in doubt."""
        doubt = ~at.whole_documents(self._data, starts, ends)
        left = np.flatnonzero(~doubt)
        parts: list[tuple[Int64s, list[pa.Array]]] = []
        for _ in range(LAYOUTS_MAX):
            if left.size < min(ALIKE_MIN, starts.size):
                break
            first = left[0]
            names = at.layout_of(self._data, int(starts[first]), int(ends[first]))
            if names is None:
                doubt[first] = True
                left = left[1:]
                continue
            alike, values = at.find_values(self._data, names, starts[left], ends[left])
            rows = left[alike]
            arrays, wrong = self._columns(dict(zip(names, values, strict=True)), alike, rows.size, shape)
            doubt[rows[wrong]] = True
            parts.append((rows, arrays))
            left = left[~alike]
        doubt[left] = True
        return _joined(parts, shape, starts.size), doubt

    def _columns(
        self, found: dict[bytes, Values], alike: Mask, count: int, shape: Shape
    ) -> tuple[list[pa.Array], Mask]:
        """The columns of the documents that are alike."""
        wrong = np.zeros(count, bool)
        arrays: list[pa.Array] = []
        known = {name.encode() + b"\0": child for name, child in shape.fields.items()}
        for name, child in known.items():
            values = found.get(name)
            if child.variant_of is not None:
                empty = self._empty_of(name, child, known, found, alike)
                arrays.append(pa.nulls(count, arrow_type(child)) if empty is None else empty)
                continue
            if values is None:
                arrays.append(pa.nulls(count, arrow_type(child)))
                wrong |= child.required
                continue
            array, doubt = column(self._data, values.of(alike), child, self.read)
            arrays.append(array)
            wrong |= doubt
        for name, values in found.items():
            # A field without a column, or with the name of another's variant, is the exact reader's.
            if name in known and known[name].variant_of is None:
                continue
            types = values.types[alike]
            doubt = (types != at.NULL) & (types != at.UNDEFINED)
            variant = known.get(_variant(name))
            if name not in known and variant is not None and variant.variant_of is not None:
                doubt &= ~self._is_empty(values)[alike]
            wrong |= doubt
        return arrays, wrong

    def _is_empty(self, values: Values) -> Mask:
        """Find whole documents and arrays without members: they tell no type, and are texts until one does."""
        empty = np.isin(values.types, (at.DOCUMENT, at.ARRAY)) & (values.sizes == at.EMPTY_BYTES)
        return np.asarray(empty & (self._data.bytes[np.where(empty, values.starts + 4, 0)] == 0), bool)

    def _empty_of(
        self, name: bytes, child: Shape, known: dict[bytes, Shape], found: dict[bytes, Values], alike: Mask
    ) -> pa.Array | None:
        """The texts of a field's empty documents and arrays, where it has no column yet and this is its variant."""
        field = (child.variant_of or "").encode() + b"\0"
        values = found.get(field)
        if values is None or field in known or name != _variant(field):
            return None
        types, empty = values.types[alike], self._is_empty(values)[alike]
        texts = np.where(types == at.ARRAY, "[]", "{}").astype(object)
        return pa.array(texts, pa.string(), mask=~empty)


def _variant(name: bytes) -> bytes:
    return name[:-1] + b"__json\0"


def _joined(parts: list[tuple[Int64s, list[pa.Array]]], shape: Shape, count: int) -> list[pa.Array]:
    """The columns of all documents, in their order; null where no part has one."""
    if not parts:
        return [pa.nulls(count, arrow_type(child)) for child in shape.fields.values()]
    if len(parts) == 1 and parts[0][0].size == count:
        return parts[0][1]
    order, absent = np.zeros(count, np.int64), np.ones(count, bool)
    rows = np.concatenate([part for part, _ in parts])
    order[rows], absent[rows] = np.arange(rows.size), False
    places = pa.array(order, mask=absent)
    return [pa.concat_arrays(list(same)).take(places) for same in zip(*(arrays for _, arrays in parts), strict=True)]
