"""Requests to a database that speaks HTTP: bounded in time, over TLS where the URL says so. Knows no database."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError, SSLError

from streamsink import __version__
from streamsink.errors import ConfigError, Problem, TerminalError, TransientError

CONNECT_S = 10.0
TIMEOUT_S = 120
"""How long a server may say nothing."""
CHUNK_BYTES = 256 * 1024
TLS_OPTIONS = ("tls_ca", "tls_cert", "tls_key")

_AWAY = frozenset({408, 425, 429, 502, 503, 504})
_UP = "is the server up, and reachable from here?"


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a database, and the login for it.

    Attributes:
        base: `http(s)://host:port`.
        path: The URL's path, unescaped, without slashes around it.
        username: From the options, else from the URL.
        options: As they were given.
    """

    base: str
    path: str
    username: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def timeout_s(self) -> float:
        """The seconds that the server may say nothing."""
        return float(self.options.get("timeout_s", TIMEOUT_S))


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's whole answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


def address_of(url: str, options: Mapping[str, str], *, port: int, known: Sequence[str], example: str) -> Address:
    """Make an address of a URL and options.

    Args:
        url: With a scheme that ends in `https` where TLS is wanted.
        options: As the user gave them.
        port: Where the URL names none.
        known: Options beside `username`, `password`, `timeout_s` and TLS options.
        example: A URL as it should be.

    Returns:
        Base URL, database and user. Options of TLS and the time-out stay as they were given.

    Raises:
        ConfigError: They don't fit; all problems at once.
    """
    parts = urlsplit(url)
    allowed = ("username", "password", "timeout_s", *TLS_OPTIONS, *known)
    problems = [
        Problem(f"option {name}", f"is unknown; known are {', '.join(allowed)}")
        for name in sorted(set(options) - set(allowed))
    ]
    path = unquote(parts.path.strip("/"))
    if not path:
        problems.append(Problem("database.url", f"names no database: {example}"))
    try:
        found = parts.port or port
    except ValueError as error:
        problems.append(Problem("database.url", str(error)))
        found = port
    timeout = options.get("timeout_s", str(TIMEOUT_S))
    try:
        fits = 0 < float(timeout) <= 86_400
    except ValueError:
        fits = False
    if not fits:
        problems.append(Problem("option timeout_s", "is a number of seconds, at most 86400"))
    if problems:
        raise ConfigError(problems)
    host = parts.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if parts.scheme.endswith(("https", "couchbases")) else "http"
    username = options.get("username") or unquote(parts.username or "")
    return Address(f"{scheme}://{host}:{found}", path, username, dict(options))


class HttpClient:
    """One server. One thread owns it.

    Args:
        address: Where it is.
        headers: With each request, the one that says who we are among them.
    """

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        self.address = address
        self._headers = {"User-Agent": f"streamsink/{__version__}", **headers}
        read_s = address.timeout_s
        self._pool = urllib3.PoolManager(
            maxsize=2,
            retries=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, read_s), read=read_s),
            ssl_context=_context(address) if address.base.startswith("https") else None,
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, and read the whole answer.

        Args:
            method: The HTTP method.
            path: Begins with a slash, without the query.
            query: The query's fields; None for none.
            body: The request's body; None for none.
            headers: Headers besides the client's.

        Returns:
            Status and body. The status may be any that doesn't mean a busy server.

        Raises:
            TransientError: No answer, or the server is busy.
            TerminalError: A certificate that isn't trusted.
        """
        with self.stream(method, path, query=query, body=body, headers=headers) as (status, chunks):
            return Answer(status, b"".join(chunks))

    @contextlib.contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Send a request, and read the answer as it comes.

        Where the block is left before the answer's end, it is cut off.

        Args:
            method: The HTTP method.
            path: Begins with a slash, without the query.
            query: The query's fields; None for none.
            body: The request's body; None for none.
            headers: Headers besides the client's.

        Yields:
            The status and the body's pieces, of `CHUNK_BYTES` at most.

        Raises:
            TransientError: No answer, one that breaks off, or the server is busy.
            TerminalError: A certificate that isn't trusted.
        """
        url = f"{self.address.base}{path}" + (f"?{urlencode(query)}" if query else "")
        asked = f"{method} {self.address.base}{path}"
        response = None
        try:
            response = self._pool.request(
                method,
                url,
                body=body,
                headers={**self._headers, **(headers or {})},
                redirect=False,
                preload_content=False,
            )
            if response.status in _AWAY:
                said = response.read(2_000).decode(errors="replace").strip()
                raise TransientError(f"{asked}: {response.status} {said}".strip(), hint="the server is busy, or away")
            yield response.status, response.stream(CHUNK_BYTES)
        except (HTTPError, OSError) as error:
            raise _explained(error, asked) from error
        finally:
            if response is not None:
                response.close()

    def close(self) -> None:
        """Let go of connections. A second call does nothing."""
        self._pool.clear()


def _context(address: Address) -> ssl.SSLContext:
    options = address.options
    try:
        context = ssl.create_default_context(cafile=options.get("tls_ca"))
        if options.get("tls_cert"):
            context.load_cert_chain(options["tls_cert"], options.get("tls_key"))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([Problem(f"option {', '.join(TLS_OPTIONS)}", str(error))]) from error
    return context


def _explained(error: Exception, asked: str) -> TransientError | TerminalError:
    if isinstance(error, SSLError):
        return TerminalError(
            f"{asked}: the server's certificate is not trusted, or it does not speak TLS",
            hint="give its authority as --option tls_ca=FILE",
        )
    return TransientError(f"{asked}: no whole answer ({type(error).__name__})", hint=_UP)
