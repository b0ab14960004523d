"""Objects as files in a folder: whole or absent, durable once created, never overwritten. Knows no format."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from streamsink.errors import (
    AlreadyExistsError,
    ObjectMissingError,
    StreamsinkError,
    TerminalError,
    TransientError,
)
from streamsink.upload.protocol import ObjectInfo

TEMPORARY_PREFIX = ".streamsink-tmp-"
TEMPORARY_AGE_S_MAX = 3600

_TRANSIENT = {
    errno.ENOSPC: "free space on the disk; nothing is lost, and the upload goes on by itself",
    errno.EDQUOT: "raise the quota; nothing is lost, and the upload goes on by itself",
    errno.EFBIG: "raise the limit on file sizes; nothing is lost, and the upload goes on by itself",
    errno.EIO: "look at the disk's health",
    errno.EMFILE: "raise the limit on open files",
    errno.EAGAIN: "the system is short of something; this may pass",
    errno.ESTALE: "the network file system is away",
    errno.ETIMEDOUT: "the network file system is away",
}


class LocalStore:
    """A folder. Creates write a temporary file, fsync it, link it to its name and fsync the folder.

    Args:
        root: The folder; made if missing.

    Raises:
        TerminalError: It can't be made or read.
    """

    def __init__(self, root: Path) -> None:
        self.url = root.absolute().as_uri()
        self.keeps_metadata = False
        self._root = root.absolute()
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._remove_stale()
        except OSError as error:
            raise self._explain(error, str(self._root)) from error

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:  # noqa: ARG002
        """See `Store.create`; a folder keeps no metadata."""
        path = self._path(name)
        temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            made = self._make_folders(path.parent)
            try:
                _write_durably(temporary, data)
                os.link(temporary, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
            for folder in {path.parent, *(parent.parent for parent in made)}:
                _fsync_folder(folder)
        except FileExistsError:
            raise AlreadyExistsError(f"{name} exists in {self.url}") from None
        except OSError as error:
            raise self._explain(error, name) from error

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise self._explain(error, name) from error

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
        parts = name.split("/")
        if not name or name.startswith("/") or "\0" in name or any(part in {"", ".", ".."} for part in parts):
            raise TerminalError(f"{name!r} is not a name below {self.url}", hint="names are relative, without '..'")
        return self._root.joinpath(*parts)

    def _make_folders(self, folder: Path) -> Sequence[Path]:
        made = deque[Path]()
        while not folder.exists():
            made.append(folder)
            folder = folder.parent
        for path in reversed(made):
            path.mkdir(exist_ok=True)
        return made

    def _remove_stale(self) -> None:
        """Temporary files of writers that died; young ones may be in work."""
        oldest = time.time() - TEMPORARY_AGE_S_MAX
        for path in self._root.rglob(f"{TEMPORARY_PREFIX}*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _explain(self, error: OSError, name: str) -> StreamsinkError:
        where = f"{name} in {self.url}" if name != str(self._root) else self.url
        message = f"{where}: {error.strerror or error}"
        if isinstance(error, FileNotFoundError):
            return ObjectMissingError(f"no object {name} in {self.url}")
        if error.errno in _TRANSIENT:
            return TransientError(message, hint=_TRANSIENT[error.errno])
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return TerminalError(message, hint="give the worker's user write access to this folder")
        if error.errno in {errno.EMLINK, errno.EOPNOTSUPP}:
            return TerminalError(
                message, hint="the file system has no hard links, which creating without overwriting needs"
            )
        return TerminalError(message, hint="look at the path and what lies there")


def _write_durably(path: Path, data: bytes | memoryview) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
