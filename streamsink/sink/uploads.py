"""Uploads and manifest writes on a small pool; their ends come back as events through one bounded-by-orders queue."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streamsink.encode.protocol import EncodedFile
from streamsink.encode.read import read_footer
from streamsink.errors import StreamsinkError, TransientError
from streamsink.observe.points import Point, reached
from streamsink.sink import events as on
from streamsink.sink.effects import Commit
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.resolve import Stored, store_object
from streamsink.upload.sidecar import describe_by_sidecar, write_sidecars


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An upload's end after `seconds`, with the description of what is stored: ours, or the one we met."""

    event: on.Uploaded | on.Conflict
    description: ObjectDescription
    seconds: float


@dataclass(frozen=True, slots=True)
class ManifestWritten:
    """A commit's manifest is written, or could not be: the commit may go out."""

    commit: Commit
    entries: tuple[ObjectDescription, ...]
    error: Exception | None


Outcome = StoredObject | ManifestWritten | on.UploadFailed


class Uploads:
    """The pool. The machine bounds how many uploads it orders at once, commits are one a partition.

    Args:
        store: Where objects go.
        threads: How many at once.
        keeps_footer: Whether the objects' own bytes say what they cover.
    """

    def __init__(self, store: Store, threads: int, *, keeps_footer: bool) -> None:
        self._store = store
        self._keeps_footer = keeps_footer
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="upload")
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> None:
        """Store a file; its end comes out of `outcomes`."""
        self._pool.submit(self._report, lambda: self._upload(file_id, description, encoded), file_id)

    def write_manifest(self, commit: Commit, entries: Sequence[ObjectDescription]) -> None:
        """Write what a commit's manifest says; its end comes out of `outcomes`."""
        self._pool.submit(self._write_manifest, commit, tuple(entries))

    def outcomes(self, *, wait_s: float = 0.0) -> list[Outcome]:
        """What has ended; waits up to `wait_s` for the first."""
        ended: list[Outcome] = []
        deadline = time.monotonic() + wait_s
        while True:
            try:
                left_s = max(0.0, deadline - time.monotonic()) if not ended else 0.0
                ended.append(self._outcomes.get(block=left_s > 0, timeout=left_s or None))
            except queue.Empty:
                return ended

    def close(self) -> None:
        """Let go of the threads; what still runs is left to its own timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _report(self, work: Callable[[], Outcome], file_id: int) -> None:
        try:
            outcome = work()
        except TransientError as error:
            outcome = on.UploadFailed(file_id, error)
        except StreamsinkError as error:
            outcome = on.UploadFailed(file_id, error, terminal=True)
        except Exception as error:  # noqa: BLE001 - a thread's exception must reach the task, whatever it is
            outcome = on.UploadFailed(file_id, error, terminal=True)
        self._outcomes.put(outcome)

    def _upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> Outcome:
        reached(Point.BEFORE_PUT)
        began_s = time.monotonic()
        # Also where the store keeps metadata: a copy on a disk (rclone, rsync) has none.
        describe = not self._keeps_footer
        write_sidecars(self._store, description, encoded.sidecar, describe=describe)
        result = store_object(self._store, description, encoded.data, read_description=read_description)
        reached(Point.AFTER_PUT)
        if isinstance(result, Stored):
            return StoredObject(on.Uploaded(file_id), description, time.monotonic() - began_s)
        existing = result.existing
        return StoredObject(on.Conflict(file_id, existing.last_offset), existing, time.monotonic() - began_s)

    def _write_manifest(self, commit: Commit, entries: tuple[ObjectDescription, ...]) -> None:
        error: Exception | None = None
        try:
            reached(Point.BEFORE_MANIFEST)
            write_manifest(self._store, entries)
            reached(Point.AFTER_MANIFEST)
        except Exception as caught:  # noqa: BLE001 - the manifest is derived: the commit goes out without it
            error = caught
        self._outcomes.put(ManifestWritten(commit, entries, error))


def read_description(store: Store, info: ObjectInfo) -> ObjectDescription:
    """What an object of another writer covers, where the store keeps no metadata: from its footer or its sidecar.

    Raises:
        TransientError: It can't be read now.
        TerminalError: It is not one of ours.
    """
    footer = read_footer(info.name, info.size_bytes, lambda start, length: store.get_range(info.name, start, length))
    if footer:
        return ObjectDescription.from_footer(info.name, footer)
    return describe_by_sidecar(store, info)
