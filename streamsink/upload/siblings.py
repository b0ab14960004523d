"""Objects of keys and headers that stand beside an object of values: which they are, and how they are created once.

An object is stored first, and its siblings are made of its sidecar, by the member that finds them missing: the member
that stored it, or the next one, which meets it. So they always hold the records of the object that won its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from streamsink.errors import AlreadyExistsError, TerminalError, TransientError
from streamsink.upload.name import ParsedName
from streamsink.upload.protocol import ObjectInfo, Store

KINDS = ("keys", "headers")
_SHA256 = "sibling-sha256"


@dataclass(frozen=True, slots=True)
class Family:
    """An object, its parsed name, and the objects of keys and headers beside it, by kind."""

    info: ObjectInfo
    parsed: ParsedName
    siblings: Mapping[str, ObjectInfo]


def kind_of(extension: str) -> str:
    """`keys` or `headers` where an object's name says that it holds these, else ""."""
    return next((kind for kind in KINDS if extension.startswith(f".{kind}.")), "")


def sibling_name(name: str, extension: str, ending: str) -> str:
    """The name of the object beside another.

    Args:
        name: The object's of values.
        extension: The end of its name, with the leading dot.
        ending: The end of the sibling's name, with the leading dot.

    Example:
        >>> sibling_name("t+0+0.snappy.parquet", ".snappy.parquet", ".keys.avro")
        't+0+0.keys.avro'
    """
    return f"{name.removesuffix(extension)}{ending}"


def families(found: Iterable[tuple[ObjectInfo, ParsedName]]) -> Iterator[Family]:
    """Objects with their siblings. One of keys without an object of values is by itself: it holds tombstones.

    Args:
        found: In name order, so that an object and its siblings follow each other.
    """
    stem = ""
    held: list[tuple[ObjectInfo, ParsedName]] = []
    for info, parsed in found:
        own = info.name.removesuffix(parsed.extension)
        if held and own != stem:
            yield from _families(held)
            held = []
        stem = own
        held.append((info, parsed))
    yield from _families(held)


def _families(held: list[tuple[ObjectInfo, ParsedName]]) -> Iterator[Family]:
    values = [(info, parsed) for info, parsed in held if not kind_of(parsed.extension)]
    beside = {kind_of(parsed.extension): info for info, parsed in held if kind_of(parsed.extension)}
    if not values:
        yield from (Family(info, parsed, {}) for info, parsed in held)
    yield from (Family(info, parsed, beside) for info, parsed in values)


def create_sibling(store: Store, name: str, data: bytes, entries: Callable[[str, bytes], object]) -> None:
    """Create a sibling, or find that it is there.

    Args:
        store: The archive's.
        name: Its name.
        data: Its bytes.
        entries: Reads the entries of an object of this name, for bytes that are written in another way.

    Raises:
        TransientError: As `Store.create`, or the store reported a conflict and wrote nothing.
        TerminalError: As `Store.create`, or the name belongs to an object of other keys or headers.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        store.create(name, memoryview(data), {_SHA256: sha256})
    except AlreadyExistsError:
        info = store.head(name)
        if info is None:
            raise TransientError(
                f"{name}: the store reported a conflict, but no such object exists",
                hint="the store is busy with the same name; trying again helps",
            ) from None
        if {key.lower(): value for key, value in info.metadata.items()}.get(_SHA256) == sha256:
            return
        there = store.get(name)
        if there != data and entries(name, there) != entries(name, data):
            raise TerminalError(
                f"{name} exists and holds other keys or headers than those of the object beside it",
                hint="another program left it; move it away, and the task makes it anew",
            ) from None
