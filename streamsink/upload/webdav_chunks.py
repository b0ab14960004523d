"""NextCloud's chunked upload, version 2: a large object in pieces that the server puts together. Never overwrites.

Each upload has a folder of its own beside the user's files. Its chunks are put together under a temporary name that
nobody else has, so that the object's own name is given as with any other object: by a move that never overwrites.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable

from streamsink.errors import StreamsinkError, TransientError
from streamsink.upload.webdav_http import Answer, WebDavClient

CHUNK_BYTES = 32 * 1024 * 1024
"""NextCloud takes 5 MB to 5 GB, and 10,000 of them; proxies before it often no more than 100 MB a request."""

_FILES = re.compile(r"(?P<dav>.*/remote\.php/dav)/files/(?P<user>[^/]+)(?:/.*)?")
_ABSENT = {404, 405, 409, 501}
"""Answers to MKCOL of a server that has no place for uploads."""
_DONE = {200, 201, 204}
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""How long to wait before each look for what the server may still be putting together after its answer was lost."""


def uploads_folder(files: str) -> str | None:
    """Find where chunks of a user's files go; None where this is no path of NextCloud's.

    Args:
        files: The path of a folder among the user's files, unescaped.
    """
    found = _FILES.fullmatch(files)
    return f"{found['dav']}/uploads/{found['user']}" if found else None


class ChunkedUploads:
    """Uploads to one NextCloud, any thread.

    Args:
        client: The server's.
        folder: As `uploads_folder` gives it.
        chunk_bytes: How large each chunk but the last is.
    """

    def __init__(self, client: WebDavClient, folder: str, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.chunk_bytes = chunk_bytes
        self._client = client
        self._folder = folder

    def write(self, path: str, data: bytes | memoryview, size_there: Callable[[], int | None]) -> bool:
        """Write a file that nobody else writes.

        Args:
            path: The file's, from the server's root; its folder is there.
            data: What it shall hold.
            size_there: How large the file is now; None where there is none.

        Returns:
            False where the server knows no chunked uploads: nothing was written.

        Raises:
            TransientError: The upload failed; its folder is removed, and another try begins anew.
            TerminalError: The server refuses.
        """
        upload = f"{self._folder}/streamsink-{uuid.uuid4().hex}"
        headers = {"Destination": self._client.url(path), "OC-Total-Length": str(len(data))}
        # Not repeated: 405 would then be the answer to a folder that the first request made.
        answer = self._client.ask("MKCOL", upload, headers=headers, repeat=False)
        if answer.status in _ABSENT:
            return False
        self._require(answer, "MKCOL", upload)
        try:
            self._chunks(upload, data, headers)
            self._put_together(upload, len(data), headers, size_there)
        except BaseException:
            with contextlib.suppress(StreamsinkError):
                self._client.ask("DELETE", upload)
            raise
        return True

    def _chunks(self, upload: str, data: bytes | memoryview, headers: dict[str, str]) -> None:
        view = memoryview(data)
        for number, start in enumerate(range(0, len(view), self.chunk_bytes), 1):
            path = f"{upload}/{number:05}"
            chunk = view[start : start + self.chunk_bytes]
            content = {**headers, "Content-Type": "application/octet-stream"}
            self._require(self._client.ask("PUT", path, body=chunk, headers=content), "PUT", path)

    def _put_together(
        self, upload: str, size: int, headers: dict[str, str], size_there: Callable[[], int | None]
    ) -> None:
        path = f"{upload}/.file"
        lost: TransientError | None = None
        try:
            answer = self._client.ask("MOVE", path, headers={**headers, "Overwrite": "F"}, repeat=False)
        except TransientError as error:
            lost = error
        else:
            self._require(answer, "MOVE", path)
        for pause_s in _LOOKS_S if lost is not None else _LOOKS_S[:1]:
            time.sleep(pause_s)
            if size_there() == size:
                return
        raise lost or TransientError(
            f"MOVE {self._client.url(path)}: what was put together is not as large as its chunks",
            hint="this is tried again",
        )

    def _require(self, answer: Answer, method: str, path: str) -> None:
        if answer.status in _DONE:
            return
        if answer.status in {400, 404, 409, 410, 412}:
            raise TransientError(
                f"{method} {self._client.url(path)}: {answer.status} {answer.reason}: the upload is gone, or not whole",
                hint="NextCloud drops uploads that rest for a day; this is tried again from the start",
            )
        raise self._client.refusal(answer, method, path)
