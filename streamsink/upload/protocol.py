"""The store seam: one small protocol that every backend keeps. Defines values only; does no I/O itself.

The contract, each clause a test in `tests/contract`: `create` is atomic and never overwrites; a name is either absent
or a whole object; what `create` returned from is durable; `list` is complete and in lexicographic order of names;
names are `/`-separated, relative to the store's root, and can't leave it; every call is bounded in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as a store's listing shows it, without its bytes. `metadata` is empty where the store keeps none."""

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

        Args:
            name: The object's, relative to the store's root.
            data: All its bytes.
            metadata: ASCII, as headers are: `ObjectDescription.to_metadata` escapes the rest. Empty for none.

        Raises:
            AlreadyExistsError: The name is taken, perhaps by an earlier attempt of ours.
            TransientError: It may or may not have been written; `head` tells.
            TerminalError: It can't work: credentials, missing bucket, read-only folder.
        """
        ...

    def get(self, name: str) -> bytes:
        """Read a whole object.

        Raises:
            ObjectMissingError: There is none of this name.
            TransientError: It can't be read now.
            TerminalError: It can't work: credentials, missing bucket.
        """
        ...

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """Read a whole object with its description, in one request where the store can.

        Returns:
            The object as `head` describes it, and its bytes.

        Raises:
            ObjectMissingError: There is none of this name.
            TransientError: It can't be read now.
            TerminalError: It can't work: credentials, missing bucket.
        """
        ...

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """Read a part of an object.

        Args:
            name: The object's, relative to the store's root.
            start: The part's first byte; a negative number counts from the end.
            length: The part's length in bytes.

        Raises:
            ObjectMissingError: There is none of this name.
            TransientError: It can't be read now.
            TerminalError: It can't work: credentials, missing bucket.
        """
        ...

    def head(self, name: str) -> ObjectInfo | None:
        """Describe an object without reading it, None where there is none.

        Raises:
            TransientError: It can't be asked now.
            TerminalError: It can't work: credentials, missing bucket.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """List objects whose name starts with `prefix`, in name order; `metadata` may be left out."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; a missing one is no error."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class KnowsWhetherAny(Protocol):
    """A store that `list`s nothing before it knows of all objects, and can tell sooner whether there is one."""

    def has_any(self, prefix: str) -> bool:
        """Whether there is an object whose name starts with `prefix`.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read.
        """
        ...


def has_any(store: Store, prefix: str) -> bool:
    """Whether a store has an object whose name starts with a prefix, asked in the cheapest way that it has.

    Args:
        store: Any store.
        prefix: As `Store.list` takes it.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    if isinstance(store, KnowsWhetherAny):
        return store.has_any(prefix)
    return next(iter(store.list(prefix)), None) is not None
