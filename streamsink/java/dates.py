"""Java's SimpleDateFormat in UTC and English: times of the epoch to text and back. Pure: no clock.

Read leniently, as there: fields may pass their ranges, numbers take all digits there are, what follows is ignored.
A year of two digits is one from 1946 to 2045: Java counts from the present day, which no archive could repeat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
LETTERS = "GyMLdDEuaHkKhmsSzZX"
CENTURY_FIRST_YEAR = 1946

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MONTHS = (*_MONTHS, "November", "December")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_GRAINS = {"S": 1, "s": SECOND_MS, "m": MINUTE_MS}
_TEXT = frozenset("GEazZX")
_ZONE_NAMES = re.compile(r"(?:UTC|GMT|Z)(?![A-Za-z+-])|(?:GMT)?([+-])([0-9]{1,2}):?([0-9]{2})")
_ZONE_ISO = {1: r"Z|([+-])([0-9]{2})()", 2: r"Z|([+-])([0-9]{2})([0-9]{2})", 3: r"Z|([+-])([0-9]{2}):([0-9]{2})"}
_NUMBER = re.compile(r"[ \t]*(-?[0-9]+)")


@dataclass(frozen=True, slots=True)
class _Token:
    """A literal text, or a letter so many times."""

    text: str
    count: int = 0


class DateFormat:
    """One pattern.

    Args:
        pattern: As `yyyy-MM-dd'T'HH:mm:ss.SSSX`.

    Raises:
        ValueError: It has a letter that is unknown or depends on a locale's weeks.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._tokens = _tokens(pattern)
        letters = {token.text for token in self._tokens if token.count}
        self.grain_ms = min((grain for letter, grain in _GRAINS.items() if letter in letters), default=HOUR_MS)

    def format(self, time_ms: int) -> str:
        """The text of a time.

        Raises:
            ValueError: Its year is not from 1 to 9999.
        """
        try:
            moment = _EPOCH + timedelta(milliseconds=time_ms)
        except OverflowError:
            raise ValueError(f"{time_ms} is no time of the years 1 to 9999") from None
        return "".join(_written(token, moment) if token.count else token.text for token in self._tokens)

    def parse(self, text: str) -> int:
        """The time a text begins with.

        Raises:
            ValueError: It doesn't match.
        """
        found: dict[str, int] = {}
        at = 0
        for number, token in enumerate(self._tokens):
            if not token.count:
                if not text.startswith(token.text, at):
                    raise self._refusal(text)
                at += len(token.text)
                continue
            following = self._tokens[number + 1] if number + 1 < len(self._tokens) else _Token("")
            abuts = following.count > 0 and _is_number(following)
            end = self._read(token, text, at, found, exact=abuts)
            at = end
        return _time(found)

    def _read(self, token: _Token, text: str, at: int, found: dict[str, int], *, exact: bool) -> int:
        letter = token.text
        if not _is_number(token):
            return self._read_text(token, text, at, found)
        match = re.compile(f"[0-9]{{{token.count}}}" if exact else _NUMBER.pattern).match(text, at)
        if match is None:
            raise self._refusal(text)
        digits = match[0].strip()
        value = int(digits)
        if letter == "y" and token.count <= 2 and len(digits) == 2:
            value += CENTURY_FIRST_YEAR // 100 * 100
            value += 100 if value < CENTURY_FIRST_YEAR else 0
        found["M" if letter == "L" else letter] = value
        return match.end()

    def _read_text(self, token: _Token, text: str, at: int, found: dict[str, int]) -> int:
        match token.text:
            case "M" | "L":
                return self._read_name(MONTHS, text, at, found, "M")
            case "E":
                return self._read_name(DAYS, text, at, found, "E")
            case "G" | "a":
                names = ("BC", "AD") if token.text == "G" else ("AM", "PM")
                for index, name in enumerate(names):
                    if text[at : at + 2].upper() == name:
                        found[token.text] = index
                        return at + 2
            case _:
                pattern = re.compile(_ZONE_ISO[token.count]) if token.text == "X" else _ZONE_NAMES
                match = pattern.match(text, at)
                if match is not None:
                    minutes = int(match[2]) * 60 + int(match[3] or 0) if match[1] else 0
                    found["Z"] = -minutes if match[1] == "-" else minutes
                    return match.end()
        raise self._refusal(text)

    def _read_name(self, names: tuple[str, ...], text: str, at: int, found: dict[str, int], letter: str) -> int:
        rest = text[at:].lower()
        for number, name in enumerate(names, start=1):
            for form in (name.lower(), name[:3].lower()):
                if rest.startswith(form):
                    found[letter] = number
                    return at + len(form)
        raise self._refusal(text)

    def _refusal(self, text: str) -> ValueError:
        return ValueError(f"{text[:60]!r} does not match the pattern {self.pattern}")


