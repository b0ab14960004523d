"""Durations and sizes written with their units: `10m`, `128MiB`. Pure; knows a key by its name only."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum

_SIZE_NAMES = frozenset({"memory.bytes.max", "s3.elastic.buffer.init.capacity"})
_MILLISECOND_NAMES = frozenset({"errors.retry.timeout"})

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}


class Quantity(Enum):
    """The thing that a number counts, and the way it is written with a unit."""

    MILLISECONDS = "a time such as 30s, 10m or 2h"
    BYTES = "a size such as 128MiB or 1GB"


def quantity_of(name: str) -> Quantity | None:
    """Find by a key's name the quantity that its number counts.

    Args:
        name: A key's full name.

    Returns:
        None where it is no duration in milliseconds and no size in bytes.
    """
    if name.endswith(".ms") or name in _MILLISECOND_NAMES:
        return Quantity.MILLISECONDS
    if name.endswith((".bytes", "part.size", "block.size")) or name in _SIZE_NAMES:
        return Quantity.BYTES
    return None


def without_unit(quantity: Quantity, text: str) -> str | None:
    """The whole number that a text with a unit stands for.

    Args:
        quantity: What is counted.
        text: As `1.5h` or `64 MiB`. Sizes may be written in any case, times in lower case: M is no minute.

    Returns:
        Digits, or None where the text has no such unit or the number is not whole.
    """
    found = re.fullmatch(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([a-zA-Z]{1,3})", text.strip())
    if found is None:
        return None
    factor = _MILLISECONDS.get(found[2]) if quantity is Quantity.MILLISECONDS else _BYTES.get(found[2].lower())
    if factor is None:
        return None
    number = Decimal(found[1]) * factor
    return str(int(number)) if number == int(number) else None
