"""Notes who writes a topic: create-only records, `_streamsink/owner/<topics.dir>/<topic>/<n>.json`.

The record with the largest number holds. A record without a group releases the topic: the next writer takes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from streamsink.errors import TerminalError
from streamsink.upload.numbered import NumberedRecord, NumberedRecords
from streamsink.upload.protocol import Store

KIND = "owner"


@dataclass(frozen=True, slots=True)
class Owner:
    """The consumer group that writes a topic, the layout of its objects, and since when (ISO 8601, UTC)."""

    group: str
    layout: str
    since: str

    @property
    def released(self) -> bool:
        """Whether the topic waits for its next writer."""
        return not self.group

    def encode(self) -> bytes:
        """The record's bytes."""
        return json.dumps({"group": self.group, "layout": self.layout, "since": self.since}).encode()


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """An owner, and the number of its record."""

    number: int
    owner: Owner


class Owners:
    """The owners of an archive's topics.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
    """

    def __init__(self, store: Store, topics_dir: str) -> None:
        self._records = NumberedRecords(store, KIND, topics_dir)

    def topics(self) -> list[str]:
        """List the topics that have or had an owner.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses.
        """
        return self._records.topics()

    def newest(self, topic: str) -> OwnerRecord | None:
        """Who owns a topic, or None where nobody ever did. Lists one folder, reads one object.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or the record is damaged.
        """
        found = self._records.newest(topic)
        return None if found is None else self._read(topic, found)

    def history(self, topic: str) -> tuple[Owner, ...]:
        """List all owners that a topic has had, the present one last.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or a record is damaged.
        """
        numbers = self._records.numbers(topic)
        return tuple(self._read(topic, self._records.read(topic, number)).owner for number in numbers)

    def append(self, topic: str, number: int, owner: Owner) -> OwnerRecord:
        """Write the record of a number.

        Args:
            topic: The topic's name.
            number: One more than the newest record's.
            owner: The new owner.

        Returns:
            The record that holds under the number, which may be a faster writer's.

        Raises:
            TransientError: It may or may not have been written; the same call again finds out.
            TerminalError: The store refuses, or the other's record is damaged.
        """
        return self._read(topic, self._records.append(topic, number, owner.encode()).record)

    def _read(self, topic: str, record: NumberedRecord) -> OwnerRecord:
        try:
            told = json.loads(record.data)
            owner = Owner(str(told["group"]), str(told["layout"]), str(told["since"]))
        except (ValueError, KeyError, TypeError) as error:
            raise TerminalError(
                f"{self._records.name(topic, record.number)} is damaged: {error}", hint="restore it from a copy"
            ) from None
        return OwnerRecord(record.number, owner)


def utc_text(wall_s: float) -> str:
    """A wall clock's time as a record has it, to the second."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_another(topic: str, owner: Owner, group: str) -> str:
    """The message about a topic that another group writes.

    Args:
        topic: The topic's name.
        owner: The other group's record.
        group: The group of this connector.
    """
    return f"topic {topic} is archived here by group {owner.group} since {owner.since}, and this one is group {group}"


def how_to_release(store_url: str, topics_dir: str, topic: str) -> str:
    """The hint about a topic that another group writes.

    Args:
        store_url: The URL of the archive's store.
        topics_dir: The folder of all topics in it.
        topic: The topic's name.
    """
    place = "/".join(part for part in (store_url.rstrip("/"), topics_dir.strip("/")) if part)
    return (
        "give this connector another topics.dir or archive.url; or, once the other one is stopped for good: "
        f"streamsink archive owner {place} --release {topic}"
    )
