"""Decides which topics a consumer reads: by name, or by an expression for whole names. Reads no records."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException

from streamsink.errors import TerminalError, TransientError

REFRESH_S = 15.0
"""How often to look for new topics that the expression matches."""
LIST_TIMEOUT_S = 3.0
KAFKAS_OWN = {"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"}
"""Topics that no expression matches, as in Kafka's own consumer."""

log = logging.getLogger("streamsink.consume")


class Subscription:
    """Topics to subscribe to, and when that changes.

    librdkafka's own expressions are POSIX and match a part of a name. Connect's are Java's and match the whole;
    Python's are close to those, so the matching is done here.

    Args:
        topics: Names, or empty with `regex`.
        regex: A regular expression, or "".

    Raises:
        TerminalError: The expression can't be read.
    """

    def __init__(self, topics: Sequence[str], regex: str) -> None:
        self._wanted = sorted(topics)
        self._regex = regex
        try:
            self._matches = re.compile(regex).fullmatch if regex else None
        except re.error as error:
            raise TerminalError(
                f"topics.regex {regex!r} can't be read: {error}", hint="mend the regular expression"
            ) from error
        self._subscribed: list[str] = []
        self._look_at_s = 0.0

    def forget(self) -> None:
        """Forget the subscription: no topic is subscribed to any more."""
        self._subscribed = []
        self._look_at_s = 0.0

    def change(self, consumer: Consumer) -> list[str]:
        """The topics to subscribe to, or nothing where they haven't changed.

        Raises:
            TransientError: No topic matches yet.
        """
        if self._matches is not None and time.monotonic() >= self._look_at_s:
            self._look(consumer)
        if self._wanted == self._subscribed:
            return []
        self._subscribed = self._wanted
        return self._wanted

    def _look(self, consumer: Consumer) -> None:
        assert self._matches is not None
        try:
            known = consumer.list_topics(timeout=LIST_TIMEOUT_S).topics
        except KafkaException as error:
            # Polling tells of the brokers' faults, and must go on for that.
            log.debug("topics can't be listed now: %s", error)
            self._look_at_s = time.monotonic() + LIST_TIMEOUT_S
            return
        found = sorted(name for name in known if name not in KAFKAS_OWN and self._matches(name))
        if not found and not self._subscribed:
            raise TransientError(
                f"no topic matches topics.regex {self._regex!r}", hint="create one, or correct the expression"
            )
        self._look_at_s = time.monotonic() + REFRESH_S
        self._wanted = found or self._subscribed
