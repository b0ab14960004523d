"""The store seam: one small protocol that every backend keeps. Defines values only; does no I/O itself.

The contract, each clause a test in `tests/contract`: `create` is atomic and never overwrites; a name is either absent
or a whole object; what `create` returned from is durable; `list` is complete and in lexicographic order of names;
names are `/`-separated, relative to the store's root, and can't leave it; every call is bounded in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it. `metadata` is empty where the store keeps none."""

    name: str
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified_ms: int | None = None


class Store(Protocol):
    """An object store rooted at one URL. Every method may be called from any thread."""

    @property
    def url(self) -> str:
        """The store's root as given, without secrets."""
        ...

    @property
    def keeps_metadata(self) -> bool:
        """Whether `head` gives back the metadata that `create` was given."""
        ...

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """Write a whole object under a name that must be free, durably, once this returns.

        Metadata are ASCII, as headers are: `ObjectDescription.to_metadata` escapes the rest.

        Raises:
            AlreadyExistsError: The name is taken, perhaps by an earlier attempt of ours.
            TransientError: It may or may not have been written; `head` tells.
            TerminalError: It can't work: credentials, missing bucket, read-only folder.
        """
        ...

    def get(self, name: str) -> bytes:
        """The whole object. Raises ObjectMissingError, TransientError, TerminalError."""
        ...

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`; a negative `start` counts from the end. Raises as `get`."""
        ...

    def head(self, name: str) -> ObjectInfo | None:
        """The object's size and metadata, or None where there is none. Raises TransientError, TerminalError."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose name starts with `prefix`, in name order; `metadata` may be left out."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; a missing one is no error."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
