"""Definitions of configuration keys, and reading a flat map by them. Knows no key, raises nothing."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from streamsink.config.keys.quantities import quantity_of, without_unit
from streamsink.errors import Problem

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}")
NEAR_CUTOFF = 0.75
"""How alike an unknown key and a known one must be for the known one to be suggested."""

Value = str | int | float | bool | tuple[str, ...] | None
Validator = Callable[[Value], str]
"""Says what is wrong with a parsed value, or "" if nothing is. Never sees None."""


class KeyType(StrEnum):
    """Connect's types of values."""

    BOOLEAN = "BOOLEAN"
    STRING = "STRING"
    INT = "INT"
    LONG = "LONG"
    DOUBLE = "DOUBLE"
    LIST = "LIST"
    CLASS = "CLASS"
    PASSWORD = "PASSWORD"  # noqa: S105 - the name of a type


_WHOLE = frozenset({KeyType.INT, KeyType.LONG})


class Importance(StrEnum):
    """The likelihood that a person wants to set the key."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Width(StrEnum):
    """The width of a form's field for the value."""

    NONE = "NONE"
    SHORT = "SHORT"
    MEDIUM = "MEDIUM"
    LONG = "LONG"


class Required(Enum):
    """Stands in place of a default: the key must be given."""

    REQUIRED = "required"


REQUIRED = Required.REQUIRED


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One key: everything that validation, REST, tables in texts and forms need to know of it.

    `default` is written as a configuration would, None where there is none. `group`, `order` and `display_name` are
    filled in by `grouped` where they are empty. `recommended` are the values a form offers.
    """

    name: str
    type: KeyType
    default: str | Required | None
    documentation: str
    importance: Importance = Importance.MEDIUM
    validator: Validator | None = None
    recommended: tuple[str, ...] = ()
    width: Width = Width.MEDIUM
    group: str = ""
    order: int = 0
    display_name: str = ""

    @property
    def required(self) -> bool:
        """Whether the key must be given."""
        return self.default is REQUIRED

    @property
    def default_text(self) -> str | None:
        """The default as it would be written, None where there is none."""
        return self.default if isinstance(self.default, str) else None


def grouped(group: str, keys: Iterable[ConfigKey]) -> tuple[ConfigKey, ...]:
    """Make keys members of a group, in this order.

    Args:
        group: The group's name, as Connect's validation shows it.
        keys: Each with its display name, or none: it is then made from the key's name.

    Returns:
        Copies of the keys, numbered from 1.
    """
    return tuple(
        dataclasses.replace(
            key, group=group, order=number, display_name=key.display_name or key.name.replace(".", " ").capitalize()
        )
        for number, key in enumerate(keys, start=1)
    )


class Definition:
    """A set of keys that together describe one kind of configuration.

    Args:
        keys: Each name once.
        defaults: Defaults that differ from the keys' own here.
    """

    def __init__(self, keys: Iterable[ConfigKey], defaults: Mapping[str, str | Required | None] | None = None) -> None:
        self._keys: dict[str, ConfigKey] = {}
        for key in keys:
            assert key.name not in self._keys, f"{key.name} is defined twice"
            self._keys[key.name] = key
        for name, default in (defaults or {}).items():
            self._keys[name] = dataclasses.replace(self._keys[name], default=default)

    def __contains__(self, name: object) -> bool:
        return name in self._keys

    def __getitem__(self, name: str) -> ConfigKey:
        return self._keys[name]

    def __iter__(self) -> Iterator[ConfigKey]:
        return iter(self._keys.values())

    @property
    def names(self) -> Sequence[str]:
        """Every key's name, in order."""
        return tuple(self._keys)

    def near(self, name: str, cutoff: float = NEAR_CUTOFF) -> str:
        """Find the known name that is most like an unknown one.

        Args:
            name: The unknown name.
            cutoff: Likeness from 0 to 1, as `difflib` counts it. Names below it are not near.

        Returns:
            The nearest name, or "" where none is near.
        """
        return next(iter(difflib.get_close_matches(name, self._keys, n=1, cutoff=cutoff)), "")

    def read(self, raw: Mapping[str, str]) -> Values:
        """Parse every key; unusable values become problems, and their keys read as their defaults."""
        values = Values(self, raw)
        for key in self:
            values.take(key)
        return values


