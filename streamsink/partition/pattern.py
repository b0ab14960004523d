"""Compiles Joda's date patterns (`'year'=YYYY/'month'=MM`) and formats times by them, in English. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from streamsink.partition.calendar import Moment

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKEN = re.compile(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+", re.DOTALL)

Piece = Callable[[Moment], str]


class PatternError(ValueError):
    """A pattern has a letter that means nothing, or an open quote."""


class Pattern:
    """A compiled pattern.

    Raises:
        PatternError: The pattern can't be used.
    """

    def __init__(self, pattern: str) -> None:
        self.has_text = False
        self._pieces: list[Piece] = []
        position = 0
        while position < len(pattern):
            match = _TOKEN.match(pattern, position)
            if match is None:
                raise PatternError(f"a quote is not closed in {pattern!r}")
            self._pieces.append(self._piece(match))
            position = match.end()

    def format(self, moment: Moment) -> str:
        """The moment in the pattern's words."""
        return "".join(piece(moment) for piece in self._pieces)

    def _piece(self, match: re.Match[str]) -> Piece:
        whole, quoted, letter = match.group(0), match.group(1), match.group(2)
        if whole == "''":
            return _constant("'")
        if quoted is not None:
            return _constant(quoted.replace("''", "'"))
        if letter is None:
            return _constant(whole)
        self.has_text = self.has_text or letter in {"E", "a"} or (letter == "M" and len(whole) > 2)
        return _field(letter, len(whole))


def _constant(text: str) -> Piece:
    return lambda _: text


def _field(letter: str, count: int) -> Piece:
    if letter in _NUMBERS:
        number = _NUMBERS[letter]
        return lambda moment: _padded(number(moment), count)
    if letter in _YEARS:
        year = _YEARS[letter]
        if count == 2:
            return lambda moment: f"{abs(year(moment)) % 100:02d}"
        return lambda moment: _padded(year(moment), count)
    if letter == "M" and count <= 2:
        return lambda moment: _padded(moment.month, count)
    if letter not in _TEXTS:
        raise PatternError(f"the letter {letter!r} stands for nothing; put text in quotes")
    text = _TEXTS[letter]
    return lambda moment: text(moment, count)


def _year_of_era(moment: Moment) -> int:
    return moment.year if moment.year > 0 else 1 - moment.year


def _padded(number: int, width: int) -> str:
    return f"-{-number:0{width}d}" if number < 0 else f"{number:0{width}d}"


def _zone(moment: Moment, count: int) -> str:
    if count > 2:
        return moment.zone_id
    sign = "-" if moment.offset_ms < 0 else "+"
    hours, minutes = divmod(abs(moment.offset_ms) // 60_000, 60)
    return f"{sign}{hours:02d}{':' if count == 2 else ''}{minutes:02d}"


_TEXTS: dict[str, Callable[[Moment, int], str]] = {
    "M": lambda moment, count: MONTHS[moment.month - 1][: None if count > 3 else 3],
    "E": lambda moment, count: WEEKDAYS[moment.weekday - 1][: None if count > 3 else 3],
    "a": lambda moment, _: "AM" if moment.hour < 12 else "PM",
    "G": lambda moment, _: "AD" if moment.year > 0 else "BC",
    "S": lambda moment, count: f"{moment.millisecond:03d}".ljust(count, "0")[:count],
    "z": lambda moment, _: moment.zone_name,
    "Z": _zone,
}
_NUMBERS: dict[str, Callable[[Moment], int]] = {
    "C": lambda moment: _year_of_era(moment) // 100,
    "D": lambda moment: moment.day_of_year,
    "d": lambda moment: moment.day,
    "e": lambda moment: moment.weekday,
    "H": lambda moment: moment.hour,
    "h": lambda moment: moment.hour % 12 or 12,
    "K": lambda moment: moment.hour % 12,
    "k": lambda moment: moment.hour or 24,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
    "w": lambda moment: moment.iso_week[1],
}
_YEARS: dict[str, Callable[[Moment], int]] = {
    "Y": _year_of_era,
    "y": lambda moment: moment.year,
    "x": lambda moment: moment.iso_week[0],
}
