"""Reads one object whole and compares it with all that is known of it. Changes nothing, knows no other object."""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.archive.check_siblings import check_siblings
from streamsink.backoff import Backoff
from streamsink.encode.beside import BESIDE
from streamsink.encode.protocol import ObjectReader
from streamsink.encode.read import open_object
from streamsink.errors import ObjectMissingError, StreamsinkError, TerminalError, TransientError
from streamsink.record import ENVELOPE, TIMESTAMP_TYPE
from streamsink.runs import Runs
from streamsink.upload.description import FOOTER_PREFIX, ObjectDescription
from streamsink.upload.protocol import ObjectInfo

ATTEMPTS = 4
BACKOFF = Backoff(first_s=0.5, max_s=5.0)
"""A store that stumbles once must not end the check of thousands of objects."""

HOUR_MS = 3_600_000
_OWN_FOOTER = (".parquet", ".avro")
"""Ends of names whose objects mostly describe themselves."""
_DTYPES: dict[int, np.dtype[Any]] = {
    pa.int32().id: np.dtype(np.int32),
    pa.int64().id: np.dtype(np.int64),
    TIMESTAMP_TYPE.id: np.dtype(np.int64),
}
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


@dataclass(slots=True)
class Content:
    """The content of an object's rows."""

    records: int = 0
    runs: Runs | None = None
    """None where rows don't tell their offsets."""
    hours: Counter[int] = field(default_factory=Counter)


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


def check_object(archive: Archive, given: ReadObject, *, md5: bool = False) -> CheckedObject:
    """Decode all of an object, and compare it with its name, its own words, and the manifest's.

    Args:
        archive: The archive that holds it, with its sidecar and its siblings.
        given: The object as it was read.
        md5: Whether the description is to have the MD5 of the bytes.

    Raises:
        TransientError: Its sidecar or a sibling can't be read now.
        TerminalError: The store refuses.
    """
    entry = given.entry
    if given.read is None:
        return CheckedObject(entry, problems=("it was deleted while it was being verified",))
    info, data = given.read
    sha256 = hashlib.sha256(data).hexdigest()
    recorded = _story(archive.manifest().of(entry.name), sha256)
    problems: list[str] = []
    said: list[ObjectDescription] = []
    content = Content()
    try:
        reader, footer = _open(archive, entry.name, data, sha256)
        said = _own_words(archive, info, data, footer)
        content = _decode(reader, entry)
        if said:
            check_siblings(archive, entry, said[-1])
    except (TransientError, MemoryError):
        raise
    except StreamsinkError as error:
        problems.append(error.message)
    except Exception as error:  # noqa: BLE001 - damaged bytes make libraries raise anything; the other objects go on
        problems.append(f"it can't be decoded: {type(error).__name__}: {error}")
    decoded = not problems
    found = {
        text: None
        for description in said
        for text in (
            *_changed(description, info.size_bytes, sha256),
            *_differences(description, entry, content, decoded=decoded),
        )
    }
    own_problems = (*found, *problems)
    for description in recorded:
        found |= dict.fromkeys(_changed(description, info.size_bytes, sha256))
        found |= dict.fromkeys(_differences(description, entry, content, decoded=decoded))
    runs = content.runs
    if runs is None and said and not own_problems:
        about = said[-1]
        runs = Runs.without_holes(about.first_offset, about.last_offset, about.record_count)
    return CheckedObject(
        entry,
        sha256,
        content.records,
        runs,
        (*found, *problems),
        own_problems,
        content.hours,
        said=said[-1] if said else None,
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


def _changed(description: ObjectDescription, size_bytes: int, sha256: str) -> Iterator[str]:
    if description.size_bytes not in {None, size_bytes}:
        yield f"it has {size_bytes} bytes, and had {description.size_bytes} when it was written"
    if description.sha256 not in {"", sha256}:
        yield f"its SHA-256 is {sha256}, and was {description.sha256} when it was written"


def _decode(reader: ObjectReader, entry: ArchivedObject) -> Content:
    """Decode every column of every row.

    Raises:
        TerminalError: The bytes can't be read, or rows are of another partition.
    """
    content, found = Content(), []
    for batch in reader.batches():
        content.records += batch.num_rows
        at = batch.schema.get_field_index(ENVELOPE)
        if at < 0:
            continue
        envelope = batch.column(at)
        _same_partition(_member(envelope, "partition"), entry)
        found.append(_numbers(_member(envelope, "offset")))
        _count_hours(_member(envelope, "timestamp"), content.hours)
    if found:
        content.runs = Runs.of(found[0] if len(found) == 1 else np.concatenate(found))
    return content


def _member(envelope: pa.StructArray, name: str) -> pa.Array:
    """A field of the envelope, null where that is null."""
    if envelope.null_count:
        return pc.struct_field(envelope, name)
    at = envelope.type.get_field_index(name)
    return envelope.field(at) if at >= 0 else pc.struct_field(envelope, name)


def _numbers(array: pa.Array) -> npt.NDArray[Any]:
    """An array's values. Numbers are looked at where they lie: conversions cost a small object as much as a column."""
    dtype = _DTYPES.get(array.type.id)
    if dtype is None or array.null_count or not len(array):
        values: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return values
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _count_hours(times: pa.Array, hours: Counter[int]) -> None:
    if times.null_count or times.type != TIMESTAMP_TYPE:
        times = times.cast(TIMESTAMP_TYPE).drop_null()
    if not len(times):
        return
    at_ms = _numbers(times)
    least, most = int(at_ms.min()) // HOUR_MS, int(at_ms.max()) // HOUR_MS
    if least == most:
        hours[least] += at_ms.size
        return
    found, counts = np.unique(at_ms // HOUR_MS, return_counts=True)
    hours.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _same_partition(partitions: pa.Array, entry: ArchivedObject) -> None:
    if not partitions.null_count and (_numbers(partitions) == entry.parsed.partition).all():
        return
    if len(partitions) and not pc.all(pc.equal(partitions, entry.parsed.partition)).as_py():
        raise TerminalError(f"{entry.name} has rows of another partition than its name says")


def _differences(
    description: ObjectDescription, entry: ArchivedObject, content: Content, *, decoded: bool
) -> Iterator[str]:
    """Compare a description with the object's name and, where they could be decoded, its rows."""
    parsed = entry.parsed
    if (description.topic, description.partition) != (parsed.topic, parsed.partition):
        yield f"it says it is of {description.topic}-{description.partition}"
    if description.first_offset != parsed.start_offset:
        yield f"it says its first offset is {description.first_offset}, its name {parsed.start_offset}"
    if not decoded:
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
