"""Dates and zones for any millisecond an int64 holds, where Python's datetime ends at the year 9999. Pure.

A zone's rules repeat every 400 years, so that a year beyond 9999 asks for the offset of one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.java.zones import zone_of

DAY_MS = 86_400_000
QUARTER_MS = 900_000
CYCLE_MS = 146_097 * DAY_MS
"""400 years of the Gregorian calendar."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A local time, taken apart, with its offset from UTC."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    millisecond: int
    weekday: int
    day_of_year: int
    offset_ms: int
    zone_id: str
    zone_name: str

    @property
    def iso_week(self) -> tuple[int, int]:
        """The ISO week's year and number."""
        monday_first = self.weekday
        week = (self.day_of_year - monday_first + 10) // 7
        if week < 1:
            return self.year - 1, _weeks_in(self.year - 1)
        return (self.year + 1, 1) if week > _weeks_in(self.year) else (self.year, week)


class Zone:
    """A time zone, by its IANA name or as a fixed offset.

    Raises:
        ValueError: There is no such zone.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._info = zone_of(name)

    def offset_ms(self, utc_ms: int) -> int:
        """How far local time is ahead of UTC."""
        offset = self._at(utc_ms).utcoffset()
        assert offset is not None
        return offset // timedelta(milliseconds=1)

    def _at(self, utc_ms: int) -> datetime:
        return (_EPOCH + timedelta(milliseconds=_within(utc_ms))).astimezone(self._info)

    def local_ms(self, utc_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Local times of many moments; each quarter of an hour is looked up once."""
        quarters = pa.array(utc_ms // QUARTER_MS).dictionary_encode()
        starts = np.asarray(quarters.dictionary) * QUARTER_MS
        rows = np.asarray(quarters.indices)
        first = np.array([self.offset_ms(start) for start in starts.tolist()], np.int64)
        last = np.array([self.offset_ms(start) for start in (starts + (QUARTER_MS - 1)).tolist()], np.int64)
        offsets = first[rows]
        for row in np.flatnonzero((first != last)[rows]).tolist():
            offsets[row] = self.offset_ms(int(utc_ms[row]))
        local: npt.NDArray[np.int64] = utc_ms + offsets
        return local

    def moment(self, local_ms: int) -> Moment:
        """Take a local time apart. A time that a clock change skips comes out as far behind the gap."""
        shift = _within(local_ms) - local_ms
        naive = datetime(1970, 1, 1, tzinfo=self._info) + timedelta(milliseconds=local_ms + shift)
        actual = naive.astimezone(UTC).astimezone(self._info)
        offset = actual.utcoffset()
        assert offset is not None
        wall = actual.replace(tzinfo=UTC)
        return Moment(
            year=actual.year - shift // CYCLE_MS * 400,
            month=actual.month,
            day=actual.day,
            hour=actual.hour,
            minute=actual.minute,
            second=actual.second,
            millisecond=(wall - _EPOCH) // timedelta(milliseconds=1) % 1000,
            weekday=actual.isoweekday(),
            day_of_year=actual.timetuple().tm_yday,
            offset_ms=offset // timedelta(milliseconds=1),
            zone_id=self.name,
            zone_name=actual.tzname() or self.name,
        )


def truncated(local_ms: npt.NDArray[np.int64], duration_ms: int) -> npt.NDArray[np.int64]:
    """Starts of buckets, by Java's division as Confluent's: before 1970 a time counts to its bucket's later end.

    Args:
        local_ms: One local time a row, in milliseconds since 1970.
        duration_ms: The length of a bucket.
    """
    return local_ms - np.fmod(local_ms, duration_ms)


def _within(utc_ms: int) -> int:
    """The same moment of another 400-year cycle, where it is beyond what datetime holds."""
    if utc_ms > _LAST_MS:
        return utc_ms - ((utc_ms - _LAST_MS) // CYCLE_MS + 1) * CYCLE_MS
    if utc_ms < _FIRST_MS:
        return utc_ms + ((_FIRST_MS - utc_ms) // CYCLE_MS + 1) * CYCLE_MS
    return utc_ms


def _weeks_in(year: int) -> int:
    def new_years_shift(of: int) -> int:
        return (of + of // 4 - of // 100 + of // 400) % 7

    return 53 if new_years_shift(year) == 4 or new_years_shift(year - 1) == 3 else 52
