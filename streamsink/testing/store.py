"""An object store in memory for simulations, with faults on demand. Decides nothing by itself.

Fault model. A create may fail before anything is written, or after: the object is there, the reply is lost. A store may
report a conflict though nothing was written (S3's 409). A create whose writer has died may still arrive later. Creates
of one name are atomic: the first wins, the others conflict (`atomic=False` overwrites instead, for showing what that
breaks). What was stored stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.testing.format import EXTENSION, read_rows
from streamsink.testing.records import Row
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import ObjectInfo


class StoreFault(StrEnum):
    """The ways in which a create goes wrong."""

    NONE = ""
    BEFORE = "before"
    """Nothing is written."""
    AFTER = "after"
    """It is written, the reply is lost."""
    BUSY = "busy"
    """The store reports a conflict and writes nothing."""
    DENIED = "denied"
    """Nothing is written, and won't be until an operator has helped."""


@dataclass(frozen=True, slots=True)
class SimObject:
    """A stored object: who wrote it, what it is about, and its rows."""

    name: str
    writer: str
    topic_partition: TopicPartition
    lane: str
    first_offset: int
    last_offset: int
    rows: tuple[Row, ...]


class SimStore:
    """A `Store` of create-only objects by name. `fault` is what happens to the creates of the present upload."""

    url = "sim://store"
    keeps_metadata = True

    def __init__(self, *, atomic: bool = True) -> None:
        self.atomic = atomic
        self.fault = StoreFault.NONE
        self.objects: dict[str, SimObject] = {}
        self.arrivals: list[SimObject] = []
        self._stored: dict[str, tuple[bytes, Mapping[str, str]]] = {}

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """See `Store.create`.

        Raises:
            TransientError: The fault says so, before the object is there or after.
            TerminalError: The fault says that it is denied.
            AlreadyExistsError: The name is taken, or the fault says so.
        """
        match self.fault:
            case StoreFault.BEFORE:
                raise TransientError("503 before", hint="wait")
            case StoreFault.DENIED:
                raise TerminalError("403", hint="allow it")
            case StoreFault.BUSY:
                raise AlreadyExistsError("409")
        exists = name in self._stored and self.atomic
        if not exists:
            self._keep(name, bytes(data), metadata)
        if self.fault is StoreFault.AFTER:
            raise TransientError("the reply was lost", hint="wait")
        if exists:
            raise AlreadyExistsError(name)

    def _keep(self, name: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self._stored[name] = data, metadata
        if not name.endswith(EXTENSION):
            return
        about = ObjectDescription.from_metadata(name, metadata, size_bytes=len(data))
        assert about is not None, "an object says what it is"
        partition = TopicPartition(about.topic, about.partition)
        item = SimObject(
            name, about.writer, partition, about.lane, about.first_offset, about.last_offset, read_rows(data)
        )
        self.objects[name] = item
        self.arrivals.append(item)

    def get(self, name: str) -> bytes:
        """See `Store.get`.

        Raises:
            ObjectMissingError: No object has the name.
        """
        if name not in self._stored:
            raise ObjectMissingError(name)
        return self._stored[name][0]

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`."""
        data = self.get(name)
        return ObjectInfo(name, len(data), self._stored[name][1]), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        data = self.get(name)
        begin = max(0, len(data) + start) if start < 0 else start
        return data[begin : begin + length]

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`."""
        found = self._stored.get(name)
        return None if found is None else ObjectInfo(name, len(found[0]), found[1])

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`.

        Raises:
            TransientError: The store is away.
        """
        if self.fault in {StoreFault.BEFORE, StoreFault.AFTER}:
            raise TransientError("503", hint="wait")
        for name, (data, metadata) in sorted(self._stored.items()):
            if name.startswith(prefix):
                yield ObjectInfo(name, len(data), metadata)

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        self._stored.pop(name, None)
        self.objects.pop(name, None)

    def close(self) -> None:
        """Nothing to let go of."""
