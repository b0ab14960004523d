"""Finds out when each record happened, in milliseconds since the epoch. Pure: no clock.

A record field may be an integer (epoch ms), an Arrow timestamp or date, a string of digits (epoch ms) or ISO 8601.
Strings are read by Arrow as a whole where it can, else each distinct one in Python; both give the same.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import TerminalError
from streamsink.partition.lookup import Found, find
from streamsink.record import DecodedSlice

Times = npt.NDArray[np.int64]

DOUBLE_EXACT_MAX = 2**53
INT64_MAX = 2**63 - 1
DAY_MS = 86_400_000

_DIGITS = re.compile(r"-?[0-9]{1,19}")
_DIGITS_RE2 = r"^-?[0-9]{1,18}$"
_ISO_RE2 = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_ISO_BARE_RE2 = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,6})?)?$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_times(decoded: DecodedSlice) -> Times:
    """Kafka's own timestamps.

    Raises:
        TerminalError: A record has none.
    """
    times = decoded.timestamps
    if times.null_count:
        offset = decoded.offsets[_first(times.is_null())].as_py()
        raise TerminalError(
            f"{decoded.topic_partition}@{offset}: the record has no timestamp for timestamp.extractor=Record",
            hint="take the time from a field of the value: timestamp.extractor=RecordField and timestamp.field",
        )
    return _numpy(times)


def field_times(decoded: DecodedSlice, path: str) -> Times:
    """The times that a field of the value tells.

    Raises:
        TerminalError: A record lacks the field, or it tells no time.
    """
    times = None
    for found in find(decoded, path):
        column = _times(found, path, decoded)
        times = column if times is None else pc.coalesce(times, column)
    if times is None:
        _refuse(decoded, 0, path, "missing")
    if times.null_count:
        _refuse(decoded, _first(times.is_null()), path, "null or missing")
    return _numpy(times)


def _numpy(times: pa.Int64Array) -> Times:
    whole: Times = times.to_numpy()
    return whole


def _times(found: Found, path: str, decoded: DecodedSlice) -> pa.Int64Array:
    array, kind = found.array, found.array.type
    whole = _at_once(found)
    if whole is not None:
        return whole
    if pa.types.is_nested(kind):
        _refuse(decoded, _first(array.is_valid()), path, f"a {kind}, which tells no time")
    encoded = array.dictionary_encode()
    times: list[int | None] = []
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        plain = json.loads(value) if found.is_json and value is not None else value
        time_ms = _time(plain)
        if time_ms is None and plain is not None:
            _refuse(decoded, _first(pc.equal(encoded.indices, code)), path, f"{_shown(plain)}, which tells no time")
        times.append(time_ms)
    return pa.array(times, pa.int64()).take(encoded.indices)


def _at_once(found: Found) -> pa.Int64Array | None:
    """All times of a column whose type or form is the same throughout, else None."""
    array, kind = found.array, found.array.type
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.int64())
    if pa.types.is_integer(kind):
        return array.cast(pa.int64())
    if pa.types.is_timestamp(kind):
        return _floored(array)
    if pa.types.is_date(kind):
        return array.cast(pa.timestamp("ms")).cast(pa.int64())
    return _strings_at_once(array) if pa.types.is_string(kind) and not found.is_json else None


def _floored(stamps: pa.Array) -> pa.Int64Array:
    per_ms = {"s": 0, "ms": 1, "us": 1_000, "ns": 1_000_000}[stamps.type.unit]
    whole = stamps.cast(pa.int64())
    if per_ms == 0:
        return pc.multiply(whole, 1000)
    known = whole.fill_null(0).to_numpy() // per_ms
    return pa.array(known, mask=stamps.is_null().to_numpy(zero_copy_only=False))


def _strings_at_once(strings: pa.StringArray) -> pa.Int64Array | None:
    """All strings by one of Arrow's parsers, or None where they differ in form."""
    try:
        if _all_match(strings, _DIGITS_RE2):
            return strings.cast(pa.int64())
        if _all_match(strings, _ISO_RE2):
            return _floored(strings.cast(pa.timestamp("us", tz="UTC")))
        if _all_match(strings, _ISO_BARE_RE2):
            return _floored(strings.cast(pa.timestamp("us")))
    except pa.ArrowInvalid:
        return None
    return None


def _all_match(strings: pa.StringArray, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(strings, pattern)).as_py() is not False


def _time(value: Any) -> int | None:
    match value:
        case bool():
            return None
        case int() if abs(value) <= INT64_MAX:
            return value
        case float() if value.is_integer() and abs(value) < DOUBLE_EXACT_MAX:
            return int(value)
        case str() if _DIGITS.fullmatch(value):
            return int(value) if abs(int(value)) <= INT64_MAX else None
        case str():
            return _iso_ms(value)
    return None


def _iso_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def _first(where: pa.Array) -> int:
    return int(np.flatnonzero(where.to_numpy(zero_copy_only=False) == 1)[0])


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _refuse(decoded: DecodedSlice, row: int, path: str, fault: str) -> NoReturn:
    raise TerminalError(
        f"{decoded.topic_partition}@{decoded.offsets[row].as_py()}: timestamp.field {path!r} is {fault}",
        hint="timestamp.extractor=Record takes Kafka's own timestamps; behavior.on.null.values=ignore drops tombstones",
    )
