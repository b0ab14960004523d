"""Parses many JSON objects at once with Arrow's reader, or raises `DoubtError`; never returns rows that may be wrong.

Arrow's reader takes a stream of documents, whose ends need not be the ends of the records. Three facts tie them:

* every value begins with `{` and ends with `}`, and newlines stand between values; inside a document `}` newline `{`
  is never valid (a string holds no bare newline), so no document spans two values and each value holds at least one;
* the number of documents read equals the number of values, so each value holds exactly one;
* nothing after a NUL byte could go unread, since there is none.

What the reader would take but JSON forbids or a double can't hold (NaN, infinities, integers past 2**53 in a double,
invalid UTF-8) is looked for as well. Doubt costs time only: the exact reader then decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from streamsink.decode.json.shape import EMPTY_STRUCT, Kind, Shape, arrow_type, cast_read
from streamsink.decode.json.text import DOUBLE_EXACT_MAX

BYTES_MAX = 1 << 28
"""Values that are longer together are taken in parts."""

_OPEN, _CLOSE = ord("{"), ord("}")
_SPACES = np.frombuffer(b" \t\r\n", np.uint8)
_SPACES_MAX = 4


class DoubtError(Exception):
    """Arrow's reader can't be trusted with these values."""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """A reader's rows, and which of them are in doubt.

    Args:
        arrays: By field of the shape, one row a value; null for fields that only the exact reader reads.
        doubt: Rows that are none of the arrays', whatever stands there.
    """

    arrays: list[pa.Array]
    doubt: npt.NDArray[np.bool_]


class FastReader:
    """Reads values of one shape.

    Args:
        shape: A struct shape.
        others_ignored: Whether fields the shape lacks are left out, instead of raising doubt.
    """

    def __init__(self, shape: Shape, *, others_ignored: bool) -> None:
        wires = {name: wire_type(child) for name, child in shape.fields.items()}
        self.usable = all(wire is not None for wire in wires.values())
        self._types = {name: arrow_type(child) for name, child in shape.fields.items()}
        self._shapes = dict(shape.fields)
        self._demanding = {name: child for name, child in shape.fields.items() if _demands(child)}
        self._others_ignored = others_ignored
        if self.usable:
            self._options = pj.ParseOptions(
                explicit_schema=pa.schema(list(wires.items())),
                newlines_in_values=True,
                unexpected_field_behavior="ignore" if others_ignored else "error",
            )

    def read(self, values: pa.Array) -> RowsRead:
        """One array a field, one row a value, none of them in doubt.

        Args:
            values: Binary, none null.

        Raises:
            DoubtError: The exact reader must decide.
        """
        if len(values) == 0:
            return RowsRead([pa.nulls(0, kind) for kind in self._types.values()], np.zeros(0, bool))
        if not self.usable or not _look_like_objects(values):
            raise DoubtError
        text = joined(values)
        if _holds_nul(text) or (self._others_ignored and (_found(text, b"NaN") or _found(text, b"Inf"))):
            raise DoubtError
        read_options = pj.ReadOptions(use_threads=False, block_size=text.size + 1)
        try:
            table = pj.read_json(pa.BufferReader(text), read_options=read_options, parse_options=self._options)
        except pa.ArrowException as error:
            raise DoubtError from error
        if table.num_rows != len(values):
            raise DoubtError
        arrays = [self._checked(name, table.column(name)) for name in self._types]
        return RowsRead(arrays, np.zeros(len(values), bool))

    def _checked(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if not _doubles_exact(array) or (name in self._demanding and _lacks(array, self._demanding[name])):
            raise DoubtError
        cell = cast_read(array, self._shapes[name])
        if cell.null_count > array.null_count:
            raise DoubtError
        return cell


def wire_type(shape: Shape) -> pa.DataType | None:
    """The type in which Arrow's reader can read values of the shape; None where only the exact reader can."""
    if shape.default is not None or shape.kind is Kind.TEXT:
        return None
    if shape.leaf is not None:
        return shape.leaf.wire
    if shape.item is not None:
        item = wire_type(shape.item)
        # Arrow's reader loses nulls of a list that holds nothing else, and the list then reaches past its values.
        return None if item is None or _holds_null(item) else pa.list_(item)
    if shape.kind is Kind.STRUCT:
        fields = [(name, wire_type(child)) for name, child in shape.fields.items()]
        known = all(wire is not None for _, wire in fields)
        return (pa.struct(fields) if fields else EMPTY_STRUCT) if known else None
    return arrow_type(shape)


def _holds_null(kind: pa.DataType) -> bool:
    return pa.types.is_null(kind) or any(_holds_null(kind.field(at).type) for at in range(kind.num_fields))


def _look_like_objects(values: pa.Array) -> bool:
    if pc.min(pc.binary_length(values)).as_py() < 2:
        return False
    offsets, data = buffers(values)
    if not bool((data[offsets[:-1]] == _OPEN).all()):
        return False
    ends = offsets[1:] - 1
    for _ in range(_SPACES_MAX):
        open_ended = ends[data[ends] != _CLOSE]
        if len(open_ended) == 0:
            break
        if not bool(np.isin(data[open_ended], _SPACES).all()):
            return False
        ends = open_ended - 1
    else:
        return False
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def buffers(values: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Find the bytes of values without copying them.

    Args:
        values: Binary values without nulls, at least one of them with bytes.

    Returns:
        `len(values) + 1` positions, where each value begins and the last one ends, and the bytes that they count in.
    """
    _, offsets, data = values.buffers()
    first = values.offset
    return np.frombuffer(offsets, np.int32)[first : first + len(values) + 1], np.frombuffer(data, np.uint8)


def joined(values: pa.Array) -> pa.Buffer:
    """Join all values by newlines.

    Raises:
        DoubtError: They are too long together.
    """
    if values.nbytes > BYTES_MAX:
        raise DoubtError
    as_one_list = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    text: pa.Buffer = pc.binary_join(as_one_list, b"\n")[0].as_buffer()
    return text


def _holds_nul(text: pa.Buffer) -> bool:
    """The smallest byte is found a hundred times as fast as Arrow's search finds a byte that isn't there."""
    return bool(np.frombuffer(text, np.uint8).min() == 0)


def _found(text: pa.Buffer, word: bytes) -> bool:
    whole = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(np.array([0, text.size], np.int32)), text])
    return bool(pc.find_substring(whole, word)[0].as_py() >= 0)


def _doubles_exact(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_floating(kind):
        if array.null_count == len(array):
            return True
        known = np.abs(array.drop_null().to_numpy(zero_copy_only=False))
        return bool((known < DOUBLE_EXACT_MAX).all())
    if pa.types.is_list(kind):
        return _doubles_exact(array.flatten())
    if pa.types.is_struct(kind):
        return all(_doubles_exact(child) for child in array.flatten())
    return True


def _demands(shape: Shape) -> bool:
    inside = [*shape.fields.values()] if shape.item is None else [shape.item]
    return shape.required or any(_demands(child) for child in inside)


def _lacks(array: pa.Array, shape: Shape) -> bool:
    """Whether a required member of a value that is there is null."""
    if shape.required and array.null_count:
        return True
    if shape.item is not None:
        return _demands(shape.item) and _lacks(array.flatten(), shape.item)
    there = array.drop_null() if shape.fields and array.null_count else array
    return any(_lacks(there.field(name), child) for name, child in shape.fields.items() if _demands(child))
