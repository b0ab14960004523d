"""Objects on a WebDAV server (NextCloud, Pydio, Apache ...): whole or absent, never overwritten. Keeps no metadata.

A create puts the bytes under their own name in `_streamsink/tmp`, then moves them with `Overwrite: F`, which every
WebDAV server must honour (RFC 4918) and which shows no half object. `If-None-Match: *` on the PUT itself, one request
less, is what `create=put` does: NextCloud honours it and writes whole files, Go's servers ignore it, others show what
has arrived so far.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from streamsink.errors import (
    AlreadyExistsError,
    ObjectMissingError,
    StreamsinkError,
    TerminalError,
    TransientError,
)
from streamsink.upload.name import require_fit
from streamsink.upload.protocol import ObjectInfo
from streamsink.upload.webdav_chunks import CHUNK_BYTES, ChunkedUploads, uploads_folder
from streamsink.upload.webdav_http import Answer, Login, WebDavClient
from streamsink.upload.webdav_listing import PROPFIND_BODY, Member, read_members

TEMPORARY_FOLDER = "_streamsink/tmp"
TEMPORARY_AGE_S_MAX = 3600
APPEARS_AFTER_S = (0.0, 0.1, 0.4)
"""How long to wait before each look for the object that another writer's move may be bringing in."""
FOLDERS_KNOWN_MAX = 10_000
_ODD = frozenset("?;")
"""What some servers take for the end of the name in `Destination`, however it is escaped."""

_MISSING = {404, 409, 410}


