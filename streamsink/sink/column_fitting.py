"""Brings decoded rows into their topic's column set, where the decoder's own columns widen: a `Decoder` around one.

For values that come with schemas, for plugins' converters and for transforms. A column of the set keeps its type;
what differs goes to a variant, as JSON's values do (`decode/json/placing.py`), a column at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.column_history import TRIES_MAX, ColumnHistory, ColumnShelf
from streamsink.decode.column_set import COLUMNS_KEY, shape_of_type
from streamsink.decode.json.limits import Limits
from streamsink.decode.json.shape import NESTED_FIELDS_MAX, Kind, Shape, arrow_field, arrow_type
from streamsink.decode.protocol import Decoder
from streamsink.record import ENVELOPE, REST, DecodedSlice, RawSlice
from streamsink.sink.typed_texts import has_texts, typed
from streamsink.transform.rows import Member, is_text, struct_of
from streamsink.transform.texts import json_texts

_VARIANTS = ((pa.types.is_boolean, "bool"), (pa.types.is_integer, "int64"), (pa.types.is_floating, "double"))
_INT64_MAX = 2**63 - 1
_SAME = {"bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64(), "string": pa.string(), "json": pa.string()}
_NESTED = Limits(NESTED_FIELDS_MAX, taken=frozenset())


class FittingDecoder:
    """A `Decoder` around another.

    Args:
        decoder: Decodes, and transforms.
        shelf: Keeps the column sets.
        columns_max: How many columns there may be.
        renames: Whether transforms give all records of a topic one other name, whose set they then share with
            whatever else gets that name. Elsewhere a set is the source topic's.
    """

    def __init__(self, decoder: Decoder, shelf: ColumnShelf, columns_max: int, *, renames: bool = False) -> None:
        self._decoder = decoder
        self._shelf = shelf
        self._renames = renames
        self._limits = Limits(columns_max)
        self._topics: dict[str, ColumnHistory] = {}

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """See `Decoder`."""
        return self._decoder.parts(raw)

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; see `Decoder`.

        Raises:
            TransientError: The set has to grow, and the store can't be asked now.
        """
        decoded = self._decoder.decode(raw)
        topic = self._topic(decoded)
        if topic not in self._topics:
            self._topics[topic] = ColumnHistory(self._shelf, topic)
        history = self._topics[topic]
        members = {kind.name: Member(kind, decoded.rows.column(at)) for at, kind in enumerate(decoded.rows.schema)}
        envelope = members.pop(ENVELOPE, None)
        for _ in range(TRIES_MAX):
            fit = _Fit(history.shape, self._limits, decoded.rows.num_rows)
            cells = fit.columns(members)
            if fit.shape is history.shape or history.grow(fit.shape):
                return replace(decoded, rows=_rows(envelope, cells, fit.shape, decoded.rows, history.number))
        raise history.outrun()

    def _topic(self, decoded: DecodedSlice) -> str:
        if self._renames and decoded.topics is not None and len(decoded.topics):
            return str(decoded.topics[0].as_py())
        return decoded.topic_partition.topic


def _rows(
    envelope: Member | None, cells: dict[str, pa.Array], shape: Shape, given: pa.RecordBatch, number: int
) -> pa.RecordBatch:
    fields = [arrow_field(name, child) for name, child in shape.fields.items()]
    arrays = [cells.get(field.name, pa.nulls(given.num_rows, field.type)) for field in fields]
    if envelope is not None:
        fields, arrays = [envelope.field, *fields], [envelope.array, *arrays]
    if not arrays:
        return given
    metadata = {**(given.schema.metadata or {}), COLUMNS_KEY.encode(): str(number).encode()}
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata if number else None))


