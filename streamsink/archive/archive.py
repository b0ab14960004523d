"""Finds an archive: its store, where its objects lie, and what each says of itself. Changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from streamsink.encode.read import read_footer
from streamsink.errors import (
    ConfigError,
    NothingThereError,
    ObjectMissingError,
    Problem,
    StreamsinkError,
    TerminalError,
)
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import read_manifest
from streamsink.upload.name import ParsedName, parse_name
from streamsink.upload.open import open_store
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.sidecar import read_sidecar, sidecar_name

OWN_FOLDER = "_streamsink"
"""Beside `topics.dir`: manifest, sidecars, probes."""

_WHAT_ARCHIVE_IS = "ARCHIVE is archive.url with topics.dir, for example file:///var/lib/archive/topics"


@dataclass(frozen=True, slots=True)
class ArchivedObject:
    """One object of an archive. `path` is relative to the archive, `name` to the store's root."""

    name: str
    path: str
    size_bytes: int
    parsed: ParsedName
    recorded: ObjectDescription | None = None
    """What the manifest says of it."""


@dataclass(slots=True)
class Archive:
    """Objects below `prefix` in a store whose root is `archive.url`; the manifest lies there too."""

    store: Store
    url: str
    prefix: str
    _manifest: dict[tuple[str, int | None], ObjectDescription] | None = field(default=None, repr=False)

    def objects(self, *, topic: str = "", partition: int | None = None) -> Iterator[ArchivedObject]:
        """Every object, in name order, perhaps of one topic or partition only. What isn't named as one is passed over.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read.
        """
        recorded = self.manifest()
        known = {entry.name: entry for entry in recorded.values()}
        for info in self.store.list(self.prefix):
            parsed = parse_name(info.name) or _name_of(known.get(info.name))
            if parsed is None or info.name.startswith(f"{OWN_FOLDER}/"):
                continue
            if topic not in {"", parsed.topic} or partition not in {None, parsed.partition}:
                continue
            entry = recorded.get((info.name, info.size_bytes))
            yield ArchivedObject(info.name, self.path(info.name), info.size_bytes, parsed, entry)

    def manifest(self) -> Mapping[tuple[str, int | None], ObjectDescription]:
        """The manifest's entries below the archive, by name and size; read once."""
        if self._manifest is None:
            entries = read_manifest(self.store)
            self._manifest = {
                (entry.name, entry.size_bytes): entry for entry in entries if entry.name.startswith(self.prefix)
            }
        return self._manifest

    def path(self, name: str) -> str:
        """A name relative to the archive; a single object's is its last part."""
        if name == self.prefix:
            return name.rpartition("/")[2]
        return name.removeprefix(self.prefix)

    def describe(self, entry: ArchivedObject) -> ObjectDescription:
        """What an object covers: as the manifest has it, else as its metadata, its footer or its sidecar say.

        Raises:
            ObjectMissingError: It is gone.
            TransientError: It can't be read now.
            TerminalError: It doesn't say, or it isn't whole.
        """
        return entry.recorded or self.describe_itself(entry)

    def describe_itself(self, entry: ArchivedObject, data: bytes | None = None) -> ObjectDescription:
        """As `describe`, but never from the manifest; `data` saves reading it."""
        info = self.store.head(entry.name)
        if info is None:
            raise ObjectMissingError(f"{entry.name} is gone", hint="does something delete objects?")
        told = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
        return told or self._from_footer(info, data) or self._from_sidecar(info, data)

    def sidecar(self, name: str, sha256: str) -> bytes | None:
        """What an object's format keeps beside it, by its name and the hash of its bytes."""
        return read_sidecar(self.store, name, sha256)

    def _from_footer(self, info: ObjectInfo, data: bytes | None) -> ObjectDescription | None:
        def get_range(start: int, length: int) -> bytes:
            return self.store.get_range(info.name, start, length) if data is None else data[start : start + length]

        footer = read_footer(info.name, info.size_bytes, get_range)
        return ObjectDescription.from_footer(info.name, footer) if footer else None

    def _from_sidecar(self, info: ObjectInfo, data: bytes | None) -> ObjectDescription:
        sha256 = hashlib.sha256(self.store.get(info.name) if data is None else data).hexdigest()
        try:
            content = self.store.get(f"{sidecar_name(info.name, sha256)}.json")
        except ObjectMissingError:
            raise TerminalError(
                f"nothing says what {info.name} holds",
                hint="it was changed, or another program wrote it, or the folder _streamsink/sidecar is lost",
            ) from None
        return ObjectDescription.from_json({**json.loads(content), "name": info.name})


