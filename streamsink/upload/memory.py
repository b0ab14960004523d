"""Objects in memory, one registry a process: for tests. Not for data anybody wants to keep."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

from streamsink.errors import AlreadyExistsError, ObjectMissingError
from streamsink.upload.name import require_fit
from streamsink.upload.protocol import ObjectInfo

_registry: dict[str, dict[str, tuple[bytes, dict[str, str]]]] = {}
_lock = threading.Lock()


class MemoryStore:
    """Objects under a name; every store of the same name in this process sees the same ones."""

    def __init__(self, name: str) -> None:
        self.url = f"memory://{name}"
        self.keeps_metadata = True
        with _lock:
            self._objects = _registry.setdefault(name, {})

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """See `Store.create`."""
        require_fit(name, self.url)
        with _lock:
            if name in self._objects:
                raise AlreadyExistsError(f"{name} exists")
            self._objects[name] = (bytes(data), dict(metadata))

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        return self._object(name)[0]

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`."""
        data, metadata = self._object(name)
        return ObjectInfo(name, len(data), metadata), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        data = self._object(name)[0]
        begin = max(0, len(data) + start) if start < 0 else start
        return data[begin : begin + length]

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`."""
        require_fit(name, self.url)
        with _lock:
            found = self._objects.get(name)
        return None if found is None else ObjectInfo(name, len(found[0]), found[1])

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`."""
        with _lock:
            found = sorted(self._objects.items())
        for name, (data, metadata) in found:
            if name.startswith(prefix):
                yield ObjectInfo(name, len(data), metadata)

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        require_fit(name, self.url)
        with _lock:
            self._objects.pop(name, None)

    def close(self) -> None:
        """Nothing to let go of."""

    def _object(self, name: str) -> tuple[bytes, dict[str, str]]:
        require_fit(name, self.url)
        with _lock:
            found = self._objects.get(name)
        if found is None:
            raise ObjectMissingError(f"no object {name} in {self.url}")
        return found
