"""The archive's process: runs the worker's sink task on what the app sends over a socket. Decides nothing.

A process and not a thread, since a thread that encodes asks for Python's lock all the time, and each time Faust's loop
lets go of it, which is several times an event, has to be woken: that was a third of what an agent could do.
It ends with its app: at once where that was killed, since the socket closes then.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading

from streamsink.config.sink import SinkConfig
from streamsink.errors import StreamsinkError
from streamsink.faust.consumer import FedConsumer
from streamsink.faust.messages import LENGTH, Answer, Begin, Ended, Order, Stop, framed
from streamsink.sink.build import build_task, tune_process
from streamsink.upload.open import open_store


def main() -> None:
    """Serve the app at the other end of the socket whose number is the only argument."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the app hears of it, and drains
    Archiver(socket.socket(fileno=int(sys.argv[1]))).run()


class Archiver:
    """One task's process.

    Args:
        app: The socket to the app.
    """

    def __init__(self, app: socket.socket) -> None:
        self._app = app
        self._reading = app.makefile("rb")
        self._stop = threading.Event()
        self._consumer = FedConsumer(self._answer)

    def run(self) -> None:
        """Until the app says so, or the task fails; the reason is the last answer."""
        begin = self._read()
        assert isinstance(begin, Begin), "the first order says what to run"
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        try:
            self._run_task(begin.config)
        except StreamsinkError as error:
            self._answer(Ended(error.message, error.hint))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the app must hear of it
            self._answer(Ended(f"{type(error).__name__}: {error}", "this is a defect of streamsink"))
        else:
            self._answer(Ended("" if self._stop.is_set() else "the archive's task ended by itself"))

    def _run_task(self, config: SinkConfig) -> None:
        tune_process()
        store = open_store(config.archive_url, config.archive_options)
        try:
            task = build_task(config, 0, store, self._consumer.listened_to_by, results=True)
            try:
                task.run(self._stop, self._answer)
            finally:
                task.close()
        finally:
            store.close()

    def _listen(self) -> None:
        while True:
            match self._read():
                case Stop():
                    self._stop.set()
                    self._consumer.wake()
                case Begin():
                    raise AssertionError("a task begins once")
                case order:
                    self._consumer.put(order)

    def _read(self) -> Order:
        """The next order. Without an app nobody can be told of what is stored: there is nothing left to do then."""
        head = self._reading.read(LENGTH.size)
        data = self._reading.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""
        if not data:
            os._exit(0)
        order: Order = pickle.loads(data)  # noqa: S301 - the socket is our own app's
        return order

    def _answer(self, answer: Answer) -> None:
        try:
            self._app.sendall(framed(answer))
        except OSError:
            os._exit(0)


if __name__ == "__main__":
    main()
