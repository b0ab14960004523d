"""What becomes of bad records: the protocol of where they go, and Connect's headers. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamsink.record import BadRecord

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

    def close(self) -> None:
        """Each."""
        for place in self._places:
            place.close()


def context(record: BadRecord, *, connector: str, task_id: int) -> list[Header]:
    """Connect's headers (DeadLetterQueueReporter): what went wrong, and where."""
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
