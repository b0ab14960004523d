"""Waits for the answers to a flush, within a bound, and puts what is missing into words. Orders nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future

from streamsink.errors import RebalanceError, RequestTimeoutError


def await_flushes(connector: str, answers: Sequence[Future[bool]], *, timeout_s: float) -> None:
    """Wait until every task has stored and committed the records that it had read.

    Args:
        connector: The connector's name, for errors.
        answers: One for each task; False where partitions changed hands.
        timeout_s: Seconds for all of them together.

    Raises:
        RebalanceError: A partition changed hands, or a task ended, before that.
        RequestTimeoutError: It takes longer.
    """
    deadline = time.monotonic() + timeout_s
    for answer in answers:
        try:
            complete = answer.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise RequestTimeoutError(
                f"Request timed out. Connector {connector} has not stored and committed everything within "
                f"{timeout_s:.0f} s",
                hint="it goes on; its status says what it waits for",
            ) from None
        if not complete:
            raise RebalanceError(
                f"Partitions of connector {connector} changed hands before all of them were flushed", hint="try again"
            )
