"""Finds what may be replayed: an archive's objects of one topic, with what each covers. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from streamsink.archive.archive import OWN_FOLDER, Archive, ArchivedObject
from streamsink.archive.verify import missing_objects
from streamsink.encode.read import open_object
from streamsink.errors import ConfigError, NothingThereError, ObjectMissingError, Problem, TerminalError
from streamsink.replay.plan import Candidate
from streamsink.upload.description import ObjectDescription

DESCRIBERS = 8
"""Objects that are asked at once what they cover, where the manifest doesn't know them."""

SIBLINGS = {".keys.": "keys", ".headers.": "headers"}
"""What Confluent's sink puts into a name whose object holds the keys or headers of the object beside it."""

PEEK_BYTES = 64 * 1024


Known = dict[tuple[str, int], Candidate]
"""Candidates by name and size, for who asks again and again: objects don't change."""


def find_topic(archive: Archive, topic: str, known: Known | None = None) -> tuple[str, list[Candidate]]:
    """The topic to replay, the only one where none is named, and its objects.

    Args:
        archive: Where.
        topic: Its name, or "".
        known: What was found before; learns what is found now.

    Raises:
        ConfigError: There are several topics and none is named.
        TransientError: The store can't be read now.
        NothingThereError: There is nothing to replay.
    """
    entries = list(archive.objects(topic=topic))
    lost = missing_objects(archive, {entry.name for entry in entries}, topic=topic)
    topics = sorted({entry.parsed.topic for entry in entries} | {about.topic for about in lost})
    if not topics:
        what = f"topic {topic}" if topic else "anything to replay"
        raise NothingThereError(f"{archive.url} does not have {what}", hint="streamsink archive ls lists what it has")
    if len(topics) > 1:
        named = ", ".join(topics[:10])
        problem = Problem("--topic", f"the archive has {len(topics)} topics: {named}{', ...' if topics[10:] else ''}")
        raise ConfigError([problem], hint="name the one to replay")
    found = _candidates(archive, entries, {} if known is None else known)
    return topics[0], [*found, *(_gone(archive, about) for about in lost)]


def _gone(archive: Archive, about: ObjectDescription) -> Candidate:
    path, size_bytes = archive.path(about.name), about.size_bytes or 0
    first = about.first_offset
    return Candidate(about.name, path, size_bytes, about.partition, about.lane, first, about, missing=True)


def _candidates(archive: Archive, entries: list[ArchivedObject], known: Known) -> Iterator[Candidate]:
    own = archive.manifest() or any(True for _ in archive.store.list(f"{OWN_FOLDER}/"))
    beside: dict[tuple[str, str], str] = {}
    data: list[ArchivedObject] = []
    for entry in entries:
        mark = next((mark for mark in SIBLINGS if entry.parsed.extension.startswith(mark)), None)
        if mark is None:
            data.append(entry)
        else:
            beside[_stem(entry), SIBLINGS[mark]] = entry.name
    with ThreadPoolExecutor(DESCRIBERS, thread_name_prefix="describe") as pool:
        for entry, candidate in pool.map(lambda entry: _candidate(archive, entry, known, own=bool(own)), data):
            if candidate is not None:
                if not candidate.problem:
                    known[entry.name, entry.size_bytes] = candidate
                stem = _stem(entry)
                yield replace(candidate, keys=beside.get((stem, "keys"), ""), headers=beside.get((stem, "headers"), ""))


def _stem(entry: ArchivedObject) -> str:
    return entry.name.removesuffix(entry.parsed.extension)


def _candidate(
    archive: Archive, entry: ArchivedObject, known: Known, *, own: bool
) -> tuple[ArchivedObject, Candidate | None]:
    parsed = entry.parsed
    if (entry.name, entry.size_bytes) in known:
        return entry, known[entry.name, entry.size_bytes]
    bare = Candidate(
        entry.name, entry.path, entry.size_bytes, parsed.partition, parsed.encoded_partition, parsed.start_offset
    )
    try:
        about = archive.describe(entry)
    except ObjectMissingError:
        return entry, None
    except TerminalError as error:
        foreign = entry.recorded is None and _is_foreign(archive, entry, own=own)
        return entry, bare if foreign else replace(bare, problem=error.message)
    return entry, replace(bare, about=about)


def _is_foreign(archive: Archive, entry: ArchivedObject, *, own: bool) -> bool:
    """Whether another program wrote an object: it can be read, and has neither entries nor `_kafka` of ours."""
    name = entry.name
    if name.endswith((".parquet", ".avro")):
        try:
            return not open_object(name, archive.store.get(name)).footer()
        except TerminalError:
            return False
    # Lines and bare values say nothing of themselves; beside an archive of ours they may have lost their sidecar.
    return not own
