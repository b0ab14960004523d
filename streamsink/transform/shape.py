"""Keeps the columns that a topic's transformed values have so far; they only widen, so that files close seldom.

Rows that a predicate passes over lack what others get: without this, each such slice would begin a new file.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streamsink.record import ENVELOPE
from streamsink.transform.rows import Datum, Member, field_of
from streamsink.transform.type_union import InexactError, fitted, united

VALUE = "value"
"""The column of a value that has no fields."""


class OutputShape:
    """The columns of one topic's values. Not thread-safe."""

    def __init__(self) -> None:
        self._fields: dict[str, pa.Field] = {}

    def columns(self, data: Sequence[Datum]) -> dict[str, Member]:
        """Make columns of all data's values, one after the other. The shape widens where they need it."""
        parts = [(columns_of(datum), len(datum.array)) for datum in data]
        for members, _ in parts:
            for name, member in members.items():
                known = self._fields.get(name)
                self._fields[name] = member.field if known is None else united(known, member.field)
        return {name: self._column(name, parts) for name in self._fields}

    def _column(self, name: str, parts: Sequence[tuple[dict[str, Member], int]]) -> Member:
        try:
            arrays = [_fitted(self._fields[name], members.get(name), rows) for members, rows in parts]
        except InexactError:
            self._fields[name] = field_of(name, pa.string(), text=True)
            arrays = [_fitted(self._fields[name], members.get(name), rows) for members, rows in parts]
        return Member(self._fields[name], arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays))


def _fitted(field: pa.Field, member: Member | None, rows: int) -> pa.Array:
    return pa.nulls(rows, field.type) if member is None else fitted(member.array, member.field, field)


def columns_of(datum: Datum) -> dict[str, Member]:
    """A value's fields, or itself as the one column `value`; none may be called what the envelope is.

    Values of which each is null say nothing of columns.
    """
    if datum.array.null_count == len(datum.array):
        found = {}
    elif datum.is_struct:
        found = datum.fields()
    else:
        found = {VALUE: Member(field_of(VALUE, datum.array.type, text=datum.text), datum.array)}
    names = {name: f"{name}_" if name.rstrip("_") == ENVELOPE else name for name in found}
    return {names[name]: member.named(names[name]) for name, member in found.items()}
