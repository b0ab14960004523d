"""Storj natively, through uplink: encrypted here, erasure-coded to storage nodes. Knows nothing of formats.

Objects are created with a grant that can't delete, derived from the one given: then a satellite refuses a commit on a
key that is taken (uplink's `Permission.AllowUpload`). Its answer is told from other denials by looking at the key.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from streamsink import __version__
from streamsink.backoff import Backoff
from streamsink.errors import AlreadyExistsError, ObjectMissingError, TransientError
from streamsink.upload.name import require_fit
from streamsink.upload.protocol import ObjectInfo
from streamsink.upload.storj import project as uplink
from streamsink.upload.storj.deadline import within
from streamsink.upload.storj.failures import EXISTS, Code, UplinkError, explain

USER_AGENT = f"streamsink/{__version__}"
CONNECT_TIMEOUT_S = 10.0
BUSY = Backoff(first_s=2.0, max_s=2.0, spread=0.9)
"""How long to wait where a satellite limits requests: it takes one upload start a key and second."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Access:
    """The access to a project: a grant, or the parts that one is made of."""

    grant: str = ""
    satellite: str = ""
    api_key: str = ""
    passphrase: str = ""

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Access(satellite={self.satellite!r})"


class StorjStore:
    """See `Store`.

    Args:
        bucket: Made where it is missing, when something is first created.
        prefix: The beginning of all keys, without slashes at its ends.
        access: The project's.
        user_agent: The program that the satellite attributes the bucket to.
        timeout_s: For one call.
        expires_after_s: How long objects live; None for ever.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        access: Access,
        *,
        user_agent: str = USER_AGENT,
        timeout_s: float = 120.0,
        expires_after_s: int | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._access = access
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._expires_after_s = expires_after_s
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._grant = ""
        self._creating: uplink.Project | None = None
        self._deleting: uplink.Project | None = None

    @property
    def url(self) -> str:
        """See `Store.url`."""
        return f"sj://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def keeps_metadata(self) -> bool:
        """See `Store.keeps_metadata`."""
        return True

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """See `Store.create`."""
        given_up = threading.Event()
        deadline_s = time.monotonic() + self._timeout_s
        view = memoryview(data).cast("B")

        def upload() -> None:
            expires_s = int(time.time()) + self._expires_after_s if self._expires_after_s is not None else 0
            project = self._project()
            for attempt in itertools.count(1):
                try:
                    project.upload(
                        self._bucket, self._key(name), view, metadata, expires_s=expires_s, given_up=given_up
                    )
                except UplinkError as error:
                    if error.code == Code.BUCKET_NOT_FOUND:
                        project.ensure_bucket(self._bucket)
                    elif error.code != Code.TOO_MANY_REQUESTS or time.monotonic() + BUSY.max_s > deadline_s:
                        raise
                    given_up.wait(BUSY.delay_s(attempt, jitter=random.random()))  # noqa: S311 - spreads writers
                else:
                    return

        try:
            self._run(upload, f"storing {name}", given_up)
        except _DeniedError as error:
            if EXISTS in error.denied.message or self.head(name) is not None:
                raise AlreadyExistsError(f"{name} exists in {self.url}") from None
            raise explain(error.denied, doing=f"storing {name} in {self.url}") from None

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        return self._ask(lambda: self._project().download(self._bucket, self._key(name)), f"reading {name}")

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`."""
        info = self.head(name)
        data = self.get(name)
        return ObjectInfo(name, len(data), info.metadata if info else {}), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        if start < 0:
            # A suffix may be longer than the object, and `length` shorter than the suffix.
            size = self._ask(lambda: self._project().stat(self._bucket, self._key(name)), f"reading {name}").size_bytes
            start = max(0, size + start)
        if length == 0:
            return b""
        key = self._key(name)
        return self._ask(lambda: self._project().download(self._bucket, key, start, length), f"reading {name}")

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`."""
        try:
            found = self._ask(lambda: self._project().stat(self._bucket, self._key(name)), f"looking at {name}")
        except ObjectMissingError:
            return None
        return ObjectInfo(name, found.size_bytes, found.metadata, found.created_s * 1000)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`: uplink lists by encrypted keys, so that everything is gathered and sorted first."""
        wanted = self._prefix + prefix
        folder = wanted[: wanted.rfind("/") + 1]
        try:
            found = self._ask(lambda: self._project().list(self._bucket, folder), f"listing {self.url}")
        except _BucketMissingError:
            return
        names = {each.key: each for each in found if not each.is_prefix and each.key.startswith(wanted)}
        for key in sorted(names):
            each = names[key]
            yield ObjectInfo(key.removeprefix(self._prefix), each.size_bytes, each.metadata, each.created_s * 1000)

    def delete(self, name: str) -> None:
        """See `Store.delete`: with the grant as it was given, which must allow it."""
        try:
            self._ask(lambda: self._project(deleting=True).delete(self._bucket, self._key(name)), f"deleting {name}")
        except (ObjectMissingError, _BucketMissingError):
            return

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            projects = [project for project in (self._creating, self._deleting) if project is not None]
            self._creating = self._deleting = None
        for project in projects:
            try:
                within(CONNECT_TIMEOUT_S, project.close, doing="closing", give_up=lambda: None)
            except (UplinkError, TransientError):
                continue

    def _key(self, name: str) -> str:
        return self._prefix + require_fit(name, self.url)

    def _project(self, *, deleting: bool = False) -> uplink.Project:
        known = self._opened(deleting=deleting)
        if known is not None:
            return known
        # Asking for a grant may hang: `close` waits for nobody who does.
        if not self._opening.acquire(timeout=self._timeout_s):
            raise uplink.GivenUpError
        try:
            return self._opened(deleting=deleting) or self._open(deleting=deleting)
        finally:
            self._opening.release()

    def _opened(self, *, deleting: bool) -> uplink.Project | None:
        with self._lock:
            return self._deleting if deleting else self._creating

    def _open(self, *, deleting: bool) -> uplink.Project:
        grant = self._full_grant()
        if not deleting:
            grant = uplink.derive_create_only(grant, self._bucket)
        project = uplink.Project(grant, user_agent=self._user_agent, dial_timeout_s=CONNECT_TIMEOUT_S)
        with self._lock:
            if deleting:
                self._deleting = project
            else:
                self._creating = project
        return project

    def _full_grant(self) -> str:
        access = self._access
        if not self._grant:
            self._grant = access.grant or uplink.request_grant(
                self._user_agent, access.satellite, access.api_key, access.passphrase
            )
        return self._grant

    def _ask(self, call: Callable[[], Result], doing: str) -> Result:
        try:
            return self._run(call, doing, threading.Event())
        except _DeniedError as error:
            raise explain(error.denied, doing=f"{doing} in {self.url}") from None

    def _run(self, call: Callable[[], Result], doing: str, given_up: threading.Event) -> Result:
        try:
            return within(self._timeout_s, call, doing=f"{doing} in {self.url}", give_up=given_up.set)
        except UplinkError as error:
            if error.code == Code.PERMISSION_DENIED:
                raise _DeniedError(error) from None
            if error.code == Code.BUCKET_NOT_FOUND:
                raise _BucketMissingError(f"{doing}: {self._bucket} does not exist") from None
            raise explain(error, doing=f"{doing} in {self.url}") from None
        except uplink.GivenUpError:
            raise TransientError(f"{doing} in {self.url}: given up", hint="this is tried again") from None


class _DeniedError(Exception):
    """The satellite denies; why is found out by who asked."""

    def __init__(self, denied: UplinkError) -> None:
        super().__init__(denied.message)
        self.denied = denied


class _BucketMissingError(ObjectMissingError):
    """There is no bucket, so there is no object either."""
