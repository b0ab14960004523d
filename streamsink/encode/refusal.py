"""Finds rows that a format can't hold before they reach a file. Encodes only rows in doubt, and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

Encode = Callable[[pa.RecordBatch], object]


def refused_rows(rows: pa.RecordBatch, encode: Encode) -> dict[int, str]:
    """Why rows can't be encoded, by row.

    Args:
        rows: Encoded as a whole first; where that fails they are halved until each row at fault is alone.
        encode: Encodes rows and throws the bytes away. It may raise anything.
    """
    whole = _failure(rows, encode)
    if not whole:
        return {}
    if rows.num_rows and (always := _failure(rows.slice(0, 0), encode)):
        return dict.fromkeys(range(rows.num_rows), always)
    return _halved(rows, encode, 0, whole)


class Doubts:
    """Asks a format's encoder only where rows are in doubt: of a schema not met yet, or null where they must not be."""

    def __init__(self) -> None:
        self._known: pa.Schema | None = None

    def refused(self, rows: pa.RecordBatch, encode: Encode) -> dict[int, str]:
        """Find rows that can't be held, as `refused_rows` does, and encode only rows in doubt.

        Nothing is encoded for a schema that is known to be held, where no null is misplaced.

        Args:
            rows: The rows to hold, of one schema.
            encode: Encodes rows, and raises where it can't.

        Returns:
            The reason by row; rows that can be held are not in it.
        """
        if self._known is not None and self._known.equals(rows.schema) and not has_misplaced_null(rows):
            return {}
        found = refused_rows(rows, encode)
        if len(found) < rows.num_rows:
            self._known = rows.schema
        return found


def has_misplaced_null(rows: pa.RecordBatch) -> bool:
    """Whether a field that must not be null is null in some row."""
    return any(_misplaced(field, column) for field, column in zip(rows.schema, rows.columns, strict=True))


def _misplaced(field: pa.Field, column: pa.Array) -> bool:
    if not field.nullable and column.null_count and not types.is_null(field.type):
        return True
    type_ = field.type
    if types.is_struct(type_):
        children = column.flatten() if column.null_count else [column.field(at) for at in range(type_.num_fields)]
        return any(_misplaced(type_.field(at), child) for at, child in enumerate(children))
    if types.is_list(type_) or types.is_large_list(type_):
        return _has_required(type_.value_field) and _misplaced(type_.value_field, column.flatten())
    if types.is_map(type_):
        keys, items = (column.keys, column.items) if not column.offset else column.flatten().flatten()
        return _misplaced(type_.key_field, keys) or _misplaced(type_.item_field, items)
    return False


def _has_required(field: pa.Field) -> bool:
    type_ = field.type
    return not field.nullable or any(_has_required(type_.field(at)) for at in range(type_.num_fields))


def _halved(rows: pa.RecordBatch, encode: Encode, first: int, why: str) -> dict[int, str]:
    if rows.num_rows == 1:
        return {first: why}
    found: dict[int, str] = {}
    middle = rows.num_rows // 2
    for start, part in ((0, rows.slice(0, middle)), (middle, rows.slice(middle))):
        reason = _failure(part, encode)
        if reason:
            found |= _halved(part, encode, first + start, reason)
    return found


def _failure(rows: pa.RecordBatch, encode: Encode) -> str:
    try:
        encode(rows)
    except Exception as error:  # noqa: BLE001 - a library or a plugin may do anything with rows
        return str(getattr(error, "message", "")) or str(error) or type(error).__name__
    return ""
