"""Reads Lenses' KCQL as its S3 sink takes it. Knows no key of ours; what it doesn't know it refuses by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_WORD = re.compile(r"\s*(?:(`[^`]*`)|('(?:[^']|'')*')|([A-Za-z0-9_.:*\-/\[\]{}$]+)|([,()=;]))")
_CLAUSES = ("PARTITIONBY", "STOREAS", "PROPERTIES", "WITH_FLUSH_COUNT", "WITH_FLUSH_SIZE", "WITH_FLUSH_INTERVAL")
_OLD_FLUSHES = {
    "WITH_FLUSH_COUNT": "flush.count",
    "WITH_FLUSH_SIZE": "flush.size",
    "WITH_FLUSH_INTERVAL": "flush.interval",
}


class KcqlError(ValueError):
    """A statement that can't be honoured, and why."""


@dataclass(frozen=True, slots=True)
class Kcql:
    """One statement. `topic` is `*` for all of the connector's."""

    bucket: str
    prefix: str
    topic: str
    partition_by: tuple[str, ...] = ()
    store_as: str = "JSON"
    properties: dict[str, str] = field(default_factory=dict)


def read_kcql(text: str) -> Kcql:
    """Read one statement.

    Raises:
        KcqlError: There is none, or several, or a clause that is not known.
    """
    words = _split(text)
    if ";" in words[:-1]:
        raise KcqlError("has several statements: make a connector of each")
    reading = _Reading([word for word in words if word != ";"])
    reading.expect("INSERT", "INTO")
    bucket, _, prefix = reading.take("a bucket").partition(":")
    reading.expect("SELECT")
    if (selected := reading.take("*")) != "*":
        raise KcqlError(f"selects {selected}: only * is known; leave fields out by a transform")
    reading.expect("FROM")
    topic = reading.take("a topic")
    found: dict[str, list[str]] = {}
    properties: dict[str, str] = {}
    while reading.more():
        word = reading.take("a clause").upper()
        if word not in _CLAUSES:
            raise KcqlError(f"the clause {word} is not known; known are {', '.join(_CLAUSES)}")
        if word in found:
            raise KcqlError(f"the clause {word} stands twice")
        found[word] = []
        if word == "PROPERTIES":
            properties |= reading.pairs()
        elif word in _OLD_FLUSHES:
            reading.expect("=")
            properties.setdefault(_OLD_FLUSHES[word], reading.take("a number"))
        else:
            found[word] = reading.names()
    if len(found.get("STOREAS", [])) > 1:
        raise KcqlError("STOREAS names several formats")
    return Kcql(
        bucket=bucket,
        prefix=prefix.strip("/"),
        topic=topic,
        partition_by=tuple(found.get("PARTITIONBY", [])),
        store_as=(found.get("STOREAS") or ["JSON"])[0].upper(),
        properties=properties,
    )


def _split(text: str) -> list[str]:
    words: list[str] = []
    at = 0
    stripped = text.rstrip()
    if not stripped:
        raise KcqlError("is empty")
    while at < len(stripped):
        found = _WORD.match(stripped, at)
        if found is None:
            raise KcqlError(f"can't be read from {stripped[at : at + 20]!r} on")
        words.append(next(group for group in found.groups() if group is not None))
        at = found.end()
    return words


class _Reading:
    """The rest of a statement that is not read yet."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._words)

    def take(self, what: str) -> str:
        if not self.more():
            raise KcqlError(f"ends where {what} should stand")
        self._at += 1
        return _unquoted(self._words[self._at - 1])

    def expect(self, *words: str) -> None:
        for word in words:
            if (found := self.take(word)).upper() != word:
                raise KcqlError(f"has {found!r} where {word} should stand")

    def names(self) -> list[str]:
        """Names with commas between them."""
        found = [self.take("a name")]
        while self.more() and self._words[self._at] == ",":
            self._at += 1
            found.append(self.take("a name"))
        return found

    def pairs(self) -> dict[str, str]:
        """Read `('a'=1, 'b'='x')`."""
        found: dict[str, str] = {}
        self.expect("(")
        while True:
            key = self.take("a property")
            if key == ")":
                return found
            self.expect("=")
            found[key] = self.take("a value")
            if (end := self.take(")")) == ")":
                return found
            if end != ",":
                raise KcqlError(f"has {end!r} between properties")


def _unquoted(word: str) -> str:
    if word[:1] == "`":
        return word[1:-1]
    return word[1:-1].replace("''", "'") if word[:1] == "'" else word
