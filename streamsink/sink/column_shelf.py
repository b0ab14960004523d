"""Keeps column sets beside the data: `_streamsink/columns/<topics.dir>/<topic>/<n>.json`. Reads no column."""

from __future__ import annotations

from streamsink.decode.column_history import StoredSet
from streamsink.decode.column_set import KIND
from streamsink.upload.numbered import NumberedRecords
from streamsink.upload.protocol import Store


class StoreColumns:
    """A `ColumnShelf` in a store.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
    """

    def __init__(self, store: Store, topics_dir: str) -> None:
        self._records = NumberedRecords(store, KIND, topics_dir)

    def newest(self, topic: str) -> StoredSet | None:
        """See `ColumnShelf.newest`."""
        record = self._records.newest(topic)
        return None if record is None else StoredSet(record.number, record.data)

    def append(self, topic: str, number: int, document: bytes) -> tuple[StoredSet, bool]:
        """See `ColumnShelf.append`."""
        appended = self._records.append(topic, number, document)
        return StoredSet(appended.record.number, appended.record.data), appended.ours
