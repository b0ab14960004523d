"""Carries orders from any thread to the one that may carry them out. Bounded in number and in waiting."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from streamsink.errors import RebalanceError, RequestTimeoutError

ORDERS_MAX = 256
"""More orders than this at once are refused: clients try again."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Letter:
    order: Callable[[], Any]
    answer: Future[Any]


class Mailbox:
    """`ask` from any thread; one thread calls `serve` again and again, and `close` once it no longer will."""

    def __init__(self) -> None:
        self._letters: queue.Queue[_Letter] = queue.Queue(ORDERS_MAX)
        self._closed = False

    def ask(self, order: Callable[[], _T], *, timeout_s: float) -> _T:
        """Have the order carried out, and return or raise what it does.

        Args:
            order: What to carry out, in the other thread.
            timeout_s: Seconds to wait for its turn and its end.

        Returns:
            What the order returns.

        Raises:
            RebalanceError: The worker is stopping, or has too many orders.
            RequestTimeoutError: Its turn did not come within `timeout_s`; then it is not carried out at all.
        """
        letter = _Letter(order, Future())
        try:
            self._letters.put_nowait(letter)
        except queue.Full:
            raise RebalanceError("the worker has too many orders to carry out", hint="try again") from None
        if self._closed:
            letter.answer.cancel()
        try:
            return letter.answer.result(timeout_s)  # type: ignore[no-any-return]
        except CancelledError:
            raise RebalanceError("the worker is stopping", hint="ask another, or again once it is back") from None
        except TimeoutError:
            if letter.answer.cancel():
                raise RequestTimeoutError("Request timed out. Its turn did not come in time") from None
            raise RequestTimeoutError("Request timed out. It was begun, and may still come about") from None

    def serve(self, *, wait_s: float) -> None:
        """Carry out what is asked, until nothing more is asked or `wait_s` has passed."""
        deadline = time.monotonic() + wait_s
        while True:
            try:
                letter = self._letters.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            self._carry_out(letter)
            if self._letters.empty() or time.monotonic() >= deadline:
                return

    def close(self) -> None:
        """Refuse what is asked from now on, and what waits."""
        self._closed = True
        while True:
            try:
                self._letters.get_nowait().answer.cancel()
            except queue.Empty:
                return

    def _carry_out(self, letter: _Letter) -> None:
        if not letter.answer.set_running_or_notify_cancel():
            return
        try:
            result = letter.order()
        except BaseException as error:  # noqa: BLE001 (the caller gets it)
            letter.answer.set_exception(error)
        else:
            letter.answer.set_result(result)
