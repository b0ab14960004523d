"""Gives checksums of an archive's objects, for `sha256sum -c` and rclone. Changes nothing, prints nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.errors import ObjectMissingError
from streamsink.upload.description import ObjectDescription


def checksums(archive: Archive, algorithm: Literal["sha256", "md5"] = "sha256") -> Iterator[tuple[str, str]]:
    """Give each object's checksum, in name order.

    They come from the manifest or the store's metadata: what the object was when it was written. One that neither knows
    is read.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        algorithm: Which checksum.

    Yields:
        The checksum in hex, and the object's path relative to the archive.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    for entry in archive.objects():
        try:
            yield _recorded(archive, entry, algorithm) or _computed(archive, entry, algorithm), entry.path
        except ObjectMissingError:
            continue


def _recorded(archive: Archive, entry: ArchivedObject, algorithm: Literal["sha256", "md5"]) -> str:
    about = entry.recorded
    if about is None and archive.store.keeps_metadata:
        info = archive.store.head(entry.name)
        if info is not None:
            about = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
    if about is None:
        return ""
    return about.sha256 if algorithm == "sha256" else about.md5


def _computed(archive: Archive, entry: ArchivedObject, algorithm: Literal["sha256", "md5"]) -> str:
    return hashlib.new(algorithm, archive.store.get(entry.name), usedforsecurity=False).hexdigest()
