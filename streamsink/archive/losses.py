"""Losses that somebody accepted: create-only records beside the data, `_streamsink/loss/<topics.dir>/<topic>/<n>.json`.

The manifest knows what is there. What it knew of an object that is gone or damaged moves into such a record, so that
an object that was once stored is never forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from streamsink.archive.archive import OWN_FOLDER, Archive
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.numbered import NumberedRecords

KIND = "loss"
ATTEMPTS = 20
"""Others who record losses of the same topic at the same time."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One object's loss: the manifest's entry, and the SHA-256 of the bytes that are left, empty where none are."""

    name: str
    was: tuple[ObjectDescription, ...] = ()
    sha256: str = ""


@dataclass(slots=True)
class Losses:
    """All accepted losses: names of objects that are gone, and of damaged objects with the hash of their bytes."""

    gone: set[str] = field(default_factory=set)
    damaged: dict[str, str] = field(default_factory=dict)
    was: list[ObjectDescription] = field(default_factory=list)
    """The manifest's entries of the lost objects."""

    def ranges(self, topic: str, partition: int) -> list[tuple[int, int]]:
        """The lost objects' offsets in a partition.

        Args:
            topic: The topic's name.
            partition: The partition's number.

        Returns:
            Pairs of first and last offset, both inclusive, one for each lost object and in no order.
        """
        return [
            (one.first_offset, one.last_offset) for one in self.was if (one.topic, one.partition) == (topic, partition)
        ]


def read_losses(archive: Archive) -> Losses:
    """The losses below an archive's prefix.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read, or a record is damaged.
    """
    found = Losses()
    for info in archive.store.list(f"{OWN_FOLDER}/{KIND}/"):
        try:
            told = orjson.loads(archive.store.get(info.name))["objects"]
            entries = [
                (
                    str(entry["name"]),
                    str(entry.get("sha256", "")),
                    [ObjectDescription.from_json(one) for one in entry["was"]],
                )
                for entry in told
            ]
        except ObjectMissingError:
            continue
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise TerminalError(f"{info.name} is damaged: {error}", hint="restore it from a copy") from None
        for name, sha256, was in entries:
            if not name.startswith(archive.prefix):
                continue
            found.was += was
            if sha256:
                found.damaged[name] = sha256
            else:
                found.gone.add(name)
    return found


def record_losses(archive: Archive, topic: str, losses: Iterable[Loss], *, now_ms: int) -> str:
    """Write a record of a topic's losses, and say under which name.

    Args:
        archive: The archive that held them.
        topic: Whose objects they were.
        losses: At least one.
        now_ms: The time, Unix milliseconds.

    Raises:
        TransientError: It may or may not have been written; doing it again is harmless.
        TerminalError: The store refuses.
    """
    objects: list[dict[str, object]] = [
        {
            "name": loss.name,
            **({"sha256": loss.sha256} if loss.sha256 else {}),
            "was": [one.to_json() for one in loss.was],
        }
        for loss in losses
    ]
    records = NumberedRecords(archive.store, KIND, topics_dir(str(objects[0]["name"]), topic))
    data = orjson.dumps({"at_ms": now_ms, "objects": objects})
    number = (records.numbers(topic) or [0])[-1] + 1
    for _ in range(ATTEMPTS):
        if records.append(topic, number, data).ours:
            return records.name(topic, number)
        number += 1
    raise TerminalError(f"losses of {topic} can't be recorded: others record some all the time", hint="try again later")


def topics_dir(name: str, topic: str) -> str:
    """The folders of an object's name above its topic's folder.

    Args:
        name: The object's, relative to the store's root.
        topic: The object's topic. Where transforms routed its records, no folder has this name: then the first folder
            alone is given.

    Returns:
        Folders joined by `/`; empty where the topic's folder is at the root.
    """
    folders = name.split("/")[:-1]
    at = folders.index(topic) if topic in folders else min(1, len(folders))
    return "/".join(folders[:at])
