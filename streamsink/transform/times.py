"""TimestampConverter: times as texts, epoch numbers, dates, times of day and timestamps. Pure: no clock.

Texts are written and read one distinct value at a time; all else is arithmetic on columns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import TransformError
from streamsink.java.dates import DAY_MS, DateFormat
from streamsink.java.numbers import LONG_MAX, LONG_MIN
from streamsink.record import TIMESTAMP_TYPE
from streamsink.transform.require import Settings, all_struct, mapped, refuse
from streamsink.transform.rows import Member, Rows, field_of, mask_of

TARGETS = ("string", "unix", "Date", "Time", "Timestamp")
UNITS = {"seconds": 1000, "milliseconds": 1, "microseconds": 1_000, "nanoseconds": 1_000_000}

LEAST_MS, MOST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999: what Python and most readers of files can have."""

Times = npt.NDArray[np.int64]


class TimestampConverter:
    """Converts one field, or the whole value."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._field = settings.get("field", "")
        self._target = settings["target.type"].strip()
        self._precision = settings.get("unix.precision", "milliseconds").strip()
        pattern = settings.get("format", "")
        self._format = DateFormat(pattern) if pattern.strip() else None

    def apply(self, rows: Rows) -> Rows:
        """The rows with their times written otherwise."""
        datum = rows.datum(key=self._key)
        if datum.array.null_count == len(rows):
            return rows
        if not self._field:
            array = self._converted(datum.array, declared=datum.declared, text=datum.text)
            return rows.with_datum(datum.of(array), key=self._key)
        datum = all_struct(datum, "converting timestamp formats", nulls=True)
        members = datum.fields()
        if self._field in members:
            member = members[self._field]
            if datum.declared and not _tells_time(member.array.type):
                refuse(mask_of(datum.array.is_valid()), f"a {member.array.type} is no timestamp")
            array = self._converted(member.array, declared=datum.declared, text=member.text)
            members[self._field] = Member(field_of(self._field, array.type), array)
        return rows.with_datum(datum.with_fields(members), key=self._key)

    def _converted(self, array: pa.Array, *, declared: bool, text: bool) -> pa.Array:
        return self._written(self._texts_read(array) if text else self._read(array, declared=declared))

    def _read(self, array: pa.Array, *, declared: bool) -> pa.Int64Array:
        """Milliseconds since the epoch."""
        kind = array.type
        if pa.types.is_null(kind):
            return pa.nulls(len(array), pa.int64())
        if pa.types.is_string(kind):
            return mapped(array, self._parse, pa.int64())
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return array.cast(TIMESTAMP_TYPE if pa.types.is_timestamp(kind) else pa.timestamp("ms")).cast(pa.int64())
        if pa.types.is_time(kind):
            return array.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.int64())
        if pa.types.is_float64(kind) and not declared:
            whole = pc.equal(array, pc.trunc(array))
            refuse(mask_of(pc.invert(whole)), "a number with a fraction is no timestamp")
            array, kind = array.cast(pa.int64(), safe=False), pa.int64()
        if not pa.types.is_int64(kind):
            refuse(mask_of(array.is_valid()), f"a {kind} is no timestamp")
            return pa.nulls(len(array), pa.int64())
        return _over(array, lambda numbers: _to_ms(numbers, self._precision))

    def _texts_read(self, texts: pa.Array) -> pa.Int64Array:
        def read(text: str) -> int:
            value = orjson.loads(text)
            if isinstance(value, str):
                return self._parse(value)
            if isinstance(value, bool | list | dict) or value != int(value):
                raise ValueError("is no timestamp")
            return int(_to_ms(np.array([int(value)], np.int64), self._precision)[0])

        return mapped(texts, read, pa.int64())

    def _parse(self, text: str) -> int:
        if self._format is None:
            raise ValueError("a string can't be read without format")
        return self._format.parse(text)

    def _written(self, times: pa.Int64Array) -> pa.Array:
        if self._target != "unix":
            beyond = pc.or_(pc.less(times, LEAST_MS), pc.greater(times, MOST_MS))
            refuse(mask_of(beyond), "is no time of the years 1 to 9999")
        match self._target:
            case "string":
                assert self._format is not None, "validated with the settings"
                return mapped(times, self._format.format, pa.string())
            case "unix":
                return _over(times, lambda ms: _from_ms(ms, self._precision))
            case "Date":
                return _over(times, lambda ms: ms // DAY_MS).cast(pa.int32()).cast(pa.date32())
            case "Time":
                return _over(times, lambda ms: ms % DAY_MS).cast(pa.int32()).cast(pa.time32("ms"))
        return times.cast(TIMESTAMP_TYPE)


def _tells_time(kind: pa.DataType) -> bool:
    temporal = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind)
    return bool(temporal or pa.types.is_string(kind) or pa.types.is_int64(kind) or pa.types.is_null(kind))


def _over(array: pa.Int64Array, change: Callable[[Times], Times]) -> pa.Int64Array:
    known = np.asarray(array.fill_null(0), np.int64)
    try:
        return pa.array(change(known), pa.int64(), mask=~mask_of(array.is_valid()))
    except pa.ArrowInvalid as error:
        raise TransformError(str(error)) from error


def _to_ms(numbers: Times, precision: str) -> Times:
    unit = UNITS[precision]
    if precision == "seconds":
        return _times(numbers, unit)
    return _towards_zero(numbers, unit)


def _from_ms(times: Times, precision: str) -> Times:
    unit = UNITS[precision]
    return _towards_zero(times, unit) if precision == "seconds" else _times(times, unit)


def _times(numbers: Times, unit: int) -> Times:
    """Multiplied, held at the ends as Java's TimeUnit does."""
    least, most = -(-LONG_MIN // unit), LONG_MAX // unit
    inside: Times = np.clip(numbers, least, most) * unit
    ends = [numbers > most, numbers < least]
    held: Times = np.select(ends, [np.int64(LONG_MAX), np.int64(LONG_MIN)], inside)
    return held


def _towards_zero(numbers: Times, unit: int) -> Times:
    whole: Times = numbers // unit + ((numbers % unit != 0) & (numbers < 0)).astype(np.int64)
    return whole
