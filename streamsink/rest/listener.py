"""Binds the sockets that `listeners` names, and only those. Serves nothing itself."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamsink.errors import ConfigError, Problem, TerminalError

BACKLOG = 512
_HINT = "write it as http://HOST:PORT or https://HOST:PORT, several joined by commas; port 0 takes a free one"


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on. An empty host means every interface, as it does for Connect."""

    host: str
    port: int
    secure: bool = False

    @property
    def scheme(self) -> str:
        """Http or https."""
        return "https" if self.secure else "http"

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")

    @property
    def reachable_host(self) -> str:
        """The name others may reach this listener by."""
        return self.host if self.host not in {"", "0.0.0.0", "::"} else socket.gethostname()  # noqa: S104


def parse_listeners(text: str, key: str = "listeners") -> list[Listener]:
    """Read the URLs of `listeners`.

    Args:
        text: URLs with commas between them.
        key: The key to note problems under.

    Returns:
        Scheme, host and port of each, in order.

    Raises:
        ConfigError: An entry is no http or https URL with a port.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    problems: list[Problem] = []
    listeners: list[Listener] = []
    for entry in entries:
        try:
            listeners.append(_parse(entry))
        except ValueError as error:
            problems.append(Problem(key, f"{entry!r}: {error}"))
    if not entries:
        problems.append(Problem(key, "is empty"))
    if problems:
        raise ConfigError(problems, hint=_HINT)
    return listeners


def _parse(entry: str) -> Listener:
    url = urlsplit(entry)
    if url.scheme not in {"http", "https"}:
        raise ValueError("only http and https are served")
    if url.port is None:
        raise ValueError("has no port")
    if url.path not in {"", "/"} or url.query or url.username:
        raise ValueError("has more than a host and a port")
    return Listener(url.hostname or "", url.port, secure=url.scheme == "https")


def bind(listener: Listener) -> socket.socket:
    """A listening socket; its own port where 0 was asked for.

    Raises:
        TerminalError: The address is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; with it, every answer takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listener.host, listener.port))
        bound.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        bound.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise TerminalError(
            f"can't listen on {listener.host or '*'}:{listener.port}: {reason}",
            hint="is another worker running? choose another port with listeners=http://HOST:PORT",
        ) from None
    return bound
