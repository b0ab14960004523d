"""Finds what may be replayed: an archive's objects of one topic, with what each covers. Sends nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from streamsink.archive.archive import OWN_FOLDER, Archive, ArchivedObject
from streamsink.archive.verify import missing_objects
from streamsink.encode.read import open_object, tells_of_itself
from streamsink.errors import ConfigError, NothingThereError, ObjectMissingError, Problem, TerminalError
from streamsink.replay.plan import Candidate
from streamsink.upload.description import ObjectDescription
from streamsink.upload.siblings import kind_of

DESCRIBERS = 8
"""Objects that are asked at once what they cover, where the manifest doesn't know them."""

PEEK_BYTES = 64 * 1024


Known = dict[tuple[str, int], Candidate]
"""Candidates by name and size, for who asks again and again: objects don't change."""


def find_topic(archive: Archive, topic: str, known: Known | None = None) -> tuple[str, list[Candidate]]:
    """Find the topic to replay and its objects.

    Args:
        archive: Where.
        topic: Its name, or "".
        known: What was found before; learns what is found now.

    Returns:
        The topic's name and its objects. With `known` they are in lane order, and objects of the manifest that are gone
        come last.

    Raises:
        ConfigError: There are several topics and none is named.
        TransientError: The store can't be read now.
        NothingThereError: There is nothing to replay.
    """
    entries = list(archive.objects(topic=topic))
    listed = {entry.name for entry in entries}
    if known is not None and any((entry.name, entry.size_bytes) not in known for entry in entries):
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
    found = list(_candidates(archive, entries, {} if known is None else known))
    if known is not None:
        found = in_lane_order(found, listed)
    return topics[0], [*found, *(_gone(archive, about) for about in lost)]


def in_lane_order(found: list[Candidate], listed_first: Container[str]) -> list[Candidate]:
    """Take from two listings of a growing archive, one after the other, the objects that leave no gap in a lane.

    A listing takes time, and not every store lists in order: it may have a lane's new object and lack the one before.
    That one was there when the first listing ended, so that the second has it.

    Args:
        found: What the second listing has.
        listed_first: Names that the first listing has.

    Returns:
        What the first listing has, and of each lane what begins before its last object there.
    """
    lasts: dict[tuple[int, str], int] = {}
    for one in found:
        if one.name in listed_first:
            lane = (one.partition, one.lane)
            lasts[lane] = max(lasts.get(lane, -1), one.start_offset)
    return [
        one for one in found if one.name in listed_first or one.start_offset < lasts.get((one.partition, one.lane), -1)
    ]


def _gone(archive: Archive, about: ObjectDescription) -> Candidate:
    path, size_bytes = archive.path(about.name), about.size_bytes or 0
    first = about.first_offset
    return Candidate(about.name, path, size_bytes, about.partition, about.lane, first, about, missing=True)


def _candidates(archive: Archive, entries: list[ArchivedObject], known: Known) -> Iterator[Candidate]:
    own = archive.manifest().files or any(True for _ in archive.store.list(f"{OWN_FOLDER}/"))
    with ThreadPoolExecutor(DESCRIBERS, thread_name_prefix="describe") as pool:
        for entry, candidate in pool.map(lambda entry: _candidate(archive, entry, known, own=bool(own)), entries):
            if candidate is None:
                continue
            if not candidate.problem:
                known[entry.name, entry.size_bytes] = candidate
            # What we wrote has keys and headers in its sidecar, byte for byte.
            beside = {} if candidate.about is not None else entry.siblings
            yield replace(candidate, keys=beside.get("keys", ""), headers=beside.get("headers", ""))


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
        if foreign and kind_of(parsed.extension):
            # Keys of another program's tombstones, which has stored nothing of where they stood.
            return entry, None
        return entry, bare if foreign else replace(bare, problem=error.message)
    return entry, replace(bare, about=about, lane=about.lane or bare.lane)


def _is_foreign(archive: Archive, entry: ArchivedObject, *, own: bool) -> bool:
    """Whether another program wrote an object: it can be read, and has neither entries nor `_kafka` of ours."""
    name = entry.name
    if tells_of_itself(name):
        try:
            return not open_object(name, archive.store.get(name)).footer()
        except TerminalError:
            return False
    # Lines and bare values say nothing of themselves; beside an archive of ours they may have lost their sidecar.
    return not own