def open_archive(location: str, options: Mapping[str, str]) -> Archive:
    """Open an archive, or a single object, by its URL or local path.

    The store's root is the nearest folder at or above it that has a `_streamsink` folder, else the place itself.

    Raises:
        ConfigError: No place at all, or an unknown kind of store or option.
        TransientError: The store can't be reached now.
        TerminalError: There is nothing at this place, or it can't be read.
    """
    url, parts = _split(location)
    local = parts.scheme == "file"
    archive = _open_local(url, Path(unquote(parts.path)), options) if local else _open_remote(url, parts, options)
    # A single object may also have a name that only the manifest understands.
    if archive.prefix and not archive.prefix.endswith("/") and next(archive.objects(), None) is None:
        archive.store.close()
        raise TerminalError(f"{url} is no archived object", hint=_WHAT_ARCHIVE_IS)
    return archive


def _split(location: str) -> tuple[str, SplitResult]:
    """The place as a URL, and its parts."""
    if not location.strip():
        raise ConfigError([Problem("ARCHIVE", "is empty")], hint=_WHAT_ARCHIVE_IS)
    url = location if "://" in location else Path(location).absolute().as_uri()
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError([Problem("ARCHIVE", f"{location!r} is no URL: {error}")], hint=_WHAT_ARCHIVE_IS) from None
    if parts.scheme == "file" and parts.netloc not in {"", "localhost"}:
        problem = Problem("ARCHIVE", f"{location!r} names a machine, {parts.netloc}")
        raise ConfigError([problem], hint="file URLs have three slashes: file:///folder")
    return url, parts


def _open_remote(url: str, parts: SplitResult, options: Mapping[str, str]) -> Archive:
    folder = unquote(parts.path).strip("/")
    top = open_store(urlunsplit((parts.scheme, parts.netloc, "", "", "")), options)
    root = next((at for at in _upwards(folder) if _has_any(top, f"{at}/{OWN_FOLDER}/".lstrip("/"))), folder)
    single = bool(folder) and top.head(folder) is not None
    if not single and not _has_any(top, f"{folder}/".lstrip("/")):
        raise _nothing_at(url)
    if single and root == folder:
        root = folder.rpartition("/")[0]
    below = folder.removeprefix(root).strip("/")
    store = open_store(urlunsplit((parts.scheme, parts.netloc, f"/{quote(root)}" if root else "", "", "")), options)
    top.close()
    return Archive(store, url, below if single or not below else f"{below}/")


def parse_options(texts: list[str]) -> dict[str, str]:
    """`--option key=value`, with or without `archive.option.` before the key.

    Raises:
        ConfigError: One has no `=`.
    """
    problems = [Problem("--option", f"{text!r} is not KEY=VALUE") for text in texts if "=" not in text]
    if problems:
        raise ConfigError(problems)
    pairs = (text.split("=", 1) for text in texts)
    return {key.strip().removeprefix("archive.option."): value for key, value in pairs}


def _open_local(url: str, place: Path, options: Mapping[str, str]) -> Archive:
    # Looked at before a store is opened: opening one makes its folder.
    if not place.exists():
        raise _nothing_at(url)
    single = place.is_file()
    folder = place.parent if single else place
    root = next((at for at in (folder, *folder.parents) if (at / OWN_FOLDER).is_dir()), folder)
    below = place.relative_to(root).as_posix()
    prefix = "" if below == "." else below if single else f"{below}/"
    return Archive(open_store(root.as_uri(), options), url, prefix)


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _has_any(store: Store, prefix: str) -> bool:
    return next(iter(store.list(prefix)), None) is not None


def _nothing_at(location: str) -> StreamsinkError:
    return NothingThereError(f"there is no archive at {location}", hint=_WHAT_ARCHIVE_IS)


def _name_of(entry: ObjectDescription | None) -> ParsedName | None:
    """What a name says that has other delimiters than the default ones."""
    if entry is None:
        return None
    extension = "".join(PurePosixPath(entry.name).suffixes)
    return ParsedName(entry.topic, entry.encoded_partition, entry.partition, entry.first_offset, "", extension)