class _Fit:
    """One attempt to fit a slice into a struct shape, which grows on the way."""

    def __init__(self, shape: Shape, limits: Limits, rows: int) -> None:
        self.shape = shape
        self._limits = limits
        self._rows = rows

    def columns(self, members: dict[str, Member]) -> dict[str, pa.Array]:
        """The values by column of the shape; fields without one go to `_rest`."""
        cells: dict[str, pa.Array] = {}
        left = {name: member for name, member in members.items() if name == REST or not self._put(name, member, cells)}
        if left and any(member.array.null_count < len(member.array) for member in left.values()):
            self._add(REST, Shape(Kind.TEXT, variant_of=REST))
            cells[REST] = _rest(left, self._rows)
        return cells

    def nested(self, members: dict[str, Member]) -> dict[str, pa.Array] | None:
        """As `columns`; None where a field has no place."""
        cells: dict[str, pa.Array] = {}
        return cells if all(self._put(name, member, cells) for name, member in members.items()) else None

    def _put(self, name: str, member: Member, cells: dict[str, pa.Array]) -> bool:
        if member.array.null_count == len(member.array):
            return True
        known = self.shape.fields.get(name)
        if known is None:
            known = _pruned(shape_of_type(member.field.type, text=is_text(member.field)))
            if known is None:
                return self._put_variant(name, member, cells)
            if not self._limits.admit(name, len(self.shape.fields)):
                return False
        elif known.variant_of is not None:
            return False
        if known.kind is not Kind.TEXT and has_texts(member.field):
            return self._put_typed(name, known, member, cells)
        return self._put_beside(name, known, member, cells)

    def _put_typed(self, name: str, known: Shape, member: Member, cells: dict[str, pa.Array]) -> bool:
        """Put JSON texts into a column that has a type."""
        parts = list(typed(json_texts(member.array, text=member.text)))
        places = [self._put_beside(name, self.shape.fields.get(name, known), part, cells) for part in parts]
        return all(places)

    def _put_beside(self, name: str, known: Shape, member: Member, cells: dict[str, pa.Array]) -> bool:
        """Put values into their column, or into its variant where they don't fit it."""
        grown, array, left = _placed(known, member)
        if grown is not self.shape.fields.get(name):
            self._add(name, grown)
        if array is not None:
            _lay(cells, name, array)
        return left is None or self._put_variant(name, Member(member.field, left), cells)

    def _put_variant(self, name: str, member: Member, cells: dict[str, pa.Array]) -> bool:
        """Put values that don't fit their column beside it."""
        suffix, array = _variant(member)
        variant = f"{name}__{suffix}"
        known = self.shape.fields.get(variant)
        if known is None:
            if not self._limits.admit_variant(variant, len(self.shape.fields)):
                return False
            kind = shape_of_type(_SAME[suffix], text=suffix == "json")
            self._add(variant, replace(kind, variant_of=name))
        elif known.variant_of != name:
            return False
        _lay(cells, variant, array)
        return True

    def _add(self, name: str, child: Shape) -> None:
        if self.shape.fields.get(name) is not child and not (name == REST and REST in self.shape.fields):
            self.shape = replace(self.shape, fields={**self.shape.fields, name: child})


def _lay(cells: dict[str, pa.Array], name: str, array: pa.Array) -> None:
    """Lay values over the nulls of a column."""
    cells[name] = pc.coalesce(cells[name], array) if name in cells else array


def _pruned(shape: Shape) -> Shape | None:
    """The shape without places that say nothing of a type; None where nothing is left."""
    if shape.leaf is not None:
        return None if pa.types.is_null(shape.leaf.type) else shape
    if shape.item is not None:
        item = _pruned(shape.item)
        return None if item is None else replace(shape, item=item)
    if shape.kind is Kind.STRUCT:
        fields = {name: inner for name, child in shape.fields.items() if (inner := _pruned(child)) is not None}
        return replace(shape, fields=fields) if fields else None
    return shape


