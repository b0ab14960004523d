"""Tells who writes an archive's topics, and releases a topic for its next writer. Reads no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamsink.archive.archive import Archive
from streamsink.errors import TerminalError, TransientError
from streamsink.upload.numbered import topics_dirs
from streamsink.upload.owner import KIND, Owner, Owners, utc_text

ATTEMPTS = 10
"""Others who write records of one topic at the same time."""


@dataclass(frozen=True, slots=True)
class TopicOwner:
    """Who owns a topic of a `topics.dir` now, and all its owners from the first to this one."""

    topics_dir: str
    topic: str
    owner: Owner
    history: tuple[Owner, ...]


def topic_owners(archive: Archive) -> list[TopicOwner]:
    """The owners of an archive's topics, by topic.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read, or a record is damaged.
    """
    found: list[TopicOwner] = []
    for topics_dir, owners in _places(archive):
        histories = ((topic, owners.history(topic)) for topic in owners.topics())
        found += [TopicOwner(topics_dir, topic, history[-1], history) for topic, history in histories if history]
    return found


def release_topic(archive: Archive, topic: str, *, now_s: float) -> None:
    """Let the next writer of a topic own it. A topic that is released stays so.

    Args:
        archive: Opened by its `topics.dir`, or by the store's root, which has all of them.
        topic: The topic's name.
        now_s: Unix time in seconds, for the record.

    Raises:
        TransientError: The store can't be reached now, or others write owners of this topic all the time.
        TerminalError: The topic has no owner, or has one in several folders, or the store refuses.
    """
    places = [(topics_dir, owners) for topics_dir, owners in _places(archive) if owners.newest(topic) is not None]
    if not places:
        raise TerminalError(
            f"no group owns topic {topic} in {archive.url}", hint="without --release the command lists all owners"
        )
    if len(places) > 1:
        dirs = ", ".join(topics_dir or "(none)" for topics_dir, _ in places)
        raise TerminalError(f"topic {topic} has owners under {dirs}", hint="name the archive with its topics.dir")
    _, owners = places[0]
    found = owners.newest(topic)
    for _ in range(ATTEMPTS):
        if found is None or found.owner.released:
            return
        found = owners.append(topic, found.number + 1, Owner("", "", utc_text(now_s)))
    raise TransientError(f"others write owners of topic {topic} all the time", hint="stop them, and try again")


def _places(archive: Archive) -> Iterator[tuple[str, Owners]]:
    """Each `topics.dir` of the archive: the one it was opened by, or all where it was opened by the store's root."""
    below = archive.prefix.strip("/")
    dirs = [below] if below else topics_dirs(archive.store, KIND)
    return ((topics_dir, Owners(archive.store, topics_dir)) for topics_dir in dirs)
