"""Objects as files in a folder: whole or absent, durable once created, never overwritten. Knows no format."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamsink.errors import (
    AlreadyExistsError,
    ObjectMissingError,
    StreamsinkError,
    TerminalError,
    TransientError,
)
from streamsink.upload.name import require_fit
from streamsink.upload.protocol import ObjectInfo

TEMPORARY_PREFIX = ".streamsink-tmp-"
TEMPORARY_AGE_S_MAX = 3600

_TRANSIENT = {
    errno.ENOSPC: "free space on the disk; nothing is lost, and the upload goes on by itself",
    errno.EDQUOT: "raise the quota; nothing is lost, and the upload goes on by itself",
    errno.EFBIG: "raise the limit on file sizes; nothing is lost, and the upload goes on by itself",
    errno.EIO: "look at the disk's health",
    errno.EMFILE: "raise the limit on open files",
    errno.ENFILE: "raise the limit on open files",
    errno.EAGAIN: "the system is short of something; this may pass",
    errno.ENOMEM: "the system is short of memory; this may pass",
    errno.ESTALE: "the network file system is away",
    errno.ETIMEDOUT: "the network file system is away",
}
_NO_ACCESS = "give the worker's user write access to this folder"
_NO_LINKS = "this file system has no hard links, which creating without overwriting needs: use another one"
_TERMINAL = {
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS,
    errno.EROFS: "the file system is mounted read-only: mount it for writing, or correct archive.url",
    errno.ENOTDIR: "a file lies where a folder is needed: move it away, or correct archive.url",
    errno.ENAMETOOLONG: "topic and encoded partition make a longer name than this file system takes",
    errno.EMLINK: _NO_LINKS,
    errno.EOPNOTSUPP: _NO_LINKS,
}


class LocalStore:
    """A folder. Creates write a temporary file, fsync it, link it to its name and fsync the folders above.

    Nothing is made before the first `create`, so that looking into a mistyped path leaves no trace.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.url = root.absolute().as_uri()
        self.keeps_metadata = False
        self._root = root.absolute()
        self._swept = False

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:  # noqa: ARG002
        """See `Store.create`; a folder keeps no metadata."""
        path = self._path(name)
        try:
            durable_above = _make_folders(path.parent)
            self._sweep_once()
            taken = not _link_durably(path, data)
            # Even when the name is taken: the writer that linked it may have died before this.
            _fsync_folders(path.parent, up_to=min(durable_above, self._root, key=lambda folder: len(folder.parts)))
        except FileNotFoundError as error:
            raise TransientError(
                f"{name} in {self.url}: a folder vanished while it was used", hint="something removes empty folders"
            ) from error
        except OSError as error:
            raise self._explain(error, name) from error
        if taken:
            raise self._taken(path, name)

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise self._explain(error, name) from error

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`; there are no metadata to ask for."""
        data = self.get(name)
        return ObjectInfo(name, len(data)), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        try:
            with self._path(name).open("rb") as file:
                if start < 0:
                    size = file.seek(0, os.SEEK_END)
                    start = max(0, size + start)
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise self._explain(error, name) from error

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`."""
        try:
            found = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._explain(error, name) from error
        if not stat.S_ISREG(found.st_mode):
            return None
        return ObjectInfo(name, found.st_size, {}, int(found.st_mtime * 1000))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`."""
        folder = prefix.rpartition("/")[0]
        yield from self._walk(self._path(folder) if folder else self._root, f"{folder}/" if folder else "", prefix)

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._explain(error, name) from error

    def close(self) -> None:
        """Nothing to let go of."""

    def _walk(self, folder: Path, before: str, prefix: str) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(folder) as found:
                entries = [(entry.name + ("/" if entry.is_dir() else ""), entry) for entry in found]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._explain(error, before) from error
        # A folder sorts as its name with the slash, so that the whole listing is in the order of full names.
        for text, entry in sorted(entries, key=lambda pair: pair[0]):
            name = before + text
            if text.endswith("/"):
                if name.startswith(prefix) or prefix.startswith(name):
                    yield from self._walk(Path(entry.path), name, prefix)
            elif name.startswith(prefix) and not entry.name.startswith(TEMPORARY_PREFIX):
                try:
                    about = entry.stat()
                except FileNotFoundError:
                    continue
                yield ObjectInfo(name, about.st_size, {}, int(about.st_mtime * 1000))

    def _path(self, name: str) -> Path:
        return self._root / require_fit(name, self.url)

    def _taken(self, path: Path, name: str) -> StreamsinkError:
        if path.is_dir():
            return TerminalError(f"{name} in {self.url} is a folder", hint="move it away: an object needs its name")
        return AlreadyExistsError(f"{name} exists in {self.url}")

    def _sweep_once(self) -> None:
        """Remove temporary files of writers that died; young ones may be in work."""
        if self._swept:
            return
        self._swept = True
        oldest = time.time() - TEMPORARY_AGE_S_MAX
        for folder, _, files in os.walk(self._root):
            for file in files:
                if file.startswith(TEMPORARY_PREFIX):
                    path = Path(folder, file)
                    with contextlib.suppress(OSError):
                        if path.stat().st_mtime < oldest:
                            path.unlink()

    def _explain(self, error: OSError, name: str) -> StreamsinkError:
        message = f"{name} in {self.url}: {error.strerror or error}"
        match error.errno:
            case errno.ENOENT:
                return ObjectMissingError(f"no object {name} in {self.url}")
            case number if number in _TRANSIENT:
                return TransientError(message, hint=_TRANSIENT[number])
            case number if number in _TERMINAL:
                return TerminalError(message, hint=_TERMINAL[number])
        return TerminalError(message, hint="look at the path and what lies there")


def _make_folders(folder: Path) -> Path:
    """Make it and missing folders above; give the lowest folder that was there."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
    return folder


def _link_durably(path: Path, data: bytes | memoryview) -> bool:
    """Give `path` these bytes, all at once; False where the name is taken."""
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except PermissionError as error:
            # A file system without hard links answers so; the folder itself has just been written to.
            raise OSError(errno.EOPNOTSUPP, os.strerror(error.errno or errno.EPERM)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return True


def _fsync_folders(folder: Path, *, up_to: Path) -> None:
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder in {up_to, folder.parent}:
            return
        folder = folder.parent
