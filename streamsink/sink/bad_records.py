"""Puts records aside that a task leaves out: into the log, and to the dead letters. Judges no record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from streamsink.config.sink import ErrorHandling
from streamsink.record import BadRecord, TopicPartition
from streamsink.sink.dead_letters.protocol import DeadLetters

FLUSH_S = 30.0
"""How long dead letters may take to be safe, before that is said and they are waited for anew."""

log = structlog.get_logger("streamsink.sink")


class BadRecords:
    """A task's bad records, which are logged and sent to dead letters; their contents are never logged.

    Args:
        errors: Says whether bad records are logged.
        dead_letters: Takes bad records; None where they are dropped.
    """

    def __init__(self, errors: ErrorHandling, dead_letters: DeadLetters | None) -> None:
        self._errors = errors
        self._dead_letters = dead_letters

    def put_aside(self, bad: Sequence[BadRecord]) -> None:
        """Log them and send them on; they may wait for `flush`.

        Raises:
            TransientError: Where they go is full, or away.
        """
        if self._errors.log:
            for record in bad:
                where = {"topic": record.topic_partition.topic, "partition": record.topic_partition.partition}
                about = {**where, "offset": record.offset, "timestamp_ms": record.timestamp_ms}
                told = about if self._errors.log_messages else {}
                log.warning("record left out", stage=record.stage, error=record.error, **told)
        if self._dead_letters is not None:
            self._dead_letters.send(bad)

    def flush(self, timeout_s: float) -> None:
        """Return when each is safe: nothing may be committed past them before. Waits no longer than `timeout_s`.

        Raises:
            TransientError: Some aren't.
            TerminalError: They are refused.
        """
        if self._dead_letters is not None:
            self._dead_letters.flush(timeout_s)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions come or go: another member may put the same records aside."""
        if self._dead_letters is not None:
            self._dead_letters.forget(partitions)

    def close(self) -> None:
        """Let go of connections."""
        if self._dead_letters is not None:
            self._dead_letters.close()
