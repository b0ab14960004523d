"""An archive: its store, the place of its objects, and each object's description. Changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import PurePosixPath

from streamsink.archive.manifest import Manifest, gather
from streamsink.encode.read import read_footer
from streamsink.errors import (
    ObjectMissingError,
    TerminalError,
)
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import read_manifest_files
from streamsink.upload.name import ParsedName, parse_name
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.siblings import families
from streamsink.upload.sidecar import FOLDER as SIDECARS
from streamsink.upload.sidecar import read_sidecar, sidecar_name

OWN_FOLDER = "_streamsink"
"""Beside `topics.dir`: manifest, sidecars, probes."""


@dataclass(frozen=True, slots=True)
class ArchivedObject:
    """One object of an archive. `path` is relative to the archive, `name` to the store's root."""

    name: str
    path: str
    size_bytes: int
    parsed: ParsedName
    recorded: ObjectDescription | None = None
    """The manifest's entry."""
    siblings: Mapping[str, str] = field(default_factory=dict)
    """Names of the objects of keys and headers beside it, by `keys` and `headers`."""


@dataclass(slots=True)
class Archive:
    """Objects below `prefix` in a store whose root is `archive.url`; the manifest lies there too."""

    store: Store
    url: str
    prefix: str
    _manifest: Manifest | None = field(default=None, repr=False)
    _sidecars: dict[str, list[str]] | None = field(default=None, repr=False)

    def objects(self, *, topic: str = "", partition: int | None = None) -> Iterator[ArchivedObject]:
        """List the objects in name order, each with its objects of keys and headers.

        A name that isn't an object's is passed over, unless the manifest or a sidecar says that it is one.

        Args:
            topic: List this topic's objects only; empty for all topics.
            partition: List the objects of this number only; None for all partitions.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read.
        """
        listing = self.store.list(self.prefix)
        with ThreadPoolExecutor(1, thread_name_prefix="listing") as pool:
            # Some stores list all before they give the first: meanwhile the manifest is read.
            first = pool.submit(lambda: list(islice(listing, 1)))
            manifest = self.manifest()
            listed = chain(first.result(), listing)
        for family in families(self._named(listed, manifest)):
            info, parsed = family.info, family.parsed
            if topic not in {"", parsed.topic} or partition not in {None, parsed.partition}:
                continue
            entry = manifest.entry(info.name, info.size_bytes)
            siblings = {kind: one.name for kind, one in family.siblings.items()}
            yield ArchivedObject(info.name, self.path(info.name), info.size_bytes, parsed, entry, siblings)

    def _named(self, listed: Iterable[ObjectInfo], manifest: Manifest) -> Iterator[tuple[ObjectInfo, ParsedName]]:
        for info in listed:
            if info.name.startswith(f"{OWN_FOLDER}/"):
                continue
            parsed = parse_name(info.name) or _name_of(manifest.of(info.name)) or _name_of(self._by_sidecar(info.name))
            if parsed is not None:
                yield info, parsed

    def manifest(self) -> Manifest:
        """The manifest's entries for objects below the archive; read once."""
        if self._manifest is None:
            self._manifest = gather(read_manifest_files(self.store), self.prefix)
        return self._manifest

    def path(self, name: str) -> str:
        """A name relative to the archive; a single object's is its last part."""
        if name == self.prefix:
            return name.rpartition("/")[2]
        return name.removeprefix(self.prefix)

    def describe(self, entry: ArchivedObject) -> ObjectDescription:
        """Describe an object by the manifest, else by its metadata, its footer or its sidecar.

        Raises:
            ObjectMissingError: It is gone.
            TransientError: It can't be read now.
            TerminalError: It doesn't say, or it isn't whole.
        """
        return entry.recorded or self.describe_itself(entry)

    def describe_itself(self, entry: ArchivedObject) -> ObjectDescription:
        """Describe an object by its metadata, its footer or its sidecar, never by the manifest.

        Raises:
            ObjectMissingError: It is gone.
            TransientError: It can't be read now.
            TerminalError: It doesn't say, or it isn't whole.
        """
        info = self.store.head(entry.name)
        if info is None:
            raise ObjectMissingError(f"{entry.name} is gone", hint="does something delete objects?")
        told = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
        return told or self._from_footer(info) or self.from_sidecar(info)

    def _from_footer(self, info: ObjectInfo) -> ObjectDescription | None:
        """As `from_footer`; None also where the object is not what its name says, and a sidecar may say what it is."""
        try:
            return self.from_footer(info)
        except TerminalError:
            if self._sidecars_of(info.name):
                return None
            raise

    def _sidecars_of(self, name: str) -> list[str]:
        """The sidecars of objects of this name, in whatever folder."""
        if self._sidecars is None:
            self._sidecars = defaultdict(list)
            for info in self.store.list(f"{SIDECARS}/"):
                self._sidecars[info.name.rpartition("/")[2]].append(info.name)
        return self._sidecars.get(f"{name.rpartition('/')[2]}.json", [])

    def _by_sidecar(self, name: str) -> tuple[ObjectDescription, ...]:
        """What sidecars say of an object that neither its name nor the manifest places."""
        told: list[ObjectDescription] = []
        for one in self._sidecars_of(name):
            # One that is gone or damaged places nothing.
            with contextlib.suppress(ObjectMissingError, TerminalError, ValueError, TypeError, AttributeError):
                told.append(ObjectDescription.from_json(json.loads(self.store.get(one))))
        return tuple(about for about in told if about.name == name)

    def sidecar(self, name: str, sha256: str) -> bytes | None:
        """Read the sidecar that an object's format keeps beside it.

        Args:
            name: The object's, relative to the store's root.
            sha256: The hash of the object's bytes, in hex.

        Returns:
            The sidecar's content, or None where the object has none.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read.
        """
        return read_sidecar(self.store, name, sha256)

    def from_footer(self, info: ObjectInfo, data: bytes | None = None) -> ObjectDescription | None:
        """Describe an object by its own bytes.

        Args:
            info: The object.
            data: All its bytes, which saves reading them; None to read only its header or footer from the store.

        Returns:
            None where the format has no footer, or the footer isn't ours.

        Raises:
            ObjectMissingError: It is gone.
            TransientError: It can't be read now.
            TerminalError: Its bytes are not what its name says.
        """

        def get_range(start: int, length: int) -> bytes:
            return self.store.get_range(info.name, start, length) if data is None else data[start : start + length]

        footer = read_footer(info.name, info.size_bytes, get_range)
        return ObjectDescription.from_footer(info.name, footer) if footer else None

    def from_sidecar(self, info: ObjectInfo, data: bytes | None = None) -> ObjectDescription:
        """Describe an object by its sidecar, which is found by the hash of the object's bytes.

        Args:
            info: The object.
            data: All its bytes; None to read them from the store.

        Raises:
            ObjectMissingError: It is gone.
            TransientError: It can't be read now.
            TerminalError: It has no sidecar, or the sidecar is damaged.
        """
        sha256 = hashlib.sha256(self.store.get(info.name) if data is None else data).hexdigest()
        try:
            content = self.store.get(f"{sidecar_name(info.name, sha256)}.json")
        except ObjectMissingError:
            raise TerminalError(
                f"nothing says what {info.name} holds",
                hint="it was changed, or another program wrote it, or the folder _streamsink/sidecar is lost",
            ) from None
        try:
            return ObjectDescription.from_json({**json.loads(content), "name": info.name})
        except (ValueError, TypeError) as error:
            raise TerminalError(
                f"the sidecar of {info.name} is damaged: {error}", hint="restore it from a copy"
            ) from None


def _name_of(entries: tuple[ObjectDescription, ...]) -> ParsedName | None:
    """The parts of a name with other delimiters than the default ones, by its object's descriptions."""
    if not entries:
        return None
    entry = entries[-1]
    extension = "".join(PurePosixPath(entry.name).suffixes)
    return ParsedName(entry.topic, entry.encoded_partition, entry.partition, entry.first_offset, "", extension)
