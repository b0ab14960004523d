"""Defines where bad records go, and Connect's headers for them. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from streamsink.record import BadRecord, TopicPartition

PREFIX = "__connect.errors."

Header = tuple[str, str | bytes | None]


class DeadLetters(Protocol):
    """A place for bad records with their original bytes. The task flushes it before it commits past them."""

    def send(self, bad: Sequence[BadRecord]) -> None:
        """Take records; they may wait for `flush`.

        Raises:
            TransientError: The place is full, or away.
        """
        ...

    def flush(self, timeout_s: float) -> None:
        """Return when every record is safe.

        Raises:
            TransientError: Some aren't: nothing may be committed past them.
            TerminalError: The place refuses them.
        """
        ...

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop waiting records of partitions that come or go: they are read again, or another member stores them.

        Args:
            partitions: Those just assigned, revoked or lost.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class AllDeadLetters:
    """Several places at once."""

    def __init__(self, places: Sequence[DeadLetters]) -> None:
        self._places = tuple(places)

    def send(self, bad: Sequence[BadRecord]) -> None:
        """To each."""
        for place in self._places:
            place.send(bad)

    def flush(self, timeout_s: float) -> None:
        """Each."""
        for place in self._places:
            place.flush(timeout_s)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Each."""
        known = tuple(partitions)
        for place in self._places:
            place.forget(known)

    def close(self) -> None:
        """Each."""
        for place in self._places:
            place.close()


def context(record: BadRecord, *, connector: str, task_id: int) -> list[Header]:
    """Make Connect's headers (DeadLetterQueueReporter), which say what went wrong and where.

    Args:
        record: The bad record.
        connector: The connector's name.
        task_id: The task's number.
    """
    values = {
        "topic": record.topic_partition.topic,
        "partition": record.topic_partition.partition,
        "offset": record.offset,
        "connector.name": connector,
        "task.id": task_id,
        "stage": record.stage,
        "class.name": record.executing or record.error_class,
        "exception.class.name": record.error_class,
        "exception.message": record.error,
        "exception.stacktrace": record.error,
    }
    return [(f"{PREFIX}{key}", str(value).encode()) for key, value in values.items()]
