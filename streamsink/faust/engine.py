"""Starts the archive's process for its app; sends orders and takes answers on the app's event loop. Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable

from streamsink.config.sink import SinkConfig
from streamsink.errors import TerminalError
from streamsink.faust.messages import LENGTH, Answer, Begin, Ended, Order, Stop, framed

ENDS_WITHIN_S = 5.0
"""From its last answer, or from being killed, to its end."""


class Engine:
    """Starts the process, and ends it.

    Args:
        config: The task's configuration.
        answered: Called with each answer but the last.
        ended: Called once, with the error that ended the process, or None.
    """

    def __init__(
        self,
        config: SinkConfig,
        answered: Callable[[Answer], None],
        ended: Callable[[TerminalError | None], None],
    ) -> None:
        self._config = config
        self._answered = answered
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - it returns at once; our own module
                [sys.executable, "-m", "streamsink.faust.archiver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self.order(Begin(self._config))
        self._hearing = asyncio.create_task(self._hear(reader))

    def order(self, order: Order) -> None:
        """Send an order; one to a process that is gone already is lost, as `ended` tells."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(framed(order))

    async def stop(self, timeout_s: float) -> bool:
        """Have it drain and end; whether it did, in time. It is gone in any case."""
        if self._process is None or self._hearing is None:
            return True
        self.order(Stop())
        done, _ = await asyncio.wait([self._hearing], timeout=timeout_s)
        if not done:
            self._process.kill()
            self._hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._hearing
        await asyncio.to_thread(self._process.wait, ENDS_WITHIN_S)
        return bool(done)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                answer: Answer = pickle.loads(await reader.readexactly(length))  # noqa: S301 - our own process's
                if isinstance(answer, Ended):
                    self._ended(TerminalError(answer.message, hint=answer.hint) if answer.message else None)
                    return
                self._answered(answer)
        except (asyncio.IncompleteReadError, OSError):
            self._ended(
                TerminalError("the archive's process is gone", hint="was it killed, or memory short? see the log")
            )
        finally:
            if self._writer is not None:
                self._writer.close()
