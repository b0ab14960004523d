"""Uploads and manifest writes on a small pool; their ends come back as events through one bounded-by-orders queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from streamsink.clock import SYSTEM_CLOCK, Clock
from streamsink.encode.protocol import Data, EncodedFile
from streamsink.encode.read import open_object, read_footer
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.observe.points import Point, reached
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.effects import Commit
from streamsink.sink.look import Look
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.resolve import Stored, store_object
from streamsink.upload.sidecar import describe_by_sidecar, write_sidecars

Complete = Callable[[Store, ObjectDescription, bytes | None], None]
"""Creates an object's missing siblings; the object's sidecar is given where it is at hand."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An upload's end after `seconds`, with the description of the stored object: ours, or the one we met."""

    event: on.Uploaded | on.Conflict
    description: ObjectDescription
    seconds: float


@dataclass(frozen=True, slots=True)
class ManifestWritten:
    """A commit's manifest is written, or could not be: the commit may go out."""

    commit: Commit
    entries: tuple[ObjectDescription, ...]
    error: Exception | None


Outcome = StoredObject | ManifestWritten | on.UploadFailed | on.Looked | on.LookFailed


class Uploads:
    """The pool. The machine bounds how many uploads it orders at once, commits are one a partition.

    Args:
        store: Where objects go.
        pool: Where uploads run: see `upload_threads`.
        keeps_footer: Whether the objects' own bytes describe them.
        clock: Tells the time and waits.
        look: Finds stored objects; None where nothing is ever looked for.
        complete: Creates siblings of an object, ours or the one we met, before anything follows from its upload.
    """

    def __init__(
        self,
        store: Store,
        pool: Executor,
        *,
        keeps_footer: bool,
        clock: Clock = SYSTEM_CLOCK,
        look: Look | None = None,
        complete: Complete | None = None,
    ) -> None:
        self._finder = look
        self._complete = complete
        self._store = store
        self._keeps_footer = keeps_footer
        self._pool = pool
        self._clock = clock
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._running: dict[int, TopicPartition] = {}
        self._looks: dict[TopicPartition, do.Look] = {}

    def upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> None:
        """Store a file in a thread of the pool. Its end comes out of `outcomes`.

        Args:
            file_id: The file's number, which its end names.
            description: The object's name and content.
            encoded: Its bytes and its sidecar.
        """
        self._running[file_id] = TopicPartition(description.topic, description.partition)
        self._pool.submit(self._report, lambda: self._upload(file_id, description, encoded), file_id)

    def write_manifest(self, commit: Commit, entries: Sequence[ObjectDescription]) -> None:
        """Write a commit's manifest in a thread of the pool. Its end comes out of `outcomes`.

        Args:
            commit: The commit, which the end names.
            entries: The objects that it covers, of one partition.
        """
        self._pool.submit(self._write_manifest, commit, tuple(entries))

    def look(self, order: do.Look) -> None:
        """Look for stored objects of a partition, once no upload of it runs. The answer comes out of `outcomes`.

        An upload of an earlier assignment may still run, and a look would miss what it stores.
        """
        self._looks[order.topic_partition] = order
        self._begin_looks()

    def _begin_looks(self) -> None:
        busy = set(self._running.values())
        for partition in [name for name in self._looks if name not in busy]:
            self._pool.submit(self._look, self._looks.pop(partition))

    def outcomes(self, *, wait_s: float = 0.0) -> list[Outcome]:
        """Take the outcomes that have come, after a wait of up to `wait_s` for the first."""
        if wait_s and self._outcomes.empty():
            self._ended.clear()
            if self._outcomes.empty():
                self._clock.wait(wait_s, self._ended)
        ended: list[Outcome] = []
        while not self._outcomes.empty():
            ended.append(self._outcomes.get_nowait())
        for outcome in ended:
            match outcome:
                case StoredObject(event, _, _):
                    self._running.pop(event.file_id)
                case on.UploadFailed(file_id):
                    self._running.pop(file_id)
        self._begin_looks()
        return ended

    def close(self) -> None:
        """Let go of the threads; an upload that still runs is left to its timeouts."""
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
        self._put(outcome)

    def _upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> Outcome:
        reached(Point.BEFORE_PUT)
        began_s = self._clock.monotonic_s()
        # Also where the store keeps metadata: a copy on a disk (rclone, rsync) has none.
        describe = not self._keeps_footer or encoded.sidecar is not None
        ours = description
        description = write_sidecars(
            self._store,
            ours,
            encoded.sidecar,
            describe=describe,
            read_content=lambda content: described_beside(ours.name, encoded.data, content),
        )
        partition = TopicPartition(description.topic, description.partition)
        if self._finder is not None and description.name in self._finder.gone.get(partition, {}):
            # The manifest tells of other bytes under this name: without a word of these they would be taken for damage
            # if this process died before its commit.
            write_manifest(self._store, [description])
        result = store_object(self._store, description, encoded.data, read_description=read_description)
        reached(Point.AFTER_PUT)
        existing = description if isinstance(result, Stored) else result.existing
        if isinstance(result, Stored) and description is ours:
            if self._complete is not None:
                self._complete(self._store, ours, encoded.sidecar)
            return StoredObject(on.Uploaded(file_id), ours, self._clock.monotonic_s() - began_s)
        if self._complete is not None:
            self._complete(self._store, existing, None)
        return StoredObject(on.Conflict(file_id, existing.last_offset), existing, self._clock.monotonic_s() - began_s)

    def _write_manifest(self, commit: Commit, entries: tuple[ObjectDescription, ...]) -> None:
        error: Exception | None = None
        try:
            reached(Point.BEFORE_MANIFEST)
            write_manifest(self._store, entries)
            reached(Point.AFTER_MANIFEST)
        except Exception as caught:  # noqa: BLE001 - the manifest is derived: the commit goes out without it
            error = caught
        self._put(ManifestWritten(commit, entries, error))

    def _look(self, order: do.Look) -> None:
        assert self._finder is not None, "a machine that looks has something to look with"
        partition, look_id = order.topic_partition, order.look_id
        outcome: Outcome
        try:
            outcome = on.Looked(partition, look_id, self._finder.find(partition, order.offset))
        except TransientError as error:
            outcome = on.LookFailed(partition, look_id, error)
        except Exception as error:  # noqa: BLE001 - a thread's exception must reach the task, whatever it is
            outcome = on.LookFailed(partition, look_id, error, terminal=True)
        self._put(outcome)

    def _put(self, outcome: Outcome) -> None:
        self._outcomes.put(outcome)
        self._ended.set()


