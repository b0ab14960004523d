"""Records that a task leaves out: into the log as Connect's `errors.log.*` say, and to where dead letters go."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from streamsink.config.sink import ErrorHandling
from streamsink.record import BadRecord
from streamsink.sink.dead_letters import DeadLetters

FLUSH_S = 30.0

log = structlog.get_logger("streamsink.sink")


class BadRecords:
    """What becomes of a task's bad records; their contents are never logged.

    Args:
        errors: What is to be logged.
        dead_letters: Where they go, or None.
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

    def flush(self) -> None:
        """Return when each is safe: nothing may be committed past them before.

        Raises:
            TransientError: Some aren't.
            TerminalError: They are refused.
        """
        if self._dead_letters is not None:
            self._dead_letters.flush(FLUSH_S)

    def close(self) -> None:
        """Let go of connections."""
        if self._dead_letters is not None:
            self._dead_letters.close()
