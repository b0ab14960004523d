"""Serves an application on bound sockets, from one thread. Handles no signals: the worker does."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamsink.errors import TerminalError
from streamsink.observe.vital import VitalThread

START_S = 30.0
GRACE_S = 2
HEADERS_S = 15.0
"""How long a client may take to say what it wants."""

CONNECTIONS_MAX = 1000


class PatientProtocol(H11Protocol):
    """Drops clients that open a connection and don't come to the point: uvicorn would wait for ever."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Wait on only while no request is complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self._unwatch()
        elif self._overdue is None:
            self._overdue = self.loop.call_later(HEADERS_S, self._drop)

    def _unwatch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _drop(self) -> None:
        self._overdue = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class RestServer:
    """Runs until `stop`; requests under way then have `GRACE_S` to finish."""

    def __init__(
        self, app: FastAPI, sockets: list[socket.socket], *, tls: ssl.SSLContext | None = None, name: str = "rest"
    ) -> None:
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=30,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S,
        )
        config.load()
        config.ssl = tls
        self._server = uvicorn.Server(config)
        self._thread = VitalThread(lambda: self._serve(sockets), name=name)

    @property
    def problem(self) -> str:
        """Why it serves no longer, or ""."""
        return self._thread.problem

    def start(self) -> None:
        """Serve; returns once requests are answered.

        Raises:
            TerminalError: The server did not come up.
        """
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.alive or time.monotonic() > deadline:
                raise TerminalError("the REST server did not start", hint="its last log lines may tell")
            time.sleep(0.01)

    def stop(self) -> None:
        """Answer no more; bounded."""
        self._server.should_exit = True
        self._thread.join(GRACE_S + 3)

    def _serve(self, sockets: list[socket.socket]) -> None:
        self._server.run(sockets)
        if not self._server.should_exit:
            raise TerminalError("the REST server ended though nobody asked it to")
