"""S3, Google Cloud Storage and Azure through obstore: creates by conditional put. Leaves retrying to the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

import obstore
from obstore.exceptions import (
    AlreadyExistsError as ObstoreExists,
)
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from streamsink.errors import (
    AlreadyExistsError,
    ObjectMissingError,
    StreamsinkError,
    TerminalError,
    TransientError,
)
from streamsink.upload.protocol import ObjectInfo

RETRY_CONFIG = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
"""Short: a failure is told to the machine, which keeps the order of a lane and counts."""

_CREDENTIALS_HINT = "look at the access key, the secret and what they may do with this bucket"
_DENIED_WORDS = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AccessDenied",
    "InvalidToken",
    "ExpiredToken",
    "AuthorizationFailure",
)
_CREDENTIAL_SOURCES = ("169.254.", "metadata/", "WebIdentity", "InstanceCredential", "CredentialProvider")


class ObjectStore:
    """A bucket or container, below a prefix.

    Args:
        url: As given, without secrets.
        store: obstore's, with the prefix in it.
    """

    def __init__(self, url: str, store: S3Store | GCSStore | AzureStore) -> None:
        self.url = url
        self.keeps_metadata = True
        self._store = store

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """See `Store.create`."""
        try:
            obstore.put(self._store, _checked(name, self.url), bytes(data), attributes=dict(metadata), mode="create")
        except (ObstoreExists, PreconditionError):
            raise AlreadyExistsError(f"{name} exists in {self.url}") from None
        except (BaseError, OSError) as error:
            raise self._explain(error, name, writing=True) from error

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        try:
            return bytes(obstore.get(self._store, _checked(name, self.url)).bytes())
        except (BaseError, OSError) as error:
            raise self._explain(error, name) from error

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        if length <= 0:
            return b""
        if start >= 0:
            try:
                return bytes(obstore.get_range(self._store, _checked(name, self.url), start=start, length=length))
            except (BaseError, OSError) as error:
                raise self._explain(error, name) from error
        size_bytes = self._head(name)
        begin = max(0, size_bytes + start)
        return self.get_range(name, begin, min(length, size_bytes - begin))

    def _head(self, name: str) -> int:
        try:
            return int(obstore.head(self._store, _checked(name, self.url))["size"])
        except (BaseError, OSError) as error:
            raise self._explain(error, name) from error

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`: a GET of the headers only, since obstore's head leaves metadata out."""
        try:
            found = obstore.get(self._store, _checked(name, self.url), options={"head": True})
        except (BaseError, OSError) as error:
            explained = self._explain(error, name)
            if isinstance(explained, ObjectMissingError):
                return None
            raise explained from error
        attributes = {str(key): str(value) for key, value in found.attributes.items()}
        modified_ms = int(found.meta["last_modified"].timestamp() * 1000)
        return ObjectInfo(name, int(found.meta["size"]), attributes, modified_ms)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`: sorted here, since obstore matches whole path parts and promises no order."""
        folder = prefix.rpartition("/")[0]
        found: list[ObjectInfo] = []
        try:
            for chunk in obstore.list(self._store, prefix=folder or None, chunk_size=1000):
                found.extend(
                    ObjectInfo(item["path"], int(item["size"]), {}, int(item["last_modified"].timestamp() * 1000))
                    for item in chunk
                )
        except (BaseError, OSError) as error:
            explained = self._explain(error, prefix)
            if isinstance(explained, ObjectMissingError):
                return
            raise explained from error
        found.sort(key=lambda info: info.name)
        yield from (info for info in found if info.name.startswith(prefix))

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        try:
            obstore.delete(self._store, _checked(name, self.url))
        except (BaseError, OSError) as error:
            explained = self._explain(error, name)
            if not isinstance(explained, ObjectMissingError):
                raise explained from error

    def close(self) -> None:
        """Obstore's connections go with the store."""

    def _explain(self, error: Exception, name: str, *, writing: bool = False) -> StreamsinkError:  # noqa: PLR0911
        text = str(error)
        message = f"{name} in {self.url}: {_one_line(text)}"
        if "NoSuchBucket" in text or "ContainerNotFound" in text or "specified bucket does not exist" in text:
            return TerminalError(f"{self.url}: the bucket does not exist", hint="create it, or correct archive.url")
        if any(word in text for word in _CREDENTIAL_SOURCES):
            return TerminalError(
                f"{self.url}: no credentials are configured and none could be had from the environment",
                hint="set archive.option.access_key_id and .secret_access_key, or AWS_* in the environment",
            )
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or any(
            word in text for word in _DENIED_WORDS
        ):
            return TerminalError(f"{self.url}: access denied: {_one_line(text)}", hint=_CREDENTIALS_HINT)
        if isinstance(error, NotFoundError | FileNotFoundError):
            if writing:
                return TerminalError(f"{self.url}: the bucket does not exist", hint="create it, or correct archive.url")
            return ObjectMissingError(f"no object {name} in {self.url}")
        if _refused(text):
            return TerminalError(message, hint="look at archive.url and archive.option.*: the store refuses this")
        return TransientError(message, hint="the store may be busy or away; this is tried again")


def _refused(text: str) -> bool:
    """Whether a 4xx answer will stay the same: all but those that ask for patience."""
    status = re.search(r"status code: (4\d\d)", text)
    if status is None or status.group(1) in {"408", "409", "412", "425", "429"}:
        return False
    return not any(word in text for word in ("RequestTimeout", "SlowDown", "OperationAborted"))


def _one_line(text: str) -> str:
    """What a person wants of obstore's message: the store's own code and words, else all before the debug output."""
    said = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    if said is not None:
        return f"{said.group(1)}: {said.group(2)}"
    return " ".join(text.split("Debug source:", maxsplit=1)[0].split())[:500]


def _checked(name: str, url: str) -> str:
    if not name or name.startswith("/") or "\0" in name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise TerminalError(f"{name!r} is not a name below {url}", hint="names are relative, without '..'")
    return name
