"""Brings one object here, whole and proven, before any record of it is sent. Large ones wait on disk, not in memory."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO

import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.encode.output.text_read import WITHOUT_VALUES
from streamsink.encode.protocol import ObjectReader
from streamsink.encode.read import DAMAGED, open_foreign, open_object
from streamsink.errors import CorruptObjectError, ObjectMissingError, TerminalError
from streamsink.replay.plan import Candidate
from streamsink.upload.description import ObjectDescription

PIECE_BYTES = 4 * 1024 * 1024
MEMORY_BYTES_MAX = 8 * 1024 * 1024
"""Larger objects are spooled to a file: an archive's objects may be larger than memory should be."""


@dataclass(slots=True)
class Fetched:
    """An object that was read, in memory or in a file."""

    candidate: Candidate
    reader: ObjectReader
    keys: ObjectReader | None = None
    headers: ObjectReader | None = None
    _file: IO[bytes] | None = None

    def close(self) -> None:
        """Let go of the disk."""
        if self._file is not None:
            self._file.close()


def fetch(archive: Archive, candidate: Candidate) -> Fetched:
    """Read an object, and compare it with what is known of it.

    Args:
        archive: Where the object is.
        candidate: The object, with the size and checksum that are known of it.

    Returns:
        The object, in memory or in a file.

    Raises:
        CorruptObjectError: It is gone, or its checksum, size or footer differ, or it can't be read.
        TransientError: The store can't be read now.
    """
    try:
        return _fetch(archive, candidate)
    except CorruptObjectError:
        raise
    except ObjectMissingError:
        raise corrupt(candidate, "it is gone") from None
    except TerminalError as error:
        raise corrupt(candidate, error.message) from error


def corrupt(candidate: Candidate, reason: str) -> CorruptObjectError:
    """Make the error that names an object and its range.

    Args:
        candidate: The object.
        reason: What is wrong with it, in a few words.

    Returns:
        The error, with the hint to skip damaged objects.
    """
    return CorruptObjectError(candidate.path, candidate.range, reason, hint=f"{DAMAGED}: --skip-corrupt")


def _fetch(archive: Archive, candidate: Candidate) -> Fetched:
    if candidate.missing:
        raise corrupt(candidate, "the manifest knows it and the store does not have it")
    if candidate.problem:
        raise corrupt(candidate, candidate.problem)
    with contextlib.ExitStack() as on_error:
        source, sha256, file = _bring(archive, candidate)
        if file is not None:
            on_error.callback(file.close)
        about = candidate.about
        if about is not None and about.sha256 and about.sha256 != sha256:
            raise corrupt(candidate, f"its SHA-256 is {sha256}, and was {about.sha256} when it was written")
        if about is None:
            reader = open_foreign(candidate.name, source)
        else:
            reader = open_object(candidate.name, source, archive.sidecar(candidate.name, sha256))
        _same(candidate, reader)
        if WITHOUT_VALUES in reader.footer():
            raise corrupt(candidate, "it was written without its records' values, as format.output.fields said")
        keys, headers = (
            open_foreign(name, archive.store.get(name)) if name else None
            for name in (candidate.keys, candidate.headers)
        )
        on_error.pop_all()
    return Fetched(candidate, reader, keys, headers, file)


def _bring(archive: Archive, candidate: Candidate) -> tuple[bytes | pa.NativeFile, str, IO[bytes] | None]:
    """The object's bytes, their SHA-256, and the file they wait in."""
    name, size_bytes = candidate.name, candidate.size_bytes
    if size_bytes <= MEMORY_BYTES_MAX:
        data = archive.store.get(name)
        if len(data) != size_bytes:
            raise corrupt(candidate, f"it has {len(data)} bytes, and {size_bytes} were listed")
        return data, hashlib.sha256(data).hexdigest(), None
    digest = hashlib.sha256()
    # Without a name: nothing is left behind, however this process ends.
    file = tempfile.TemporaryFile(prefix="streamsink-")  # noqa: SIM115 - closed with what is fetched
    for start in range(0, size_bytes, PIECE_BYTES):
        piece = archive.store.get_range(name, start, min(PIECE_BYTES, size_bytes - start))
        digest.update(piece)
        file.write(piece)
    file.flush()
    return pa.PythonFile(file, "r"), digest.hexdigest(), file


def _same(candidate: Candidate, reader: ObjectReader) -> None:
    """The object's own footer or sidecar against what was known of it before."""
    about, footer = candidate.about, reader.footer()
    if about is None or not footer:
        return
    own = ObjectDescription.from_footer(candidate.name, footer)
    for what in ("topic", "partition", "first_offset", "last_offset", "record_count"):
        if getattr(own, what) != getattr(about, what):
            raise corrupt(candidate, f"its footer says {what} {getattr(own, what)}, not {getattr(about, what)}")
    if own.partition != candidate.partition or own.first_offset != candidate.start_offset:
        raise corrupt(candidate, f"its footer says {own.partition}+{own.first_offset}, which is not its name")
