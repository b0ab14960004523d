"""Adds missing entries to the manifest, and reports differences and losses. Touches no object, forgets none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from streamsink.archive.archive import Archive
from streamsink.archive.check import CheckedObject
from streamsink.archive.losses import Loss, read_losses, record_losses
from streamsink.archive.verify import check_all, missing_objects
from streamsink.errors import TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest

ENTRIES_MAX = 1000
"""Entries in one file of the manifest."""


@dataclass(slots=True)
class Reindexed:
    """The results of a run."""

    objects: int = 0
    """That the manifest knows and that are as it says."""
    added: int = 0
    files_removed: int = 0
    """Files of the manifest whose entries are in fewer, larger files."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Objects that the manifest doesn't know and that are damaged or have no description; with the reason."""
    differs: list[tuple[str, str]] = field(default_factory=list)
    """Objects that differ from the manifest, with the difference."""
    gone: list[str] = field(default_factory=list)
    """Objects that the manifest knows and the store doesn't have."""
    manifest_damaged: list[tuple[str, str]] = field(default_factory=list)
    """Files of the manifest that were changed: their entries are lost."""
    accepted: list[str] = field(default_factory=list)
    """Paths and manifest files whose loss was recorded."""

    @property
    def clean(self) -> bool:
        """Whether nothing was found that isn't recorded as a loss."""
        found = {*dict(self.left_out), *dict(self.differs), *self.gone, *dict(self.manifest_damaged)}
        return not found - set(self.accepted)


def reindex(
    archive: Archive,
    *,
    accept: bool = False,
    started: Callable[[int, int], None] = lambda _objects, _size_bytes: None,
    indexed: Callable[[CheckedObject], None] = lambda _checked: None,
) -> Reindexed:
    """Complete the manifest, into few files. A worker may go on writing beside it.

    What the manifest says of an object that differs or is gone stays in it, so that `verify` goes on saying so, until
    the loss is accepted.

    Args:
        archive: An archive, or a part of one: objects below its prefix count.
        accept: Record each loss as a loss: the manifest then has the objects that are there.
        started: Told how many objects and bytes there are.
        indexed: Told of each object as it was read.

    Raises:
        TransientError: The store can't be used now; doing it again is safe.
        TerminalError: The store can't be used.
    """
    manifest, losses = archive.manifest(), read_losses(archive)
    entries = sorted(
        archive.objects(), key=lambda entry: (entry.parsed.topic, entry.parsed.partition, entry.parsed.start_offset)
    )
    started(len(entries), sum(entry.size_bytes for entry in entries))
    known = dict(manifest.by_name)
    done = Reindexed(manifest_damaged=[(file.name, file.problem) for file in manifest.damaged])
    lost: list[tuple[str, Loss]] = []
    for result in check_all(archive, entries, md5=True):
        indexed(result)
        if losses.damaged.get(result.entry.name) == result.sha256:
            continue
        if (loss := _compare(result, known, done, accept=accept)) is not None:
            lost.append((result.entry.parsed.topic, loss))
    for about in missing_objects(archive, {entry.name for entry in entries}):
        done.gone.append(archive.path(about.name))
        if accept:
            lost.append((about.topic, Loss(about.name, known.pop(about.name))))
    if accept:
        _accept(archive, lost, done)
    _rewrite(archive, known, done)
    if accept:
        for name, _ in done.manifest_damaged:
            archive.store.delete(name)
            done.accepted.append(name)
    return done


def _compare(
    result: CheckedObject, known: dict[str, tuple[ObjectDescription, ...]], done: Reindexed, *, accept: bool
) -> Loss | None:
    """Count one object and change its entries; give the loss that is to be recorded."""
    name, path = result.entry.name, result.entry.path
    was = known.get(name, ())
    if not result.problems and result.description is not None:
        if not was:
            known[name] = (result.description,)
            done.added += 1
        done.objects += 1
        return None
    (done.differs if was else done.left_out).append((path, "; ".join(result.problems)))
    if not accept:
        return None
    known.pop(name, None)
    if not result.own_problems and result.description is not None:
        # It is whole, and another object than the one that was stored.
        known[name] = (result.description,)
        done.added += 1
        return Loss(name, was)
    return Loss(name, was, result.sha256)


def _accept(archive: Archive, lost: list[tuple[str, Loss]], done: Reindexed) -> None:
    """Record losses, before the manifest forgets them."""
    now_ms = int(time.time() * 1000)
    for topic, group in groupby(sorted(lost, key=lambda pair: (pair[0], pair[1].name)), key=lambda pair: pair[0]):
        losses = [loss for _, loss in group]
        record_losses(archive, topic, losses, now_ms=now_ms)
        done.accepted += [archive.path(loss.name) for loss in losses]


def _rewrite(archive: Archive, known: dict[str, tuple[ObjectDescription, ...]], done: Reindexed) -> None:
    """Write all entries into few files, then remove the files that held them before."""
    entries = sorted(
        (entry for stories in known.values() for entry in stories),
        key=lambda entry: (entry.topic, entry.partition, entry.first_offset, entry.name),
    )
    written: set[str] = set()
    for _, group in groupby(entries, key=lambda entry: (entry.topic, entry.partition)):
        written |= {write_manifest(archive.store, chunk) for chunk in _chunks(group)}
    for name in sorted(archive.manifest().own_files - written):
        # A store that refuses to delete keeps the old files: what is said twice is said once.
        with contextlib.suppress(TerminalError):
            archive.store.delete(name)
            done.files_removed += 1


def _chunks(entries: Iterable[ObjectDescription]) -> Iterable[list[ObjectDescription]]:
    waiting: list[ObjectDescription] = []
    for entry in entries:
        waiting.append(entry)
        if len(waiting) == ENTRIES_MAX:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
