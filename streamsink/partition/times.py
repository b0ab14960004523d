"""Finds out when each record happened, in milliseconds since the epoch. Pure: no clock.

A record field may be an integer (epoch ms), an Arrow timestamp or date, a string of digits (epoch ms) or ISO 8601.
Strings are read by Arrow as a whole where it can, else each distinct one in Python; both give the same.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import PartitionError
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
        PartitionError: Records have none.
    """
    times = decoded.timestamps
    if times.null_count:
        fault = "the record has no timestamp for timestamp.extractor=Record"
        raise PartitionError(
            fault,
            rows=dict.fromkeys(rows_where(times.is_null()), fault),
            hint="take the time from a field of the value: timestamp.extractor=RecordField and timestamp.field",
        )
    return _numpy(times)


def field_times(decoded: DecodedSlice, path: str) -> Times:
    """Read each record's time from a field of the value.

    Args:
        decoded: The rows.
        path: The field's name, with dots for a field inside another.

    Returns:
        One time a row, in milliseconds since 1970.

    Raises:
        PartitionError: Records lack the field, or it tells no time.
    """
    times = pa.nulls(len(decoded.offsets), pa.int64())
    faults: dict[int, str] = {}
    for found in find(decoded, path):
        times = pc.coalesce(times, _times(found, faults))
    if times.null_count:
        lacking = {
            row: f"timestamp.field {path!r} is {faults.get(row, 'null or missing')}"
            for row in rows_where(times.is_null())
        }
        raise PartitionError(
            next(iter(lacking.values())),
            rows=lacking,
            hint="timestamp.extractor=Record takes Kafka's own timestamps; behavior.on.null.values=ignore drops "
            "tombstones",
        )
    return _numpy(times)


def _numpy(times: pa.Int64Array) -> Times:
    whole: Times = times.to_numpy()
    return whole


def _times(found: Found, faults: dict[int, str]) -> pa.Int64Array:
    """The times that a column tells; `faults` gets the reason by row where a value tells none."""
    array, kind = found.array, found.array.type
    whole = _at_once(found)
    if whole is not None:
        return whole
    if pa.types.is_nested(kind):
        faults |= dict.fromkeys(rows_where(array.is_valid()), f"a {kind}, which tells no time")
        return pa.nulls(len(array), pa.int64())
    encoded = array.dictionary_encode()
    times: list[int | None] = []
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        plain = json.loads(value) if found.is_json and value is not None else value
        time_ms = _time(plain)
        if time_ms is None and plain is not None:
            told = f"{_shown(plain)}, which tells no time"
            faults |= dict.fromkeys(rows_where(pc.equal(encoded.indices, code)), told)
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


def rows_where(where: pa.Array) -> list[int]:
    """The numbers of the rows that a boolean array marks."""
    rows: list[int] = np.flatnonzero(where.fill_null(False).to_numpy(zero_copy_only=False)).tolist()
    return rows


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
