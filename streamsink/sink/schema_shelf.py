"""Keeps schemas beside the data: `_streamsink/schemas/<registry>/<id>.json`. Decodes nothing."""

from __future__ import annotations

import contextlib

from streamsink.errors import AlreadyExistsError, ObjectMissingError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/schemas"


class StoreShelf:
    """A shelf in a store; each document is written once.

    Args:
        store: The archive's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, name: str) -> bytes | None:
        """See `SchemaShelf.get`."""
        try:
            return self._store.get(f"{FOLDER}/{name}")
        except ObjectMissingError:
            return None

    def put(self, name: str, document: bytes) -> None:
        """See `SchemaShelf.put`."""
        with contextlib.suppress(AlreadyExistsError):
            self._store.create(f"{FOLDER}/{name}", document, {})
