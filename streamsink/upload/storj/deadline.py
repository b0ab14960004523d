"""Bounds calls into a library that knows no timeout. A call that is given up goes on in its thread, unheard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from streamsink.errors import TransientError

Result = TypeVar("Result")


def within(timeout_s: float, call: Callable[[], Result], *, doing: str, give_up: Callable[[], None]) -> Result:
    """Run `call` on a thread of its own, and give its result or raise its error.

    Args:
        timeout_s: How long to wait.
        call: Does it.
        doing: For the message.
        give_up: Told when the time is up, so that `call` can end early.

    Raises:
        TransientError: The time is up; whether it was done is not known.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="uplink", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        give_up()
        raise TransientError(
            f"{doing}: no answer within {timeout_s:g} s",
            hint="is the satellite reachable? see archive.option.timeout_s",
        )
    if errors:
        raise errors[0]
    return results[0]
