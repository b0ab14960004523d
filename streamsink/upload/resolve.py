"""Creates objects and finds out the outcome: stored, ours already, or another writer's. Retries nothing itself.

A create may conflict with our own earlier attempt, whose reply was lost; an S3 store may answer 409 when nothing was
written. So a conflict is never taken at its word: the object is looked at (ARCHITECTURE.md, rules 5 and 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError, TransientError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import ObjectInfo, Store


@dataclass(frozen=True, slots=True)
class Stored:
    """Our bytes are in the store under our name."""

    earlier: bool = False
    """Whether an earlier attempt had stored them."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer's object has the name; `existing` describes it."""

    existing: ObjectDescription


def store_object(
    store: Store,
    description: ObjectDescription,
    data: memoryview,
    *,
    read_description: Callable[[Store, ObjectInfo], ObjectDescription],
) -> Stored | Conflict:
    """Create an object, and find out the meaning of a conflict.

    Args:
        store: The archive's.
        description: The object's, with its name; kept as metadata.
        data: The object's bytes.
        read_description: Describes an object where the store keeps no metadata.

    Raises:
        TransientError: Nobody knows; calling this again finds out.
        TerminalError: It can't work, or the name belongs to something else.
    """
    try:
        store.create(description.name, data, description.to_metadata())
    except AlreadyExistsError:
        return _look_at(store, description, _existing(store, description.name), read_description)
    return Stored()


def create_named_by_content(store: Store, name: str, data: bytes) -> None:
    """Create an object whose name tells its content: a conflict with an object that is there is a success as well.

    Args:
        store: The archive's.
        name: The object's, which holds a hash of its bytes.
        data: The bytes.

    Raises:
        TransientError: As `Store.create`, or the store reported a conflict and wrote nothing.
        TerminalError: As `Store.create`.
    """
    try:
        store.create(name, data, {})
    except AlreadyExistsError:
        _existing(store, name)


def _existing(store: Store, name: str) -> ObjectInfo:
    """The object of a conflict. S3 answers 409 also when two writers met and neither has written."""
    info = store.head(name)
    if info is None:
        raise busy(name) from None
    return info


def busy(name: str) -> TransientError:
    """The error for a conflict about an object that isn't there."""
    return TransientError(
        f"{name}: the store reported a conflict, but no such object exists",
        hint="the store is busy with the same name; trying again helps",
    )


def _look_at(
    store: Store,
    description: ObjectDescription,
    info: ObjectInfo,
    read_description: Callable[[Store, ObjectInfo], ObjectDescription],
) -> Stored | Conflict:
    existing = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
    if existing is None:
        equal = info.size_bytes == description.size_bytes and _sha256(store, info.name) == description.sha256
        existing = read_description(store, info)
    else:
        equal = existing.sha256 == description.sha256
    require_comparable(description, existing, info.name)
    # Equal bytes may still cover more or fewer records: a tombstone in a raw object is no byte at all.
    if equal and existing.covers_the_same(description):
        return Stored(earlier=True)
    return Conflict(existing)


def require_comparable(ours: ObjectDescription, existing: ObjectDescription, name: str) -> None:
    """Refuse another writer's object that covers another lane, or begins with another record: records would be lost.

    Args:
        ours: Of the object to store.
        existing: What is there.
        name: Of what is there.

    Raises:
        TerminalError: They differ.
    """
    for word in ("topic", "partition", "lane", "first_offset"):
        mine, theirs = getattr(ours, word), getattr(existing, word)
        if mine != theirs:
            raise TerminalError(
                f"{name} exists and covers another {word.replace('_', ' ')}: {theirs!r}, not {mine!r}",
                hint="something else archives into the same place, or did under another layout: "
                "move the object away, or give this connector another topics.dir",
            )


def _sha256(store: Store, name: str) -> str:
    try:
        return hashlib.sha256(store.get(name)).hexdigest()
    except ObjectMissingError:
        raise TransientError(
            f"{name} was there a moment ago and is gone", hint="does something delete objects?"
        ) from None
