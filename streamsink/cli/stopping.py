"""Signals that end a long command in good order. Prints nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streamsink.observe.signals import set_on_signal

INTERRUPTED = 130
"""Exit status of a command that a signal ended."""


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that what was done is kept; a second one ends the command at once."""
    stop = threading.Event()

    def interrupt(_number: int) -> None:
        raise KeyboardInterrupt

    end = set_on_signal(stop, (signal.SIGINT, signal.SIGTERM), again=interrupt)
    try:
        yield stop
    finally:
        end()
