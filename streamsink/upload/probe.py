"""The start-up probe: does this store create atomically? Two creates of one fresh name tell. Writes nothing else."""

from __future__ import annotations

import contextlib
import uuid

from streamsink.errors import AlreadyExistsError, StreamsinkError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/probe"


def probe_create(store: Store) -> bool:
    """Whether a second create of one name conflicts. Removes the probe where that is allowed.

    Raises:
        TransientError: The store is away.
        TerminalError: Missing bucket, wrong credentials, read-only folder.
    """
    name = f"{FOLDER}/{uuid.uuid4().hex}"
    with contextlib.suppress(AlreadyExistsError):
        # The name is fresh: what exists is what a repeated request of ours has just written.
        store.create(name, b"first", {})
    try:
        store.create(name, b"second", {})
        atomic = False
    except AlreadyExistsError:
        atomic = True
    with contextlib.suppress(StreamsinkError):
        store.delete(name)
    return atomic
