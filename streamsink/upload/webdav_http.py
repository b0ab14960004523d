"""Requests to a WebDAV server: bounded in time, repeated where that is harmless, errors in our words. Knows no objects.

urllib3 and not webdav4: webdav4's client (over httpx) takes a `%20` in a name for an escape that was made already, so
that `a%20b` would be stored as `a b`.
"""

from __future__ import annotations

import base64
import contextlib
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
from streamsink.errors import StreamsinkError, TerminalError, TransientError

ATTEMPTS = 5
REPEATING_S_MAX = 20.0
"""A failure is told to the machine soon: it keeps the order of a lane, and counts."""

BACKOFF_S = 0.05
CHUNK_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 16

_BUSY = {408, 423, 425, 429, 500, 502, 503, 504}
_UNDONE = {423, 429}
"""Of these, those that say that nothing was done."""

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
    """What the server said, whole."""

    status: int
    body: bytes
    reason: str = ""


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
        """A path's URL; whatever its letters mean to URLs, they are escaped."""
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
        """Send a request; the answer may be any but one that asks for patience.

        Args:
            method: HTTP's or WebDAV's.
            path: From the server's root, unescaped.
            body: What to send.
            headers: Beside our own.
            repeat: Whether doing it twice is as good as once.

        Raises:
            TransientError: No answer, or one that asks to try again, as often as we tried.
            TerminalError: A certificate that isn't trusted.
        """
        until = time.monotonic() + REPEATING_S_MAX
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS or time.monotonic() > until
            try:
                answer = self._once(method, path, body, headers or {})
            except TransientError:
                if last or time.monotonic() > until or not repeat:
                    raise
            else:
                if answer.status not in _BUSY:
                    return answer
                if last or not (repeat or answer.status in _UNDONE):
                    raise TransientError(
                        f"{method} {self.url(path)}: {answer.status} {answer.reason}",
                        hint="the server may be busy; this is tried again",
                    )
            time.sleep(random.uniform(0.5, 1.0) * BACKOFF_S * 2 ** (attempt - 1))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    def refusal(self, answer: Answer, method: str, path: str) -> StreamsinkError:
        """What an answer means that is no success and nothing the caller knows how to take."""
        said = f"{method} {self.url(path)}: {answer.status} {answer.reason}".strip()
        if answer.status in _DENIED:
            return TerminalError(
                f"access denied: {said}",
                hint="look at archive.option.username and .password, and at what this user may write; "
                "NextCloud wants an app password",
            )
        if answer.status == 507:
            return TransientError(said, hint="the server has no room left: free some, or raise the quota")
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
        return Answer(response.status, b"".join(chunks), response.reason or "")

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
