"""Reads objects whole and compares each with all that is known of it. Changes nothing, compares no two objects."""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.archive.check_siblings import check_siblings
from streamsink.archive.content import Content, Rows
from streamsink.backoff import Backoff
from streamsink.encode.beside import BESIDE
from streamsink.encode.protocol import ObjectReader
from streamsink.encode.read import open_object
from streamsink.errors import ObjectMissingError, StreamsinkError, TerminalError, TransientError
from streamsink.runs import Runs
from streamsink.upload.description import FOOTER_PREFIX, ObjectDescription
from streamsink.upload.protocol import ObjectInfo

ATTEMPTS = 4
BACKOFF = Backoff(first_s=0.5, max_s=5.0)
"""A store that stumbles once must not end the check of thousands of objects."""

_OWN_FOOTER = (".parquet", ".avro")
"""Ends of names whose objects mostly describe themselves."""
BESIDE_ENTRY = f"{FOOTER_PREFIX}{BESIDE}"
"""Of an object whose records' offsets are in its sidecar."""


@dataclass(frozen=True, slots=True)
class CheckedObject:
    """A checked object: its offsets where its rows tell them, and its problems."""

    entry: ArchivedObject
    sha256: str = ""
    """Of the bytes as they are; empty where the object is gone."""
    records: int = 0
    runs: Runs | None = None
    """Its offsets; None where neither its rows nor its range tells them."""
    problems: tuple[str, ...] = ()
    own_problems: tuple[str, ...] = ()
    """The problems that don't come from the manifest."""
    hours: Mapping[int, int] = field(default_factory=dict)
    """Records by hour since 1970, by their time; those without a time are in none."""
    said: ObjectDescription | None = None
    """The object's description of itself; None where it has none."""
    md5: str = ""
    """Of the bytes, where it was asked for."""
    size_bytes: int = 0
    """Of the bytes that were read."""

    @property
    def description(self) -> ObjectDescription | None:
        """The object's description of itself, with the hashes of its bytes; None where it has none."""
        if self.said is None:
            return None
        return self.said.sealed(sha256=self.sha256, md5=self.md5 or self.said.md5, size_bytes=self.size_bytes)


@dataclass(frozen=True, slots=True)
class ReadObject:
    """An object as it was read, before anything is known of its bytes."""

    entry: ArchivedObject
    read: tuple[ObjectInfo, bytes] | None
    """What the store has, and the bytes; None where the object is gone."""


def read_object(archive: Archive, entry: ArchivedObject) -> ReadObject:
    """Read an object's bytes, again where the store stumbles.

    Args:
        archive: The archive that holds it.
        entry: The object.

    Raises:
        TransientError: It can't be read, again and again.
        TerminalError: The store refuses.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ReadObject(entry, archive.store.read(entry.name))
        except ObjectMissingError:
            return ReadObject(entry, None)
        except TransientError as error:
            if attempt == ATTEMPTS:
                raise
            jitter = random.random()  # noqa: S311 - spreads readers
            time.sleep(BACKOFF.delay_s(attempt, jitter=jitter, retry_after_s=error.retry_after_s))
    raise AssertionError("the last attempt returns or raises")


def check_objects(archive: Archive, given: Sequence[ReadObject], *, md5: bool = False) -> list[CheckedObject]:
    """Decode all of each object, and compare it with its name, its own words, and the manifest's.

    Args:
        archive: The archive that holds them, with their sidecars and their siblings.
        given: The objects as they were read.
        md5: Whether the descriptions are to have the MD5 of the bytes.

    Raises:
        TransientError: A sidecar or a sibling can't be read now.
        TerminalError: The store refuses.
    """
    rows = Rows()
    decoded = [_Decoded(one) for one in given]
    for found in decoded:
        try:
            rows.add(_decode(archive, found))
        except Exception as error:  # noqa: BLE001 - damaged bytes make libraries raise anything; the other objects go on
            found.problems = (_problem(error),)
    return [_compare(archive, *pair, md5=md5) for pair in zip(decoded, rows.contents(), strict=True)]


@dataclass(slots=True)
class _Decoded:
    """An object whose rows were decoded."""

    given: ReadObject
    size_bytes: int = 0
    sha256: str = ""
    footer: Mapping[str, str] | None = None
    """The entries of ours in its bytes; None where it can't be opened."""
    problems: tuple[str, ...] = ()


def _decode(archive: Archive, found: _Decoded) -> Iterator[pa.RecordBatch]:
    """Open an object and decode every column of every row; note its hash and footer on the way."""
    if found.given.read is None:
        return
    name, (info, data) = found.given.entry.name, found.given.read
    found.size_bytes = info.size_bytes
    found.sha256 = hashlib.sha256(data).hexdigest()
    reader, found.footer = _open(archive, name, data, found.sha256)
    yield from reader.batches()


