"""Asks Kafka for its cluster id, once, when somebody wants to know. Never waits longer than its bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import structlog

from streamsink.errors import StreamsinkError

ASK_S = 5.0
"""How long one question to the brokers may take."""

WAIT_S = 2.0
"""How long a caller waits for the answer; later callers have it."""

RETRY_S = 30.0
"""After a question without an answer, the next one not before this."""

_log = structlog.get_logger(__name__)


class ClusterId:
    """Callable from any thread: the cluster's id, or None while no broker has told it."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = dict(properties)
        self._known: str | None = None
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._ask_next_at = float("-inf")

    def __call__(self) -> str | None:
        """Ask if it is time to, wait a bounded while, and tell what is known."""
        if self._known is not None:
            return self._known
        with self._lock:
            if self._asking is None and time.monotonic() >= self._ask_next_at:
                self._asking = threading.Thread(target=self._ask, name="cluster-id", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(WAIT_S)
        return self._known

    def _ask(self) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 (a worker without REST calls never loads it)
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        from streamsink.consume.clients import make_client  # noqa: PLC0415
        from streamsink.consume.failures import words_of  # noqa: PLC0415

        try:
            # Tasks report a broker that is away; the cluster's id is only nice to have.
            self._known = (
                make_client(AdminClient, {**self._properties, "log_level": "0"}).list_topics(timeout=ASK_S).cluster_id
            )
        except (KafkaException, StreamsinkError) as error:
            _log.info("the Kafka cluster's id is not known yet", reason=words_of(error))
        finally:
            with self._lock:
                self._asking = None
                self._ask_next_at = time.monotonic() + RETRY_S
