"""Requests to a WebDAV server: bounded in time, repeated where that is harmless, errors in our words. Knows no objects.

urllib3 and not webdav4: webdav4's client (over httpx) takes a `%20` in a name for an escape that was made already, so
that `a%20b` would be stored as `a b`.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as LateError

from streamsink import __version__
from streamsink.backoff import Backoff, read_retry_after
from streamsink.errors import StreamsinkError, TerminalError, TransientError

ATTEMPTS = 5
REPEATING_S_MAX = 20.0
"""A failure is told to the machine soon: it keeps the order of a lane, and counts."""

BACKOFF = Backoff(first_s=0.05, max_s=1.0)
CHUNK_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 16

_BUSY = {408, 423, 425, 429, 500, 502, 503, 504}
_UNDONE = {423, 429}
"""The ones among them which say that nothing was done."""

_DENIED = {401, 403, 407}


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the server, and how we get there."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    proxy_url: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """The header that says it, if anything does."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's whole answer."""

    status: int
    body: bytes
    reason: str = ""
    retry_after_s: float | None = None


class WebDavClient:
    """One server, any thread.

    Args:
        base: `http(s)://host/path`, without credentials.
        login: Who we are.
        timeout_s: For one request, its answer included.
    """

    def __init__(self, base: str, login: Login, *, timeout_s: float) -> None:
        parts = urlsplit(base)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._timeout_s = timeout_s
        self._headers = {"User-Agent": f"streamsink/{__version__}", **login.headers()}
        settings = {"maxsize": CONNECTIONS_MAX, "block": False, "retries": False}
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(login.proxy_url, **settings)  # type: ignore[arg-type]
            if login.proxy_url
            else urllib3.PoolManager(**settings)  # type: ignore[arg-type]
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def url(self, path: str) -> str:
        """The URL of a path; letters that mean something in URLs are escaped."""
        return f"{self.origin}{quote(path, safe='/~')}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | memoryview | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Answer:
        """Send a request, and give any answer but one that asks for patience.

        Args:
            method: HTTP's or WebDAV's.
            path: From the server's root, unescaped.
            body: The request's bytes; None for none.
            headers: Beside our own.
            repeat: Whether doing it twice is as good as once.

        Raises:
            TransientError: No answer, or one that asks to try again: as often as we tried, or later than we repeat.
            TerminalError: A certificate that isn't trusted.
        """
        until = time.monotonic() + REPEATING_S_MAX
        for attempt in itertools.count(1):
            may_repeat = repeat
            try:
                answer = self._once(method, path, body, headers or {})
            except TransientError as error:
                failure = error
            else:
                if answer.status not in _BUSY:
                    return answer
                failure = self._busy(answer, method, path)
                may_repeat |= answer.status in _UNDONE
            delay_s = BACKOFF.delay_s(
                attempt,
                jitter=random.random(),  # noqa: S311 - spreads requests
                retry_after_s=failure.retry_after_s,
            )
            if not may_repeat or attempt == ATTEMPTS or time.monotonic() + delay_s > until:
                raise failure
            time.sleep(delay_s)
        raise AssertionError("the last attempt returns or raises")

    def _busy(self, answer: Answer, method: str, path: str) -> TransientError:
        return TransientError(
            f"{method} {self.url(path)}: {answer.status} {answer.reason}",
            hint="the server may be busy; this is tried again",
            retry_after_s=answer.retry_after_s,
        )

    def refusal(self, answer: Answer, method: str, path: str) -> StreamsinkError:
        """The error of an answer that is no success and that the caller doesn't expect.

        Args:
            answer: The server's.
            method: The request's, for the message.
            path: The request's, for the message.
        """
        said = f"{method} {self.url(path)}: {answer.status} {answer.reason}".strip()
        if answer.status in _DENIED:
            return TerminalError(
                f"access denied: {said}",
                hint="look at archive.option.username and .password, and at what this user may write; "
                "NextCloud wants an app password",
            )
        if answer.status == 507:
            hint = "the server has no room left: free some, or raise the quota"
            return TransientError(said, hint=hint, retry_after_s=answer.retry_after_s)
        if 300 <= answer.status < 400:
            return TerminalError(said, hint="the server is elsewhere: correct archive.url")
        return TerminalError(
            said, hint="look at archive.url: is this where the server speaks WebDAV, as /remote.php/dav/files/USER?"
        )

    def _once(self, method: str, path: str, body: bytes | memoryview | None, headers: Mapping[str, str]) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        limits = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, self._timeout_s), read=self._timeout_s)
        response = None
        try:
            response = self._pool.request(
                method,
                self.url(path),
                body=cast("bytes | None", body),
                headers={**self._headers, **headers},
                timeout=limits,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            chunks = []
            for chunk in response.stream(CHUNK_BYTES):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"{method} {self.url(path)}: no whole answer in {self._timeout_s:g} s",
                        hint="raise archive.option.timeout_s, or look at the network",
                    )
        except (HTTPError, OSError) as error:
            raise self._explain(error, method, path) from error
        finally:
            if response is not None:
                with contextlib.suppress(HTTPError, OSError):
                    response.release_conn()
        retry_after_s = read_retry_after(response.headers.get("Retry-After"), now_unix_s=time.time())
        return Answer(response.status, b"".join(chunks), response.reason or "", retry_after_s)

    def _explain(self, error: Exception, method: str, path: str) -> StreamsinkError:
        asked = f"{method} {self.url(path)}"
        if isinstance(error, SSLError):
            return TerminalError(
                f"{asked}: the server's certificate is not trusted, or it does not speak TLS",
                hint="correct the certificate, or the machine's trusted authorities (SSL_CERT_FILE)",
            )
        if isinstance(error, NewConnectionError):
            told = "connection refused, or the host's name is unknown"
        elif isinstance(error, LateError):
            told = "timed out"
        else:
            told = f"the connection broke ({type(error).__name__})"
        return TransientError(f"{asked}: {told}", hint="the server may be away; this is tried again")