class WebDavStore:
    """A folder on a server.

    Args:
        url: `webdav+http(s)://host/path`, without credentials.
        login: Who we are.
        timeout_s: For one request.
        by_move: Whether objects are created by a move, not by a conditional PUT.
        chunk_bytes: In NextCloud, objects above this size are uploaded in chunks of it, and created by a move.
    """

    def __init__(
        self, url: str, login: Login, *, timeout_s: float, by_move: bool = True, chunk_bytes: int = CHUNK_BYTES
    ) -> None:
        self.url = url
        self.keeps_metadata = False
        base = url.removeprefix("webdav+")
        self._client = WebDavClient(base, login, timeout_s=timeout_s)
        self._root = unquote(urlsplit(base).path).rstrip("/")
        self._by_move = by_move
        uploads = uploads_folder(self._root)
        self._chunked = None if uploads is None else ChunkedUploads(self._client, uploads, chunk_bytes=chunk_bytes)
        self._folders: set[str] = set()
        self._lock = threading.Lock()
        self._swept = False
        self._takes_odd: bool | None = None

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:  # noqa: ARG002
        """See `Store.create`; a WebDAV server keeps no metadata of ours."""
        require_fit(name, self.url)
        if not self._by_move and not self._is_large(data):
            self._put_new(name, data)
            return
        self._sweep_once()
        if _ODD & set(name):
            self._require_odd()
        self._move_in(name, data)

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        return self._get(name, {}).body

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`; there are no metadata to ask for."""
        data = self.get(name)
        return ObjectInfo(name, len(data)), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`; a server may answer with the whole object, of which the range is cut."""
        if length <= 0:
            return b""
        if start < 0:
            info = self.head(name)
            if info is None:
                raise self._missing(name)
            start = max(0, info.size_bytes + start)
        answer = self._get(name, {"Range": f"bytes={start}-{start + length - 1}"})
        if answer.status == 416:
            return b""
        return answer.body[:length] if answer.status == 206 else answer.body[start : start + length]

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`: PROPFIND, since HEAD of a folder may look like a file's."""
        require_fit(name, self.url)
        found = next(iter(self._members(self._path(name), depth="0") or ()), None)
        if found is None or found.is_folder:
            return None
        return ObjectInfo(name, found.size_bytes, {}, found.modified_ms)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`: folder by folder, since servers refuse to answer for a whole tree."""
        folder = prefix.rpartition("/")[0]
        waiting = [self._path(folder)]
        found: list[ObjectInfo] = []
        while waiting:
            at = waiting.pop()
            for member in self._members(at, depth="1") or ():
                if member.path == at:
                    continue
                name = self._name(member)
                if not member.is_folder:
                    if name.startswith(prefix):
                        found.append(ObjectInfo(name, member.size_bytes, {}, member.modified_ms))
                elif name != TEMPORARY_FOLDER and (f"{name}/".startswith(prefix) or prefix.startswith(f"{name}/")):
                    waiting.append(member.path)
        yield from sorted(found, key=lambda info: info.name)

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        require_fit(name, self.url)
        # A folder of that name is not ours to delete, and all below it would go with it.
        if self.head(name) is not None:
            self._remove(name)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _put_new(self, name: str, data: bytes | memoryview) -> None:
        headers = {"If-None-Match": "*", "Content-Type": "application/octet-stream"}
        try:
            self._write(name, data, headers=headers, repeat=False)
        except (TerminalError, TransientError):
            # NextCloud answers the loser of a race with 403, 404, 423 and 500 as well as 412.
            if not self._appears(name):
                raise
            raise AlreadyExistsError(f"{name} exists in {self.url}, perhaps by this very request") from None

    def _move_in(self, name: str, data: bytes | memoryview) -> None:
        temporary = f"{TEMPORARY_FOLDER}/{uuid.uuid4().hex}"
        self._write_temporary(temporary, data)
        try:
            self._move_to(temporary, name)
        except BaseException:
            # After a lost reply the name may be another's or ours by now; the temporary one never is.
            with contextlib.suppress(StreamsinkError):
                self._remove(temporary)
            raise

    def _is_large(self, data: bytes | memoryview) -> bool:
        return self._chunked is not None and len(data) > self._chunked.chunk_bytes

    def _write_temporary(self, temporary: str, data: bytes | memoryview) -> None:
        if self._chunked is not None and self._is_large(data):
            self._make_folders(temporary, again=True)
            if self._chunked.write(self._path(temporary), data, lambda: self._size(temporary)):
                return
            self._chunked = None
        self._write(temporary, data, headers={"Content-Type": "application/octet-stream"})

    def _size(self, name: str) -> int | None:
        found = self.head(name)
        return None if found is None else found.size_bytes

    def _move_to(self, temporary: str, name: str) -> None:
        answer = self._move(temporary, name)
        if answer.status not in {201, 204, 412}:
            # Where the folder is missing, Go's handler says 403, others 404 or 409. Losers of a race get these, too.
            self._make_folders(name, again=True)
            answer = self._move(temporary, name)
        if answer.status in {201, 204}:
            return
        # Servers answer the loser of a race with 403 or 500 as well as 412, some before the winner's object shows.
        if answer.status == 412 or self._appears(name):
            raise AlreadyExistsError(f"{name} exists in {self.url}")
        if answer.status in _MISSING:
            raise TransientError(f"{name} in {self.url}: a folder vanished", hint="something removes folders")
        raise self._client.refusal(answer, "MOVE", self._path(name))

    def _appears(self, name: str) -> bool:
        for pause_s in APPEARS_AFTER_S:
            time.sleep(pause_s)
            if self.head(name) is not None:
                return True
        return False

    def _move(self, temporary: str, name: str) -> Answer:
        headers = {"Destination": self._client.url(self._path(name)), "Overwrite": "F"}
        try:
            return self._client.ask("MOVE", self._path(temporary), headers=headers, repeat=False)
        except TransientError:
            if self.head(name) is None:
                raise
            raise AlreadyExistsError(f"{name} exists in {self.url}, perhaps by this very move") from None

    def _write(self, name: str, data: bytes | memoryview, *, headers: Mapping[str, str], repeat: bool = True) -> None:
        path = self._path(name)
        for attempt in range(2):
            self._make_folders(name, again=attempt > 0)
            answer = self._client.ask("PUT", path, body=data, headers=headers, repeat=repeat)
            if answer.status not in _MISSING:
                break
        if answer.status == 412:
            raise AlreadyExistsError(f"{name} exists in {self.url}")
        if answer.status in _MISSING:
            raise TransientError(
                f"{name} in {self.url}: {answer.status} {answer.reason}, and its folder is there",
                hint="does something remove folders, or is the server busy with it? This is tried again",
            )
        if answer.status not in {200, 201, 204}:
            raise self._client.refusal(answer, "PUT", path)

    def _make_folders(self, name: str, *, again: bool = False) -> None:
        folder = name.rpartition("/")[0]
        with self._lock:
            if len(self._folders) > FOLDERS_KNOWN_MAX:
                self._folders.clear()
            known = folder in self._folders and not again
        if not known:
            self._make_folder(self._path(folder))
            with self._lock:
                self._folders.add(folder)

    def _make_folder(self, path: str) -> None:
        """From the deepest up, so that folders above which this user may not even see are left alone."""
        answer = self._client.ask("MKCOL", f"{path}/")
        if answer.status in {404, 409} and "/" in path.rstrip("/"):
            self._make_folder(path.rpartition("/")[0])
            answer = self._client.ask("MKCOL", f"{path}/")
        if answer.status not in {200, 201, 405} and not self._is_folder(path):
            raise self._client.refusal(answer, "MKCOL", path)

    def _is_folder(self, path: str) -> bool:
        return any(member.is_folder for member in self._members(path, depth="0") or ())

    def _members(self, path: str, *, depth: str) -> Sequence[Member] | None:
        """What PROPFIND tells, None where there is nothing."""
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        asked = f"{path}/" if depth == "1" else path or "/"
        answer = self._client.ask("PROPFIND", asked, body=PROPFIND_BODY, headers=headers)
        if answer.status in _MISSING:
            return None
        if answer.status != 207:
            raise self._client.refusal(answer, "PROPFIND", path)
        try:
            return tuple(read_members(answer.body))
        except ValueError as error:
            raise TransientError(
                f"PROPFIND {self._client.url(path)}: not what WebDAV answers: {error}",
                hint="this is tried again; is something between here and the server?",
            ) from error

    def _get(self, name: str, headers: Mapping[str, str]) -> Answer:
        path = self._path(require_fit(name, self.url))
        answer = self._client.ask("GET", path, headers=headers)
        if answer.status in _MISSING:
            raise self._missing(name)
        if answer.status not in {200, 206, 416} or (answer.status == 416 and not headers):
            raise self._client.refusal(answer, "GET", path)
        return answer

    def _missing(self, name: str) -> ObjectMissingError:
        return ObjectMissingError(f"no object {name} in {self.url}")

    def _remove(self, name: str) -> None:
        answer = self._client.ask("DELETE", self._path(name))
        if answer.status not in {200, 204} | _MISSING:
            raise self._client.refusal(answer, "DELETE", self._path(name))

    def _name(self, member: Member) -> str:
        if not member.path.startswith(f"{self._root}/"):
            raise TerminalError(
                f"{self.url}: the server tells of {member.path}, which is not below",
                hint="a proxy rewrites paths: use the address that the server knows itself by",
            )
        return member.path.removeprefix(f"{self._root}/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _require_odd(self) -> None:
        """Find out once whether the server moves to names with `?` and `;`, before it moves one elsewhere."""
        if self._takes_odd is None:
            name = f"{TEMPORARY_FOLDER}/{uuid.uuid4().hex}"
            odd = f"{name}?;o"
            try:
                self._move_in(odd, b"probe")
                self._takes_odd = self.head(odd) is not None
            finally:
                with contextlib.suppress(StreamsinkError):
                    self._remove(name if self._takes_odd is False else odd)
        if not self._takes_odd:
            raise TerminalError(
                f"{self.url}: this server cuts names that hold '?' or ';' when it moves objects",
                hint="set archive.option.create=put if the server honours If-None-Match and writes whole files, "
                "or partition by another field",
            )

    def _sweep_once(self) -> None:
        """Remove what writers that died left under temporary names."""
        with self._lock:
            swept, self._swept = self._swept, True
        if swept:
            return
        oldest_ms = (time.time() - TEMPORARY_AGE_S_MAX) * 1000
        with contextlib.suppress(StreamsinkError):
            for member in self._members(self._path(TEMPORARY_FOLDER), depth="1") or ():
                if not member.is_folder and member.modified_ms is not None and member.modified_ms < oldest_ms:
                    self._remove(self._name(member))
