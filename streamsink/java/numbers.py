"""Numbers as Java writes and reads them. Pure: imports nothing of ours."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

import numpy as np

INT_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

_WHOLE = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[\x00-\x20]*([+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?))[\x00-\x20]*"
)


def double_text(value: float) -> str:
    """`Double.toString`: `1.0`, `1.0E7`, `NaN`."""
    return _text(value, repr(float(value)))


def float_text(value: float) -> str:
    """`Float.toString` of a single-precision number."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return _text(float(single), np.format_float_scientific(single, unique=True, trim="-"))


def big_integer_bytes(value: int) -> bytes:
    """`BigInteger.toByteArray`: two's complement, as few bytes as it needs."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return value.to_bytes(size, signed=True)


def unscaled_bytes(number: Decimal) -> bytes:
    """`BigDecimal.unscaledValue` in bytes: all digits of a finite number without its point, however many."""
    sign, digits, _ = number.as_tuple()
    return big_integer_bytes(int("".join(map(str, digits))) * (-1 if sign else 1))


def _text(value: float, shortest: str) -> str:
    if math.isnan(value):
        return "NaN"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if math.isinf(value):
        return f"{sign}Infinity"
    if value == 0:
        return f"{sign}0.0"
    digits_of = Decimal(shortest).normalize().as_tuple()
    if len(digits_of.digits) == 1:
        # Java writes two digits at least, those nearest to the number: 4.9E-324 where 5E-324 would do.
        digits_of = Decimal(f"{value:.1e}").normalize().as_tuple()
    digits = "".join(map(str, digits_of.digits))
    assert isinstance(digits_of.exponent, int)
    point = len(digits) + digits_of.exponent
    if 1e-3 <= abs(value) < 1e7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        whole, rest = digits[:point].ljust(point, "0"), digits[point:] or "0"
        return f"{sign}{whole}.{rest}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


def parse_whole(text: str, bits: int) -> int:
    """Parse a whole number as `Byte.parseByte` to `Long.parseLong` do.

    Args:
        text: The number.
        bits: Its size: 8, 16, 32 or 64.

    Raises:
        ValueError: It is no whole number of that size.
    """
    if not _WHOLE.fullmatch(text) or not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
        raise ValueError(f"{shown(text)} is no whole number of {bits} bits")
    return int(text)


def parse_float(text: str) -> float:
    """`Double.parseDouble`, but for hexadecimal floats.

    Raises:
        ValueError: It is no number.
    """
    found = _FLOAT.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no number")
    return float(found[1].rstrip("fFdD") if found[1][-1:] in "fFdD" else found[1])


def wrapped(value: int, bits: int) -> int:
    """Cut a whole number to its lowest bits, as Java's narrowing casts do.

    Args:
        value: Any whole number.
        bits: How many bits stay, the sign among them.
    """
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if low >> (bits - 1) else low


def whole_of(value: float, bits: int) -> int:
    """Cast a double to a whole number as Java does: towards zero, held at the ends, NaN is 0.

    Args:
        value: The double.
        bits: The number's size: 8, 16, 32 or 64. Below 32 Java casts to an int first, and then cuts it.
    """
    if math.isnan(value):
        return 0
    wide = 64 if bits == 64 else 32
    low, high = -(2 ** (wide - 1)), 2 ** (wide - 1) - 1
    held = low if value <= low else high if value >= high else int(value)
    return wrapped(held, bits)


def decimal_of(text: str) -> Decimal:
    """`new BigDecimal(text)`.

    Raises:
        ValueError: It is no number.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{shown(text)} is no number") from None
    if not number.is_finite() or text != text.strip() or "_" in text:
        raise ValueError(f"{shown(text)} is no number")
    return number


def shown(value: object) -> str:
    """A value for a message, cut short."""
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
