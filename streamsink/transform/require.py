"""Checks that transforms make of their rows and settings, and the errors where one fails. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from streamsink.errors import TransformError
from streamsink.transform.rows import Datum, Mask, Member, mask_of, struct_of
from streamsink.transform.type_union import concatenated

Settings = Mapping[str, str]


def items(settings: Settings, key: str) -> list[str]:
    """Read a list, as Connect splits it.

    Args:
        settings: The transform's settings.
        key: Its key. A missing one is an empty list.

    Returns:
        The items without spaces around them, without empty ones.
    """
    return [item.strip() for item in settings.get(key, "").split(",") if item.strip()]


def pairs(settings: Settings, key: str) -> dict[str, str]:
    """Read a list of `left:right`.

    Args:
        settings: The transform's settings.
        key: Its key. A missing one gives no pairs.

    Returns:
        Right by left. The last one holds where a left comes twice.

    Raises:
        ValueError: An item is none.
    """
    found: dict[str, str] = {}
    for item in items(settings, key):
        parts = item.split(":")
        if len(parts) != 2 or not all(parts):
            raise ValueError(f"{key}: {item!r} is not two names with a colon between them")
        found[parts[0].strip()] = parts[1].strip()
    return found


def refuse(mask: Mask, message: str) -> None:
    """Refuse the marked rows, if there are any.

    Args:
        mask: One flag for each row.
        message: What is wrong with each of them.

    Raises:
        TransformError: Naming them.
    """
    if mask.any():
        raise TransformError(message, rows=dict.fromkeys(np.flatnonzero(mask).tolist(), message))


def all_struct(datum: Datum, purpose: str, *, nulls: bool) -> Datum:
    """Make sure that all values have fields. A datum of nothing but nulls becomes one without fields.

    Args:
        datum: The keys or values, one a row.
        purpose: What the transform does, for the error: "only structs can be had for PURPOSE".
        nulls: Whether null values are let through.

    Returns:
        The same datum, or one of structs without fields where all values are null.

    Raises:
        TransformError: For the rows that are otherwise.
    """
    absent = mask_of(datum.array.is_null())
    wanted = "structs" if datum.declared else "objects"
    if not nulls:
        refuse(absent, f"only {wanted} can be had for {purpose}, found null")
    if datum.is_struct:
        return datum
    refuse(~absent, f"only {wanted} can be had for {purpose}, found {told(datum)}")
    return datum.of(struct_of({}, len(absent), pa.array(absent)))


def told(datum: Datum) -> str:
    """Name the kind of a value, for messages."""
    return "JSON of several types" if datum.text else str(datum.array.type)


def mapped(array: pa.Array, change: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    """Change each distinct value by a function, for which Arrow has no kernel. Null stays null.

    Args:
        array: Of no nested type.
        change: Raises ValueError for what it can't take.
        kind: Of the results.

    Returns:
        One result a row.

    Raises:
        TransformError: For the rows whose values it couldn't.
    """
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    encoded = array.dictionary_encode()
    results: list[Any] = []
    wrong: dict[int, str] = {}
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            results.append(None if value is None else change(value))
        except (ValueError, OverflowError) as error:
            wrong[code] = str(error)
            results.append(None)
    if wrong:
        codes = encoded.indices.to_pylist()
        rows = {row: wrong[code] for row, code in enumerate(codes) if code in wrong}
        raise TransformError(next(iter(wrong.values())), rows=rows)
    return pa.array(results, kind).take(encoded.indices)


def coalesced(first: Member | None, then: Member) -> Member:
    """Put a field where another of its name may be. Of each record the later one holds, else the first.

    Args:
        first: The field that is there; None for none.
        then: The field that is put there, as many rows.

    Returns:
        The later field, its nulls filled from the first. The type holds both.
    """
    if first is None or not then.array.null_count:
        return then
    both = concatenated([first, then])
    rows = len(then.array)
    chosen = np.where(mask_of(then.array.is_valid()), np.arange(rows) + rows, np.arange(rows))
    return Member(both.field, both.array.take(pa.array(chosen)))
