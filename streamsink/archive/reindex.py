"""Rebuilds the manifest from what the objects themselves say, and the hashes of their bytes. Touches no object."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

import orjson

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import FOLDER, write_manifest

ENTRIES_MAX = 1000
"""Entries in one file of the manifest."""


@dataclass(slots=True)
class Reindexed:
    """What a rebuild did."""

    objects: int = 0
    files_removed: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Objects that don't say what they cover, with the reason."""


def reindex(
    archive: Archive,
    *,
    started: Callable[[int, int], None] = lambda _objects, _size_bytes: None,
    indexed: Callable[[ArchivedObject], None] = lambda _entry: None,
) -> Reindexed:
    """Write the manifest anew, then remove what it was before. A worker may go on writing beside it.

    Args:
        archive: Which.
        started: Told how many objects and bytes there are.
        indexed: Told of each object as it was read.

    Raises:
        TransientError: The store can't be used now; doing it again is safe.
        TerminalError: The store can't be used.
    """
    old = {info.name for info in archive.store.list(f"{FOLDER}/") if _concerns(archive, info.name)}
    entries = sorted(
        archive.objects(), key=lambda entry: (entry.parsed.topic, entry.parsed.partition, entry.parsed.start_offset)
    )
    started(len(entries), sum(entry.size_bytes for entry in entries))
    done = Reindexed()
    written: set[str] = set()
    for _, group in groupby(entries, key=lambda entry: (entry.parsed.topic, entry.parsed.partition)):
        waiting: list[ObjectDescription] = []
        for entry in group:
            waiting += _describe(archive, entry, done)
            indexed(entry)
            if len(waiting) == ENTRIES_MAX:
                written.add(write_manifest(archive.store, waiting))
                waiting = []
        if waiting:
            written.add(write_manifest(archive.store, waiting))
    for name in sorted(old - written):
        archive.store.delete(name)
        done.files_removed += 1
    return done


def _concerns(archive: Archive, name: str) -> bool:
    """Whether a file of the manifest speaks of this archive's objects only."""
    try:
        names = [str(orjson.loads(line).get("name", "")) for line in archive.store.get(name).splitlines()]
    except (ObjectMissingError, orjson.JSONDecodeError, AttributeError):
        return False
    return all(text.startswith(archive.prefix) for text in names)


def _describe(archive: Archive, entry: ArchivedObject, done: Reindexed) -> list[ObjectDescription]:
    try:
        described = _complete(archive, entry)
    except ObjectMissingError:
        return []
    except TerminalError as error:
        done.left_out.append((entry.path, error.message))
        return []
    done.objects += 1
    return [described]


def _complete(archive: Archive, entry: ArchivedObject) -> ObjectDescription:
    """What an object says of itself, with its hashes; read as a whole where metadata don't have them."""
    if archive.store.keeps_metadata:
        described = archive.describe_itself(entry)
        if described.sha256 and described.md5:
            return described
    data = archive.store.get(entry.name)
    sha256 = hashlib.sha256(data).hexdigest()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return archive.describe_itself(entry, data).sealed(sha256=sha256, md5=md5, size_bytes=len(data))