def upload_threads(threads: int) -> Executor:
    """A pool for so many uploads at once."""
    return ThreadPoolExecutor(threads, thread_name_prefix="upload")


def described_beside(name: str, data: Data, sidecar: bytes) -> ObjectDescription:
    """Describe what an object covers by the sidecar of an object of equal bytes.

    Args:
        name: The object's, as the description gives it back.
        data: The object's bytes.
        sidecar: The sidecar's bytes.

    Returns:
        The description that the sidecar gives.

    Raises:
        TerminalError: The sidecar is damaged.
    """
    return ObjectDescription.from_footer(name, open_object(name, data, sidecar).footer())


def read_description(store: Store, info: ObjectInfo) -> ObjectDescription:
    """Describe an object of another writer by its footer or its sidecar, where the store keeps no metadata.

    Args:
        store: The archive's.
        info: The object.

    Raises:
        TransientError: It can't be read now.
        TerminalError: It is not one of ours.
    """
    try:
        footer = read_footer(
            info.name, info.size_bytes, lambda start, length: store.get_range(info.name, start, length)
        )
    except TerminalError:
        # Names of a template don't say what objects are; their sidecars do.
        footer = {}
    if footer:
        return ObjectDescription.from_footer(info.name, footer)
    return describe_by_sidecar(store, info)
