"""Serves an application on bound sockets from a thread of its own. Handles no signals: the worker does."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from fastapi import FastAPI

from streamsink.errors import TerminalError

START_S = 30.0
GRACE_S = 2


class RestServer:
    """Runs until `stop`; requests under way then have `GRACE_S` to finish."""

    def __init__(self, app: FastAPI, sockets: list[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), name="rest", daemon=True)

    def start(self) -> None:
        """Serve; returns once requests are answered.

        Raises:
            TerminalError: The server did not come up.
        """
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise TerminalError("the REST server did not start", hint="its last log lines may tell")
            time.sleep(0.01)

    def stop(self) -> None:
        """Answer no more; bounded."""
        self._server.should_exit = True
        self._thread.join(GRACE_S + 3)
