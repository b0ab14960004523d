"""Raises librdkafka's complaints about brokers and topics once they last; most pass by themselves. Changes nothing."""

from __future__ import annotations

import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

from streamsink.consume.failures import explain, failure_of
from streamsink.consume.protocol import Failure
from streamsink.errors import TerminalError, TransientError

STILL_AWAY_S = 1.0
"""How long to ask whether a broker is back: librdkafka says when all are gone, not when one has come."""
MISSING_TOPIC_S = 30.0
"""How long a topic may be unknown while others are read before that is said, and how long until it is said again."""
AWAY_S = 5.0
"""How long no broker may answer before `poll` says so; librdkafka reconnects by itself all the while."""


class Trouble:
    """The complaints that last. `note` is called from librdkafka's threads too, the rest from the polling thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terminal: KafkaError | None = None
        self._away: tuple[float, KafkaError] | None = None
        self._missing: dict[str, str] = {}
        self._missing_at_s = 0.0

    def note(self, error: KafkaError) -> None:
        """An error that belongs to no record."""
        with self._lock:
            if isinstance(explain(error, doing=""), TerminalError) and failure_of(error) is not Failure.FENCED:
                self._terminal = error
            elif error.code() == KafkaError._ALL_BROKERS_DOWN and self._away is None:  # noqa: SLF001
                self._away = (time.monotonic(), error)

    def passed(self) -> None:
        """A broker has answered."""
        self._away = None

    def missing(self, topic: str, error: KafkaError, *, reading_others: bool) -> None:
        """Take note of an unknown topic. librdkafka says it once.

        Args:
            topic: The topic's name.
            error: librdkafka's.
            reading_others: Whether other topics are read meanwhile, so that this one may still come.

        Raises:
            TransientError: There is nothing else to read.
        """
        if not self._missing:
            self._missing_at_s = time.monotonic() + MISSING_TOPIC_S
        # That it is unknown has just been said; any other reason is worth its words.
        self._missing[topic] = "" if failure_of(error) is Failure.MISSING else f": {error.str()}"
        if not reading_others:
            raise self._missing_error([topic])

    def raise_what_lasts(self, consumer: Consumer) -> None:
        """Raise the complaint that explains why nothing has come, if one has lasted.

        Raises:
            TransientError: No broker answers, or a topic is still missing.
            TerminalError: The brokers refuse this client.
        """
        with self._lock:
            terminal, self._terminal = self._terminal, None
        if terminal is not None:
            raise explain(terminal, doing="connecting to the broker")
        away = self._away
        if away is not None and time.monotonic() - away[0] > AWAY_S:
            try:
                consumer.list_topics(timeout=STILL_AWAY_S)
            except KafkaException:
                raise explain(away[1], doing="connecting to the broker") from None
            self._away = None
        if self._missing and time.monotonic() >= self._missing_at_s:
            self._look_for_missing(consumer)

    def _look_for_missing(self, consumer: Consumer) -> None:
        self._missing_at_s = time.monotonic() + MISSING_TOPIC_S
        try:
            known = consumer.list_topics(timeout=STILL_AWAY_S).topics
        except KafkaException:
            return
        self._missing = {topic: text for topic, text in self._missing.items() if topic not in known}
        if self._missing:
            raise self._missing_error(sorted(self._missing))

    def _missing_error(self, topics: list[str]) -> TransientError:
        return TransientError(
            f"topic {', '.join(topics)} does not exist{self._missing[topics[0]]}",
            hint="create it, or correct the connector's topics",
        )