def _problem(error: Exception) -> str:
    """What an error says of the object.

    Raises:
        TransientError: It says nothing of the object: the store stumbled.
        MemoryError: It is this machine's.
    """
    match error:
        case TransientError() | MemoryError():
            raise error
        case StreamsinkError():
            return error.message
        case _:
            return f"it can't be decoded: {type(error).__name__}: {error}"


def _compare(archive: Archive, decoded: _Decoded, content: Content, *, md5: bool) -> CheckedObject:
    """Compare an object with its name, its own words, and the manifest's."""
    entry, sha256, problems = decoded.given.entry, decoded.sha256, list(decoded.problems)
    if decoded.given.read is None:
        return CheckedObject(entry, problems=("it was deleted while it was being verified",))
    info, data = decoded.given.read
    if content.partitions not in {None, (entry.parsed.partition, entry.parsed.partition)}:
        problems.append(f"{entry.name} has rows of another partition than its name says")
        content = Content()
    elif content.runs is not None and content.placed < content.records:
        problems.append(f"{content.records - content.placed} of its records have no offset")
    words: list[ObjectDescription] = []
    try:
        if decoded.footer is not None:
            words = _own_words(archive, info, data, decoded.footer)
            check_siblings(archive, entry, words[-1])
    except Exception as error:  # noqa: BLE001 - as for damaged bytes
        problems.append(_problem(error))
    whole = not problems
    found: dict[str, None] = {}
    for description in words:
        found |= dict.fromkeys(_differences(description, decoded, content, whole=whole))
    own_problems = (*found, *problems)
    for description in _story(archive.manifest().of(entry.name), sha256):
        found |= dict.fromkeys(_differences(description, decoded, content, whole=whole))
    runs, said = content.runs, words[-1] if words else None
    if runs is None and said and not own_problems:
        runs = Runs.without_holes(said.first_offset, said.last_offset, said.record_count)
    return CheckedObject(
        entry,
        sha256,
        content.records,
        runs,
        (*found, *problems),
        own_problems,
        content.hours,
        said=said,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest() if md5 else "",
        size_bytes=len(data),
    )


def _own_words(archive: Archive, info: ObjectInfo, data: bytes, footer: Mapping[str, str]) -> list[ObjectDescription]:
    """What metadata and footer say, each for itself; a sidecar is asked where neither does."""
    told = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
    found = [] if told is None else [told]
    if footer:
        found.append(ObjectDescription.from_footer(info.name, footer))
    return found or [archive.from_sidecar(info, data)]


def _story(recorded: tuple[ObjectDescription, ...], sha256: str) -> tuple[ObjectDescription, ...]:
    """What the manifest says of these bytes. An object that was deleted and archived anew has a story before that."""
    return tuple(one for one in recorded if one.sha256 == sha256) or recorded


def _open(archive: Archive, name: str, data: bytes, sha256: str) -> tuple[ObjectReader, Mapping[str, str]]:
    """An object's reader, and what its own footer says where its kind has one."""
    own_footer = name.endswith(_OWN_FOOTER)
    if own_footer:
        with contextlib.suppress(TerminalError):
            # A template may name objects as it likes: then the sidecar tells what they are.
            reader = open_object(name, data)
            footer = reader.footer()
            if footer and BESIDE_ENTRY not in footer:
                return reader, footer
    reader = open_object(name, data, archive.sidecar(name, sha256))
    return reader, reader.footer() if own_footer else {}


def _differences(description: ObjectDescription, decoded: _Decoded, content: Content, *, whole: bool) -> Iterator[str]:
    """Compare a description with an object's bytes, its name and, where all could be decoded, its rows."""
    parsed = decoded.given.entry.parsed
    if description.size_bytes not in {None, decoded.size_bytes}:
        yield f"it has {decoded.size_bytes} bytes, and had {description.size_bytes} when it was written"
    if description.sha256 not in {"", decoded.sha256}:
        yield f"its SHA-256 is {decoded.sha256}, and was {description.sha256} when it was written"
    if (description.topic, description.partition) != (parsed.topic, parsed.partition):
        yield f"it says it is of {description.topic}-{description.partition}"
    if description.first_offset != parsed.start_offset:
        yield f"it says its first offset is {description.first_offset}, its name {parsed.start_offset}"
    if not whole:
        return
    if description.record_count != content.records:
        yield f"it has {content.records} records and says {description.record_count}"
    runs = content.runs
    if not runs:
        return
    if not runs.ascending:
        yield "its offsets don't ascend"
    if (runs.first_offset, runs.last_offset) != (description.first_offset, description.last_offset):
        said = f"{description.first_offset}..{description.last_offset}"
        yield f"its records are at {runs.first_offset}..{runs.last_offset} and it says {said}"
