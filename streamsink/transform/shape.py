"""The columns that a topic's transformed values have so far; they only ever widen, so that files close seldom.

Rows that a predicate passes over lack what others get: without this, each such slice would begin a new file.
"""

from __future__ import annotations

import pyarrow as pa

from streamsink.record import ENVELOPE
from streamsink.transform.rows import Datum, Member, field_of
from streamsink.transform.unite import VALUE, InexactError, fitted, united


class OutputShape:
    """The columns of one topic's values. Not thread-safe."""

    def __init__(self) -> None:
        self._fields: dict[str, pa.Field] = {}

    def columns(self, datum: Datum) -> dict[str, Member]:
        """The values as columns of the shape, which widens where they need it."""
        members = columns_of(datum)
        for name, member in members.items():
            known = self._fields.get(name)
            self._fields[name] = member.field if known is None else united(known, member.field)
        rows = len(datum.array)
        return {name: self._fitted(name, members.get(name), rows) for name in self._fields}

    def _fitted(self, name: str, member: Member | None, rows: int) -> Member:
        field = self._fields[name]
        if member is None:
            return Member(field, pa.nulls(rows, field.type))
        try:
            return Member(field, fitted(member.array, member.field, field))
        except InexactError:
            field = self._fields[name] = field_of(name, pa.string(), text=True)
            return Member(field, fitted(member.array, member.field, field))


def columns_of(datum: Datum) -> dict[str, Member]:
    """A value's fields, or itself as the one column `value`; none may be called what the envelope is."""
    if datum.is_struct:
        found = datum.fields()
    elif pa.types.is_null(datum.array.type):
        found = {}
    else:
        found = {VALUE: Member(field_of(VALUE, datum.array.type, text=datum.text), datum.array)}
    names = {name: f"{name}_" if name.rstrip("_") == ENVELOPE else name for name in found}
    return {names[name]: member.named(names[name]) for name, member in found.items()}
