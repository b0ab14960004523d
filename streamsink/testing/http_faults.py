"""An HTTP proxy that misbehaves, on order or at random, before or after a request has reached the server behind it.

Requests go through unchanged, Host included, so that signatures hold: name the proxy's address as the store's endpoint,
or as its HTTP proxy. It listens on 127.0.0.1 only and decides nothing about what it passes on.

    proxy = FaultProxy(server_port)
    proxy.fail("PUT", LOSE_REPLY, Fault(503, "SlowDown"))      the next two PUTs
    proxy.rain(0.2, seed=1)                                    a fifth of all calls, from now on
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30
_DROPPED = {"transfer-encoding", "connection", "date", "server"}
_ENTRY = re.compile(rb"<((?:\w+:)?(?:Contents|Blob|response))[ >].*?</\1>", re.DOTALL)
"""One object in what S3, Azure or WebDAV answer to a listing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The fate of one request: whether it is `forwarded` at all, then an answer of ours, or none (status 0)."""

    status: int = 0
    code: str = ""
    message: str = "told to fail"
    forwarded: bool = False
    delay_s: float = 0.0
    reset: bool = False
    """Whether the connection is reset rather than closed."""
    cut: bool = False
    """Whether half of the server's answer arrives, then the connection ends."""
    short: bool = False
    """Whether a listing lacks its last entry."""
    passed: bool = False
    """Whether the server's own answer is passed on: for a delay alone."""

    @property
    def body(self) -> bytes:
        """The answer's, in S3's words."""
        if not self.code:
            return b""
        return f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>".encode()


LOSE_REPLY = Fault(forwarded=True)
REFUSE_BEFORE = Fault(503, "SlowDown")
FAIL_AFTER = Fault(500, "InternalError", forwarded=True)
CONFLICT = Fault(409, "ConditionalRequestConflict")
RESET = Fault(reset=True)
DELAY = Fault(delay_s=0.3, passed=True)
CUT_ANSWER = Fault(cut=True, forwarded=True)
SHORT_LISTING = Fault(short=True, passed=True)

ANY = (REFUSE_BEFORE, LOSE_REPLY, FAIL_AFTER, RESET, DELAY)
RAIN: Mapping[str, Sequence[Fault]] = {"PUT": (*ANY, CONFLICT), "GET": (*ANY, CUT_ANSWER)}
"""What falls by default: `ANY` for the methods not named."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came by."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    fault: Fault | None
    status: int


class FaultProxy:
    """Listens on 127.0.0.1:`port`, passes on to 127.0.0.1:`target`."""

    def __init__(self, target: int) -> None:
        self.faults: dict[str, deque[Fault]] = {}
        self.requests: list[Seen] = []
        self._target = target
        self._lock = threading.Lock()
        self._random = random.Random(0)  # noqa: S311 - repeatable, not secret
        self._share, self._rain = 0.0, RAIN
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Where it listens, as a URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[tuple[str, int]]:
        """Method and status of each request; status 0 where no answer was given."""
        return [(one.method, one.status) for one in self.requests]

    @property
    def suffered(self) -> Counter[Fault]:
        """How often each fault has struck."""
        return Counter(one.fault for one in self.requests if one.fault is not None)

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next requests of a method fail.

        Args:
            method: The HTTP method.
            *faults: One for each of those requests, in order, behind faults that were ordered before.
        """
        self.faults.setdefault(method, deque()).extend(faults)

    def rain(self, share: float, *, seed: int, faults: Mapping[str, Sequence[Fault]] = RAIN) -> None:
        """Let a share of all further requests fail, each in one of its method's ways.

        Args:
            share: From 0 to 1; 0 ends it.
            seed: Decides which requests fail, and how.
            faults: The ways by HTTP method. Other methods fail in the ways of `ANY`.
        """
        with self._lock:
            self._share, self._rain = share, faults
            self._random = random.Random(seed)  # noqa: S311

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def next_fault(self, method: str) -> Fault | None:
        """Take the fault of a method's next request."""
        waiting = self.faults.get(method)
        with self._lock:
            if waiting:
                return waiting.popleft()
            if self._random.random() < self._share:
                return self._random.choice(self._rain.get(method, ANY))
        return None

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask the server behind the proxy.

        Args:
            method: The HTTP method.
            path: Path and query, as the client sent them.
            headers: The client's headers, Host included.
            body: The whole body; empty for none.

        Returns:
            The server's answer, without headers that only concern one connection.

        Raises:
            OSError: The server can't be reached, or says nothing within `TIMEOUT_S`.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in headers.items():
                connection.putheader(key, value.encode("latin-1"))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            kept = {key: value for key, value in answer.getheaders() if key.lower() not in _DROPPED}
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    """Clients that die in the middle of an answer are what storms are about."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say something only of what is no lost connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the server behind."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _without_last_entry(body: bytes) -> bytes:
    found = list(_ENTRY.finditer(body))
    return body[: found[-1].start()] + body[found[-1].end() :] if found else body


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - each method is short
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.next_fault(self.command)
            # As an HTTP proxy it is asked with the whole URL.
            parts = urlsplit(self.path)
            path = parts._replace(scheme="", netloc="").geturl() if parts.scheme else self.path
            if fault and fault.delay_s:
                time.sleep(fault.delay_s)
            answer = None
            if fault is None or fault.forwarded or fault.passed:
                answer = proxy.forward(self.command, path, dict(self.headers.items()), body)
            status = fault.status if fault and not fault.passed else answer.status if answer else 0
            proxy.requests.append(Seen(self.command, path, dict(self.headers.items()), fault, status))
            self._reply(fault, answer)

        def __getattr__(self, name: str) -> Any:
            """Every `do_<METHOD>` that the base class looks for."""
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def _reply(self, fault: Fault | None, answer: Answer | None) -> None:
            if answer is not None and (fault is None or fault.passed):
                body = _without_last_entry(answer.body) if fault and fault.short else answer.body
                self._answer(answer.status, answer.headers, body)
            elif fault is not None and fault.status:
                self._answer(fault.status, {"Content-Type": "application/xml"}, fault.body)
            else:
                if fault is not None and fault.cut and answer is not None:
                    self._answer(answer.status, answer.headers, answer.body, sent=len(answer.body) // 2)
                self._hang_up(reset=fault is not None and fault.reset)

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes, sent: int | None = None) -> None:
            self.send_response(status)
            for key, value in headers.items():
                if self.command == "HEAD" or key.lower() != "content-length":
                    self.send_header(key, value)
            if self.command != "HEAD" and status not in {204, 304}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:sent])

        def _hang_up(self, *, reset: bool) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                if reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                else:
                    self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing.

            Args:
                format: What the base class would write to stderr.
            """

    return Handler