@dataclass(slots=True)
class Values:
    """A flat map read by a definition. `problems` and `warnings` grow as checks find more."""

    definition: Definition
    raw: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    parsed: dict[str, Value] = field(default_factory=dict)

    def take(self, key: ConfigKey) -> None:
        """Parse one key's value."""
        default = parse(key, key.default_text or "")[0] if key.default_text is not None else None
        self.parsed[key.name] = default
        text = self.raw.get(key.name)
        if text is None or (key.required and not text.strip()):
            if key.required:
                self.problem(key.name, "is required and has no default")
            return
        value, wrong = parse(key, text)
        if wrong:
            self.problem(key.name, wrong)
        else:
            self.parsed[key.name] = value

    def problem(self, key: str, message: str) -> None:
        """Note an unusable value. One key may have several problems.

        Args:
            key: The key's name.
            message: What is wrong with its value, without the key.
        """
        self.problems.append(Problem(key, message))

    def wrong(self, *names: str) -> bool:
        """Whether any of these keys already has a problem, so that what follows from it isn't told as well."""
        return any(problem.key in names for problem in self.problems)

    def warn(self, message: str) -> None:
        """Note what is usable but hardly meant."""
        self.warnings.append(message)

    def given(self, name: str) -> bool:
        """Whether the key is in the map, and not empty."""
        return bool(self.raw.get(name, "").strip())

    def text(self, name: str) -> str:
        """A text, "" where there is none."""
        value = self.parsed[name]
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        return self.parsed[name] is True

    def items(self, name: str) -> tuple[str, ...]:
        """Read a list."""
        value = self.parsed[name]
        return value if isinstance(value, tuple) else ()

    def number(self, name: str) -> int | None:
        """A number, None where it was left empty and has no default."""
        value = self.parsed[name]
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def whole(self, name: str) -> int:
        """A number that always has a value: its default where it was left empty."""
        value = self.number(name)
        return value if value is not None else int(self.definition[name].default_text or 0)


def parse(key: ConfigKey, text: str) -> tuple[Value, str]:
    """Read a text as a key's type, and check it with the key's validator.

    Args:
        key: Gives type and validator.
        text: The value as it stands in the flat map.

    Returns:
        The value, and "" or what is wrong with the text. The value is None where something is wrong. A password is
        never repeated.
    """
    value, wrong = _parse_number(key, text) if key.type in _WHOLE else _parse_as(key.type, text)
    if not wrong and key.validator is not None and value is not None:
        wrong = key.validator(value)
    return (None, wrong) if wrong else (value, "")


def _parse_number(key: ConfigKey, text: str) -> tuple[Value, str]:
    """A whole number; one that is a time or a size may have a unit."""
    quantity = quantity_of(key.name)
    written = without_unit(quantity, text) if quantity is not None else None
    value, wrong = _parse_as(key.type, text if written is None else written)
    if wrong and quantity is not None and written is None and not _DIGITS.fullmatch(text.strip()):
        return None, f"{wrong}, nor {quantity.value}"
    return value, wrong


def _parse_as(kind: KeyType, text: str) -> tuple[Value, str]:
    stripped = text.strip()
    match kind:
        case KeyType.STRING | KeyType.PASSWORD:
            return text, ""
        case KeyType.CLASS:
            return stripped, ""
        case KeyType.LIST:
            return tuple(item.strip() for item in text.split(",") if item.strip()), ""
        case _:
            return _parse_plain(kind, stripped) if stripped else (None, "")


def _parse_plain(kind: KeyType, text: str) -> tuple[Value, str]:
    match kind:
        case KeyType.BOOLEAN:
            known = {"true": True, "false": False}.get(text.lower())
            return known, "" if known is not None else f"{text!r} is neither true nor false"
        case KeyType.DOUBLE:
            return _parse_double(text)
        case _:
            return _parse_whole(text, INT_MAX if kind is KeyType.INT else LONG_MAX)


def _parse_whole(text: str, largest: int) -> tuple[Value, str]:
    if not _DIGITS.fullmatch(text):
        return None, f"{text!r} is not a whole number"
    value = int(text)
    if not -largest - 1 <= value <= largest:
        return None, f"{text} is out of range, which ends at {largest}"
    return value, ""


def _parse_double(text: str) -> tuple[Value, str]:
    try:
        value = float(text)
    except ValueError:
        return None, f"{text!r} is not a number"
    return (value, "") if math.isfinite(value) else (None, f"{text!r} is not a finite number")
