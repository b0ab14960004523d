"""A create that finds out what it came to: stored, ours already, or another writer's. Retries nothing itself.

A create may conflict with our own earlier attempt, whose reply was lost; an S3 store may answer 409 when nothing was
written. So a conflict is never taken at its word: the object is looked at (design section 3, rules 5 and 6).
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
    """Another writer's object has the name; `existing` says what it covers."""

    existing: ObjectDescription


def store_object(
    store: Store,
    description: ObjectDescription,
    data: memoryview,
    *,
    read_description: Callable[[Store, ObjectInfo], ObjectDescription],
) -> Stored | Conflict:
    """Create an object, and find out what a conflict means.

    Args:
        store: Where.
        description: Of the object; its name, and what to keep as metadata.
        data: The object's bytes.
        read_description: Reads what an object covers where the store keeps no metadata.

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
    """Create an object whose name says what is in it, so that a conflict is as good as a success, if there is one.

    Raises:
        TransientError: As `Store.create`, or the store reported a conflict and wrote nothing.
        TerminalError: As `Store.create`.
    """
    try:
        store.create(name, data, {})
    except AlreadyExistsError:
        _existing(store, name)


def _existing(store: Store, name: str) -> ObjectInfo:
    """What a conflict was about. S3 answers 409 also when two writers met and neither has written."""
    info = store.head(name)
    if info is None:
        raise TransientError(
            f"{name}: the store reported a conflict, but no such object exists",
            hint="the store is busy with the same name; trying again helps",
        ) from None
    return info


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
    _require_comparable(description, existing)
    # Equal bytes may still cover more or fewer records: a tombstone at the end of a raw object is no byte at all.
    if equal and existing.last_offset == description.last_offset:
        return Stored(earlier=True)
    return Conflict(existing)


def _require_comparable(ours: ObjectDescription, existing: ObjectDescription) -> None:
    """An object is only adopted if it covers the same lane from the same record: else records would be lost."""
    for word in ("topic", "partition", "lane", "first_offset"):
        mine, theirs = getattr(ours, word), getattr(existing, word)
        if mine != theirs:
            raise TerminalError(
                f"{ours.name} exists and covers another {word.replace('_', ' ')}: {theirs!r}, not {mine!r}",
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
