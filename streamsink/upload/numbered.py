"""Numbered records beside the data, create-only: `_streamsink/<kind>/<topics.dir>/<topic>/<n>.json`. Reads no content.

The record with the largest number holds. To change it, a writer creates the next number. Of several writers one wins
each number; the others read what the winner wrote and decide anew. So every reader sees one history.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError, TransientError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink"
NUMBER_MAX = 10_000
"""More records of one topic than this are a fault of their writer: nothing may change that often."""

_NUMBER = re.compile(r"([1-9][0-9]{0,8})\.json")
_ROOT = ".root"
"""Stands for an empty `topics.dir`."""


@dataclass(frozen=True, slots=True)
class NumberedRecord:
    """One record: its number, from 1 on, and its bytes."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """The result of an append: `record` has the number, and `ours` says whether it is the offered one."""

    record: NumberedRecord
    ours: bool


class NumberedRecords:
    """The records of one kind in one archive.

    Args:
        store: The archive's.
        kind: The folder's name, for example `columns`.
        topics_dir: What objects' names begin with.
    """

    def __init__(self, store: Store, kind: str, topics_dir: str) -> None:
        self._store = store
        self._folder = f"{FOLDER}/{kind}/{topics_dir.strip('/') or _ROOT}"

    def name(self, topic: str, number: int) -> str:
        """The object's name of one record, relative to the store's root.

        Args:
            topic: The topic's name.
            number: The record's.
        """
        return f"{self._folder}/{topic}/{number}.json"

    def topics(self) -> list[str]:
        """Topics that have records, in order. Lists the kind's folder.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses.
        """
        prefix = f"{self._folder}/"
        names = (info.name.removeprefix(prefix).rpartition("/") for info in self._store.list(prefix))
        return sorted({topic for topic, _, number in names if "/" not in topic and _NUMBER.fullmatch(number)})

    def newest(self, topic: str) -> NumberedRecord | None:
        """The record that holds, or None where a topic has none. Lists the topic's folder once.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or there are more than `NUMBER_MAX` records.
        """
        numbers = self.numbers(topic)
        return self.read(topic, numbers[-1]) if numbers else None

    def numbers(self, topic: str) -> list[int]:
        """List the numbers of a topic's records, in order.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or there are more than `NUMBER_MAX` records.
        """
        prefix = f"{self._folder}/{topic}/"
        found: list[int] = []
        for seen, info in enumerate(self._store.list(prefix), 1):
            if seen > NUMBER_MAX:
                raise TerminalError(
                    f"{prefix} holds more than {NUMBER_MAX} objects",
                    hint="give the connector another topics.dir, or find out what writes there",
                )
            if matched := _NUMBER.fullmatch(info.name.removeprefix(prefix)):
                found.append(int(matched[1]))
        return sorted(found)

    def read(self, topic: str, number: int) -> NumberedRecord:
        """Read one record.

        Args:
            topic: The topic's name.
            number: The record's, which was listed.

        Raises:
            TransientError: The store doesn't answer, or a record that was listed is gone.
            TerminalError: The store refuses.
        """
        name = self.name(topic, number)
        try:
            return NumberedRecord(number, self._store.get(name))
        except ObjectMissingError:
            raise TransientError(f"{name} is not there", hint="does something delete objects?") from None

    def append(self, topic: str, number: int, data: bytes) -> Appended:
        """Create the record of a number, or read the one of a faster writer.

        Args:
            topic: The topic's name.
            number: One more than the newest record's.
            data: The record. Equal bytes of another writer count as ours.

        Raises:
            TransientError: It may or may not have been written; the same call again finds out.
            TerminalError: The store refuses, or `number` is past `NUMBER_MAX`.
        """
        if number > NUMBER_MAX:
            raise TerminalError(
                f"{self.name(topic, number)}: the archive keeps at most {NUMBER_MAX} such records of a topic",
                hint="give the connector another topics.dir",
            )
        try:
            self._store.create(self.name(topic, number), data, {})
        except AlreadyExistsError:
            # S3 answers with a conflict also when two writers met and neither has written: then the read says so.
            return self._looked_at(topic, number, data)
        except TransientError:
            with contextlib.suppress(TransientError):
                return self._looked_at(topic, number, data)
            raise
        return Appended(NumberedRecord(number, data), ours=True)

    def _looked_at(self, topic: str, number: int, data: bytes) -> Appended:
        record = self.read(topic, number)
        return Appended(record, ours=record.data == data)


def topics_dirs(store: Store, kind: str) -> list[str]:
    """List each `topics.dir` that has records of a kind, in order; "" is the store's root.

    Args:
        store: The archive's.
        kind: The folder's name, for example `columns`.

    Raises:
        TransientError: The store doesn't answer.
        TerminalError: The store refuses.
    """
    prefix = f"{FOLDER}/{kind}/"
    names = (info.name.removeprefix(prefix).split("/") for info in store.list(prefix))
    found = {"/".join(parts[:-2]) for parts in names if len(parts) > 2 and _NUMBER.fullmatch(parts[-1])}
    return sorted("" if each == _ROOT else each for each in found)
