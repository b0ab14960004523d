"""The start-up probe: does this store create atomically? Two creates of one fresh name tell. Writes nothing else."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable

from streamsink.backoff import Backoff
from streamsink.errors import AlreadyExistsError, StreamsinkError, TransientError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/probe"
ATTEMPTS = 5
BACKOFF = Backoff(first_s=0.2, max_s=2.0)


def probe_create(store: Store, *, wait: Callable[[float], None] = time.sleep) -> bool:
    """Whether a second create of one name conflicts. Removes the probe where that is allowed.

    Args:
        store: The store to try.
        wait: Waits for so many seconds before a create is tried again.

    Returns:
        Whether the store creates atomically.

    Raises:
        TransientError: The store is away, also after `ATTEMPTS` creates.
        TerminalError: Missing bucket, wrong credentials, read-only folder.
    """
    name = f"{FOLDER}/{uuid.uuid4().hex}"
    with contextlib.suppress(AlreadyExistsError):
        # The name is fresh: an object there is our own, written by an earlier try of this request.
        _create(store, name, b"first", wait)
    try:
        _create(store, name, b"second", wait)
        atomic = False
    except AlreadyExistsError:
        atomic = True
    with contextlib.suppress(StreamsinkError):
        store.delete(name)
    return atomic


def _create(store: Store, name: str, data: bytes, wait: Callable[[float], None]) -> None:
    for attempt in range(1, ATTEMPTS):
        try:
            return store.create(name, data, {})
        except TransientError as error:
            jitter = random.random()  # noqa: S311 - spreads waits
            wait(BACKOFF.delay_s(attempt, jitter=jitter, retry_after_s=error.retry_after_s))
    return store.create(name, data, {})
