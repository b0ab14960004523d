"""Counts the objects under `_streamsink/`, beside the data, by folder and purpose. Reads no content."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.archive.archive import OWN_FOLDER, Archive

HOLDS = {
    "manifest": "what was stored, commit by commit",
    "sidecar": "what an object can't say of itself",
    "columns": "column sets of topics",
    "loss": "losses that were accepted",
    "owner": "which consumer group writes each topic",
    "schemas": "schemas of a registry",
    "topic": "topics' ids",
    "care": "what was pruned, compacted or erased",
    "tmp": "uploads under way, or left by a writer that died",
    "probe": "left by a start that ended early",
    "check": "left by a check of the store that ended early",
}
"""What each folder is for; `probe` and `check` are removed again by those who write them."""

UNKNOWN = "not known to this version"


@dataclass(slots=True)
class OwnFolder:
    """One folder under `_streamsink/`."""

    folder: str
    holds: str
    objects: int = 0
    size_bytes: int = 0


def own_folders(archive: Archive) -> list[OwnFolder]:
    """The folders of an archive's store, by name. All archives below one `archive.url` share them.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    found: dict[str, OwnFolder] = {}
    prefix = f"{OWN_FOLDER}/"
    for info in archive.store.list(prefix):
        name = info.name.removeprefix(prefix).partition("/")[0]
        folder = found.setdefault(name, OwnFolder(name, HOLDS.get(name, UNKNOWN)))
        folder.objects += 1
        folder.size_bytes += info.size_bytes
    return [found[name] for name in sorted(found)]
