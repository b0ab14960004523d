"""Says who may use REST, and how often: basic auth and a bound on each address's requests. Knows no connector."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamsink.config.keys.rest import BASIC_AUTH_EXTENSION
from streamsink.config.reading.flat import FlatMapError, parse_properties
from streamsink.errors import ConfigError, Problem
from streamsink.rest.errors import error_response
from streamsink.rest.rate_limit import RateLimit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS = ("/health", "/health/live", "/health/ready", "/metrics")
"""What probes and Prometheus ask for."""

REQUESTS_PER_SECOND_MAX = 5000
USERS_KEY, FILE_KEY, EXTENSIONS_KEY = "rest.basic.auth.users", "rest.basic.auth.file", "rest.extension.classes"


@dataclass(frozen=True, slots=True)
class Access:
    """The users who may ask, as digests of `user:password`. Without any, everybody may."""

    users: frozenset[bytes] = field(default_factory=frozenset, repr=False)
    requests_per_second_max: int = REQUESTS_PER_SECOND_MAX


def read_access(resolved: Mapping[str, str]) -> Access:
    """Access by the worker's flat map, secrets resolved.

    Raises:
        ConfigError: Users can't be read, or an extension is unknown; no password is repeated.
    """
    problems: list[Problem] = []
    users = _users(resolved, problems)
    extensions = [name.strip() for name in resolved.get(EXTENSIONS_KEY, "").split(",") if name.strip()]
    problems += [
        Problem(EXTENSIONS_KEY, f"{name!r} is unknown; known is {BASIC_AUTH_EXTENSION}")
        for name in extensions
        if name != BASIC_AUTH_EXTENSION
    ]
    if BASIC_AUTH_EXTENSION in extensions and not users and not problems:
        problems.append(Problem(EXTENSIONS_KEY, f"basic auth needs users: give {USERS_KEY} or {FILE_KEY}"))
    if problems:
        raise ConfigError(problems, hint="nobody is let in by mistake")
    per_second = resolved.get("rest.requests.per.second.max", "").strip()
    return Access(users, int(per_second) if per_second else REQUESTS_PER_SECOND_MAX)


def _users(resolved: Mapping[str, str], problems: list[Problem]) -> frozenset[bytes]:
    found: set[bytes] = set()
    for entry in filter(None, (part.strip() for part in resolved.get(USERS_KEY, "").split(","))):
        user, colon, password = entry.partition(":")
        if not colon or not user or not password:
            problems.append(Problem(USERS_KEY, "has an entry that is not user:password"))
        found.add(_digest(entry.encode()))
    path = resolved.get(FILE_KEY, "").strip()
    if path:
        found |= _users_in(Path(path), problems)
    given = any(key in resolved for key in (USERS_KEY, FILE_KEY))
    if given and not found and not problems:
        problems.append(Problem(USERS_KEY if USERS_KEY in resolved else FILE_KEY, "names no user"))
    return frozenset(found)


def _users_in(path: Path, problems: list[Problem]) -> set[bytes]:
    try:
        entries = parse_properties(path.read_text(encoding="utf-8"))
    except (OSError, FlatMapError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        problems.append(Problem(FILE_KEY, f"{path} can't be read: {reason}"))
        return set()
    return {_digest(f"{user}:{password}".encode()) for user, password in entries.items() if user and password}


def _digest(credentials: bytes) -> bytes:
    return hashlib.sha256(credentials).digest()


class Gate:
    """ASGI middleware: lets in who may ask, as often as an address may."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._limit = RateLimit(access.requests_per_second_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 429."""
        if scope["type"] == "http":
            wait_s = self._limit.ask((scope.get("client") or ("", 0))[0], now_s=time.monotonic())
            if wait_s:
                headers = {"retry-after": str(math.ceil(wait_s))}
                refusal = error_response(429, "Too many requests from this address", headers)
                await refusal(scope, receive, send)
                return
            if not self._may(scope):
                headers = {"www-authenticate": 'Basic realm="streamsink"'}
                await error_response(401, "User cannot access the resource.", headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        if not self._access.users or scope["path"].rstrip("/") in OPEN_PATHS:
            return True
        header = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, encoded = header.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            shown = _digest(base64.b64decode(encoded.strip(), validate=True))
        except binascii.Error:
            return False
        # Every digest is compared, so that the time says nothing.
        return sum(hmac.compare_digest(shown, known) for known in self._access.users) > 0
