"""Finds an archive by its URL or path, with the store's root that it lies below. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from streamsink.archive.archive import OWN_FOLDER, Archive
from streamsink.errors import ConfigError, NothingThereError, Problem, StreamsinkError, TerminalError
from streamsink.upload.open import open_store
from streamsink.upload.protocol import has_any

_DEFAULT_FOLDER = "topics"
_WHAT_ARCHIVE_IS = "ARCHIVE is archive.url with topics.dir, for example file:///var/lib/archive/topics"


def open_archive(location: str, options: Mapping[str, str]) -> Archive:
    """Open an archive, or a single object, by its URL or local path.

    The store's root is the nearest folder at or above it that has a `_streamsink` folder, else the place itself.

    Args:
        location: A URL as `archive.url` takes it with the folder behind it, or a path of this machine.
        options: The store's options by their names after `archive.option.`.

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


def place_for(location: str, options: Mapping[str, str]) -> tuple[str, str]:
    """Split an archive's place, which need not exist yet, into its store's root and its `topics.dir`.

    A place that doesn't exist becomes no part of an archive in a folder above it: its last folder is its `topics.dir`.

    Args:
        location: A URL as `archive.url` takes it with the folder behind it, or a path of this machine.
        options: The store's options by their names after `archive.option.`.

    Returns:
        The URL of the store's root, and `topics.dir` relative to it.

    Raises:
        ConfigError: No place at all, or an unknown kind of store or option.
        TransientError: The store can't be reached now.
        TerminalError: It can't be read.
    """
    _, parts = _split(location)
    if parts.scheme == "file":
        place = Path(unquote(parts.path))
        known = (place, *place.parents) if place.exists() else ()
        base = next((at for at in known if (at / OWN_FOLDER).is_dir()), place.parent)
        below = place.relative_to(base).as_posix()
        return base.as_uri(), _DEFAULT_FOLDER if below == "." else below
    folder = unquote(parts.path).strip("/")
    bare = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    top = open_store(bare, options)
    try:
        above = folder.rpartition("/")[0]
        there = _upwards(folder) if has_any(top, f"{folder}/".lstrip("/")) else iter(())
        root = next((at for at in there if has_any(top, f"{at}/{OWN_FOLDER}/".lstrip("/"))), above)
    finally:
        top.close()
    below = folder.removeprefix(root).strip("/")
    return f"{bare}/{quote(root)}" if root else bare, below or _DEFAULT_FOLDER


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


def _open_remote(url: str, parts: SplitResult, options: Mapping[str, str]) -> Archive:
    folder = unquote(parts.path).strip("/")
    top = open_store(urlunsplit((parts.scheme, parts.netloc, "", "", "")), options)
    root = next((at for at in _upwards(folder) if has_any(top, f"{at}/{OWN_FOLDER}/".lstrip("/"))), folder)
    single = bool(folder) and top.head(folder) is not None
    if not single and not has_any(top, f"{folder}/".lstrip("/")):
        raise _nothing_at(url)
    if single and root == folder:
        root = folder.rpartition("/")[0]
    below = folder.removeprefix(root).strip("/")
    store = open_store(urlunsplit((parts.scheme, parts.netloc, f"/{quote(root)}" if root else "", "", "")), options)
    top.close()
    return Archive(store, url, below if single or not below else f"{below}/")


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _nothing_at(location: str) -> StreamsinkError:
    return NothingThereError(f"there is no archive at {location}", hint=_WHAT_ARCHIVE_IS)
