"""Reads JSON values as the types that Connect's schemas declare, refusing what does not fit. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.json.shape import Leaf, MisfitError
from streamsink.decode.json.text import DOUBLE_EXACT_MAX, JsonText, Moment
from streamsink.decode.json.text_leaves import from_base64

MOMENT, OCTETS = "moment", "binary"
"""What column sets call times and bytes that come as such, as BSON's."""
DECIMAL_DIGITS_MAX = 38
DAY_MS = 86_400_000
UNSIGNED = "unsigned"
FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""From here on a double is no float any more; below, it is rounded to one, as `3.4028235E38` is to Java's largest."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def integer(bits: int) -> Leaf:
    """Connect's int8 to int64."""
    return Leaf(pa.type_for_alias(f"int{bits}"), _integer_reader(bits), pa.type_for_alias(f"int{bits}"))


def unsigned() -> Leaf:
    """Whole numbers of 64 bits from 0 on; no column of plain integers holds them all."""

    def read(value: Any) -> Decimal:
        number = int(value) if type(value) is JsonText and value.isdecimal() else value
        if type(number) is not int or not 0 <= number < 2**64:
            _refuse(value, UNSIGNED)
        return Decimal(number)

    def cast(array: pa.Array) -> pa.Array:
        return pc.if_else(pc.less(array, 0), None, array).cast(pa.decimal128(20, 0))

    return Leaf(pa.decimal128(20, 0), read, pa.int64(), cast=cast, name=UNSIGNED)


def floating(bits: int) -> Leaf:
    """Connect's float and double."""
    limit = math.inf if bits == 64 else FLOAT32_LIMIT

    def read(value: Any) -> float:
        exact = type(value) is float or (type(value) is int and abs(value) <= DOUBLE_EXACT_MAX)
        if not exact or (abs(value) >= limit and not math.isinf(limit)):
            _refuse(value, f"float{bits}")
        return float(value)

    return Leaf(pa.float64() if bits == 64 else pa.float32(), read, pa.float64() if bits == 64 else None)


def boolean() -> Leaf:
    """Connect's boolean."""
    return Leaf(pa.bool_(), _exactly(bool, "boolean"), pa.bool_())


def text() -> Leaf:
    """Connect's string."""
    return Leaf(pa.string(), _exactly(str, "string"), pa.string())


def binary() -> Leaf:
    """Connect's bytes: base64 in JSON."""
    return Leaf(pa.binary(), _base64, pa.string(), cast=from_base64)


def timestamp() -> Leaf:
    """Connect's Timestamp: epoch milliseconds; ISO 8601 text is taken too, if no finer than that."""
    return Leaf(pa.timestamp("ms", tz="UTC"), _timestamp, pa.int64())


def moment() -> Leaf:
    """A time that comes as one: BSON's date."""
    return Leaf(pa.timestamp("ms", tz="UTC"), _moment, None, name=MOMENT)


def octets() -> Leaf:
    """Bytes that come as bytes: BSON's binary data."""
    return Leaf(pa.binary(), _exactly(bytes, "binary"), None, name=OCTETS)


def day() -> Leaf:
    """Connect's Date: days since the epoch; ISO 8601 text is taken as well."""
    return Leaf(pa.date32(), _day, pa.int32())


def time_of_day() -> Leaf:
    """Connect's Time: milliseconds since midnight."""
    return Leaf(pa.time32("ms"), _time_of_day, None)


def decimal(scale: int) -> Leaf:
    """Connect's Decimal: base64 of the unscaled big-endian integer, or a JSON number (`decimal.format`)."""

    def read(value: Any) -> Decimal:
        if type(value) is str:
            unscaled = int.from_bytes(_base64(value), "big", signed=True)
            number = Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale))
        else:
            number = _rescaled(value, scale)
        if len(number.as_tuple().digits) > DECIMAL_DIGITS_MAX:
            raise MisfitError(f"a decimal has more than {DECIMAL_DIGITS_MAX} digits")
        return number

    return Leaf(pa.decimal128(DECIMAL_DIGITS_MAX, scale), read, None)


def _rescaled(value: Any, scale: int) -> Decimal:
    if type(value) not in {int, float, JsonText}:
        _refuse(value, "decimal")
    sign, digits, exponent = Decimal(str(value)).as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + scale
    if shift < 0:
        if any(digits[shift:]):
            raise MisfitError(f"{value} has more than {scale} fraction digits")
        return Decimal((sign, digits[:shift] or (0,), -scale))
    if shift > DECIMAL_DIGITS_MAX and any(digits):
        raise MisfitError(f"a decimal has more than {DECIMAL_DIGITS_MAX} digits")
    return Decimal((sign, digits + (0,) * min(shift, DECIMAL_DIGITS_MAX), -scale))


def _integer_reader(bits: int) -> Callable[[Any], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            _refuse(value, f"int{bits}")
        return value

    return read


def _exactly(wanted: type, name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not wanted:
            _refuse(value, name)
        return value

    return read


def _base64(value: Any) -> bytes:
    if type(value) is JsonText:
        _refuse(value, "bytes")
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise MisfitError(f"{_shown(value)} is not base64") from error


def _moment(value: Any) -> int:
    if type(value) is not Moment:
        _refuse(value, "time")
    return int(value)


def _timestamp(value: Any) -> int:
    if type(value) is Moment:
        return int(value)
    if type(value) is str:
        return _iso_ms(value)
    return _integer_reader(64)(value)


def _iso_ms(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise MisfitError(f"{_shown(value)} is not a timestamp") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole, rest = divmod(moment - _EPOCH, timedelta(milliseconds=1))
    if rest:
        raise MisfitError(f"{_shown(value)} is finer than a millisecond")
    return whole


def _day(value: Any) -> int:
    if type(value) is str:
        try:
            return date.fromisoformat(value).toordinal() - _EPOCH_DAY
        except ValueError as error:
            raise MisfitError(f"{_shown(value)} is not a date") from error
    return _integer_reader(32)(value)


def _time_of_day(value: Any) -> int:
    if type(value) is not int or not 0 <= value < DAY_MS:
        _refuse(value, "time")
    return value


def _refuse(value: object, name: str) -> NoReturn:
    raise MisfitError(f"{_shown(value)} does not fit the declared {name}")


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