def _placed(  # noqa: PLR0911 - one case a kind
    shape: Shape, member: Member
) -> tuple[Shape, pa.Array | None, pa.Array | None]:
    """The shape, grown by what structs gain; the values that fit it, and the others."""
    array, kind, wanted = member.array, member.array.type, arrow_type(shape)
    if array.null_count == len(array):
        return shape, pa.nulls(len(array), wanted), None
    if shape.kind is Kind.TEXT or member.text:
        fits = shape.kind is Kind.TEXT
        return shape, json_texts(array, text=member.text) if fits else None, None if fits else array
    if shape.kind is Kind.STRUCT and pa.types.is_struct(kind):
        return _placed_struct(shape, member)
    if kind == wanted:
        return shape, array, None
    if shape.item is not None and pa.types.is_list(kind):
        return _placed_list(shape, member)
    if _is_number(kind) and _is_number(wanted):
        return shape, *_numbers(array, wanted)
    return shape, None, array


def _placed_struct(shape: Shape, member: Member) -> tuple[Shape, pa.Array | None, pa.Array | None]:
    array = member.array
    fit = _Fit(shape, _NESTED, len(array))
    inside = {kind.name: Member(kind, cells) for kind, cells in zip(array.type, array.flatten(), strict=True)}
    cells = fit.nested(inside)
    if cells is None:
        return shape, None, array
    members = {
        name: Member(arrow_field(name, child), cells.get(name, pa.nulls(len(array), arrow_type(child))))
        for name, child in fit.shape.fields.items()
    }
    return fit.shape, struct_of(members, len(array), array.is_null() if array.null_count else None), None


def _placed_list(shape: Shape, member: Member) -> tuple[Shape, pa.Array | None, pa.Array | None]:
    array = member.array
    assert shape.item is not None
    item, items, left = _placed(shape.item, Member(array.type.value_field, array.flatten()))
    if left is not None or items is None:
        return shape, None, array
    grown = shape if item is shape.item else replace(shape, item=item)
    lengths = array.value_lengths().fill_null(0)
    ends = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    mask = array.is_null() if array.null_count else None
    return grown, pa.ListArray.from_arrays(ends, items, type=arrow_type(grown), mask=mask), None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _numbers(array: pa.Array, wanted: pa.DataType) -> tuple[pa.Array | None, pa.Array | None]:
    """The numbers that are the same in the wanted type, and the others."""
    if not (pa.types.is_floating(array.type) and pa.types.is_floating(wanted)):
        try:
            return array.cast(wanted), None
        except pa.ArrowInvalid:
            pass
    there = array.cast(wanted, safe=False)
    # Not a number where the way there and back differs, which an infinity does as well.
    same = pc.equal(there.cast(array.type, safe=False), array)
    if pa.types.is_floating(array.type):
        same = pc.or_(same, pc.and_(pc.is_nan(array), pa.types.is_floating(wanted)))
    if same.true_count == len(array) - array.null_count:
        return there, None
    nothing = pa.scalar(None, wanted)
    return pc.if_else(same, there, nothing), pc.if_else(same, pa.scalar(None, array.type), array)


def _variant(member: Member) -> tuple[str, pa.Array]:
    array, kind = member.array, member.array.type
    if member.text:
        return "json", array
    if pa.types.is_string(kind):
        return "string", array
    for is_kind, suffix in _VARIANTS:
        if is_kind(kind) and not (pa.types.is_uint64(kind) and (pc.max(array).as_py() or 0) > _INT64_MAX):
            return suffix, array.cast(_SAME[suffix])
    return "json", json_texts(array, text=False)


def _rest(left: dict[str, Member], rows: int) -> pa.Array:
    """JSON objects of the fields without a column, null where a row has none of them."""
    before = left.pop(REST, None)
    members = {name: member for name, member in left.items() if member.array.null_count < rows}
    if not members:
        return pa.nulls(rows, pa.string()) if before is None else before.array
    absent = pa.array([False] * rows)
    texts = json_texts(struct_of(members, rows, absent), text=False).to_pylist()
    old = [None] * rows if before is None else before.array.to_pylist()
    merged = []
    for text, known in zip(texts, old, strict=True):
        document = {name: value for name, value in orjson.loads(text).items() if value is not None}
        if known is not None:
            document = {**orjson.loads(known), **document}
        merged.append(orjson.dumps(document).decode() if document else None)
    return pa.array(merged, pa.string())
