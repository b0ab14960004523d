"""The manifest: descriptions of stored objects, gathered per commit. Derived from the data, never trusted over it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.ahead import read_ahead
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import Store
from streamsink.upload.resolve import create_named_by_content

FOLDER = "_streamsink/manifest"
READERS = 16
"""Files read at once: a file is written for each commit, so there may be as many as objects."""

_DIGEST = re.compile(r"-([0-9a-f]{12})\.jsonl$")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of the manifest. A file with a `problem` has no entries: none can be believed."""

    name: str
    entries: tuple[ObjectDescription, ...] = ()
    problem: str = ""


def manifest_name(topic: str, partition: int, first_offset: int, content: bytes) -> str:
    """Name the object of a commit's entries by its content, so that writing it twice changes nothing.

    Args:
        topic: The entries' topic.
        partition: The entries' partition.
        first_offset: The smallest first offset of all entries.
        content: The object's bytes.
    """
    return f"{FOLDER}/{topic}/{partition}/{first_offset:020d}-{_digest(content)}.jsonl"


def write_manifest(store: Store, entries: Sequence[ObjectDescription]) -> str:
    """Write entries of one topic partition as one object of the manifest.

    Args:
        store: The archive's.
        entries: At least one, in any order.

    Returns:
        The object's name.

    Raises:
        TransientError: It may or may not have been written; writing it again is safe.
        TerminalError: The store refuses.
    """
    assert len({(entry.topic, entry.partition) for entry in entries}) == 1, "a manifest's file is of one partition"
    ordered = sorted(entries, key=lambda entry: (entry.first_offset, entry.name))
    content = b"".join(orjson.dumps(entry.to_json(), option=orjson.OPT_APPEND_NEWLINE) for entry in ordered)
    first = ordered[0]
    name = manifest_name(first.topic, first.partition, first.first_offset, content)
    create_named_by_content(store, name, content)
    return name


def read_manifest(store: Store, topic: str = "", partition: int | None = None) -> Iterator[ObjectDescription]:
    """Read the manifest's entries, of one object perhaps several. Damaged files are passed over.

    Args:
        store: The archive's.
        topic: Only this topic's; empty for all topics.
        partition: Only this partition's, with a topic; None for all partitions.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    for file in read_manifest_files(store, topic, partition):
        yield from file.entries


def read_manifest_files(store: Store, topic: str = "", partition: int | None = None) -> Iterator[ManifestFile]:
    """Read the manifest's files in name order, several ahead.

    Args:
        store: The archive's.
        topic: Only this topic's; empty for all topics.
        partition: Only this partition's, with a topic; None for all partitions.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    prefix = "/".join([FOLDER, *([topic] if topic else []), *([] if partition is None else [str(partition)]), ""])
    names = (info.name for info in store.list(prefix))
    yield from (file for file in read_ahead(lambda name: _read(store, name), names, threads=READERS) if file)


def _read(store: Store, name: str) -> ManifestFile | None:
    try:
        content = store.get(name)
    except ObjectMissingError:
        return None
    told = _DIGEST.search(name)
    if told is None:
        return ManifestFile(name, problem="its name is none of the manifest's")
    if told[1] != _digest(content):
        return ManifestFile(name, problem=f"it was changed: its {len(content)} bytes are not what its name says")
    try:
        return ManifestFile(
            name, tuple(ObjectDescription.from_json(orjson.loads(line)) for line in content.splitlines())
        )
    except (orjson.JSONDecodeError, AttributeError, TerminalError) as error:
        return ManifestFile(name, problem=f"it has a line that is no entry: {error}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
