"""Holds an archive's manifest as one value: descriptions of objects, and the damaged files of the manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import ManifestFile


@dataclass(slots=True)
class Manifest:
    """The manifest's entries for the objects below a prefix."""

    by_name: dict[str, tuple[ObjectDescription, ...]] = field(default_factory=dict)
    """Each story once: an object that was described twice, in unlike words, has two."""
    damaged: list[ManifestFile] = field(default_factory=list)
    files: list[ManifestFile] = field(default_factory=list)
    """Without their entries."""
    own_files: set[str] = field(default_factory=set)
    """Names of files that speak of objects below the prefix only."""

    def of(self, name: str) -> tuple[ObjectDescription, ...]:
        """An object's entries: none, one, or several where it was stored again."""
        return self.by_name.get(name, ())

    def entry(self, name: str, size_bytes: int) -> ObjectDescription | None:
        """The last entry that fits an object.

        Args:
            name: The object's, relative to the store's root.
            size_bytes: The object's size now; entries of another size describe bytes that are no longer there.

        Returns:
            None where no entry fits.
        """
        return next((entry for entry in reversed(self.of(name)) if entry.size_bytes == size_bytes), None)

    def entries(self) -> Iterable[ObjectDescription]:
        """The entries of all objects."""
        return (entry for entries in self.by_name.values() for entry in entries)


def gather(files: Iterable[ManifestFile], prefix: str) -> Manifest:
    """Make one value of the manifest's files.

    Args:
        files: All of them.
        prefix: Entries of objects elsewhere are left out.
    """
    manifest = Manifest()
    for file in files:
        if file.problem:
            manifest.damaged.append(file)
            continue
        manifest.files.append(ManifestFile(file.name))
        below = [entry for entry in file.entries if entry.name.startswith(prefix)]
        if len(below) == len(file.entries):
            manifest.own_files.add(file.name)
        for entry in below:
            known = manifest.by_name.get(entry.name, ())
            if entry not in known:
                manifest.by_name[entry.name] = (*known, entry)
    return manifest