def _tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    for found in re.finditer(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'", pattern):
        quoted, letters, other = found[1], found[2], found[0]
        if other == "'":
            raise ValueError(f"{pattern!r} has an unfinished quote")
        if letters:
            if letters not in LETTERS:
                raise ValueError(f"{pattern!r} has the letter {letters}, which is not supported")
            if letters == "X" and len(other) > 3:
                raise ValueError(f"{pattern!r} has more than three X")
            tokens.append(_Token(letters, len(other)))
        elif quoted is not None:
            tokens.append(_Token(quoted.replace("''", "'") or "'"))
        else:
            tokens.append(_Token(other))
    return tokens


def _is_number(token: _Token) -> bool:
    return token.text not in _TEXT and not (token.text in "ML" and token.count >= 3)


def _written(token: _Token, moment: datetime) -> str:  # noqa: PLR0911 - one case a letter
    letter, count = token.text, token.count
    match letter:
        case "y":
            return f"{moment.year % 100:02}" if count == 2 else str(moment.year).zfill(count)
        case "M" | "L" if count >= 3:
            name = MONTHS[moment.month - 1]
            return name if count >= 4 else name[:3]
        case "E":
            day = DAYS[moment.weekday()]
            return day if count >= 4 else day[:3]
        case "G":
            return "AD"
        case "a":
            return "PM" if moment.hour >= 12 else "AM"
        case "z":
            return "Coordinated Universal Time" if count >= 4 else "UTC"
        case "Z":
            return "+0000"
        case "X":
            return "Z"
    return str(_number(letter, moment)).zfill(count)


def _number(letter: str, moment: datetime) -> int:
    return {
        "M": moment.month,
        "L": moment.month,
        "d": moment.day,
        "D": moment.timetuple().tm_yday,
        "u": moment.isoweekday(),
        "H": moment.hour,
        "k": moment.hour or 24,
        "K": moment.hour % 12,
        "h": moment.hour % 12 or 12,
        "m": moment.minute,
        "s": moment.second,
        "S": moment.microsecond // 1000,
    }[letter]


def _time(found: dict[str, int]) -> int:
    year = found.get("y", 1970)
    if found.get("G") == 0:
        raise ValueError("years before Christ are not supported")
    if "D" in found and "M" not in found and "d" not in found:
        months, day = 0, found["D"]
    else:
        months, day = found.get("M", 1) - 1, found.get("d", 1)
    year, month = year + months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise ValueError(f"the year {year} is not from 1 to 9999")
    days = date(year, month, 1).toordinal() - _EPOCH_DAY + day - 1
    hour = found.get("H", found.get("k", 0) % 24 if "k" in found else None)
    if hour is None:
        hour = (found.get("h", 0) % 12 if "h" in found else found.get("K", 0)) + 12 * found.get("a", 0)
    time_ms = days * DAY_MS + hour * HOUR_MS + found.get("m", 0) * MINUTE_MS + found.get("s", 0) * SECOND_MS
    return time_ms + found.get("S", 0) - found.get("Z", 0) * MINUTE_MS
