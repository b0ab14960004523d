"""librdkafka's callbacks, as Python hears them. What they raise is kept: in C's frames it would be lost."""

from __future__ import annotations

import ctypes
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

from streamsink.consume.native import library as c
from streamsink.consume.native.partitions import error_of, told_partitions

if TYPE_CHECKING:
    from streamsink.consume.native.client import NativeConsumer

_LEVELS = (*[logging.CRITICAL] * 3, logging.ERROR, logging.WARNING, logging.INFO, logging.INFO, logging.DEBUG)
"""Python's level for each of syslog's."""


class Callbacks:
    """The callbacks of one client. They run in its calls, on the thread that makes them.

    Must live as long as librdkafka's client does, which calls into it.

    Whom it tells, the client knows, and this knows the client weakly: so a client that nobody closed can be collected.

    Args:
        library: librdkafka.
        logger: Gets librdkafka's log.
    """

    def __init__(self, library: c.Library, logger: logging.Logger) -> None:
        self._library = library
        self._logger = logger
        self._consumer: Callable[[], NativeConsumer | None] = lambda: None
        self.changed = False
        """Whether the assignment was changed since the last rebalance began."""
        self.failed: BaseException | None = None
        """What a callback has raised."""
        self._kept_alive = {
            "rebalance": c.REBALANCE_CALLBACK(self._guarded(self._rebalance)),
            "offset_commit": c.COMMIT_CALLBACK(self._guarded(self._commit)),
            "error": c.ERROR_CALLBACK(self._guarded(self._error)),
            "stats": c.STATISTICS_CALLBACK(self._guarded(self._statistics, gives=0)),
            "log": c.LOG_CALLBACK(self._guarded(self._log)),
        }

    def listen(self, consumer: NativeConsumer) -> None:
        """Tell the listeners of a client from here on."""
        self._consumer = weakref.ref(consumer)

    def register(self, conf: int) -> None:
        """Let librdkafka call these.

        Args:
            conf: The configuration of a client to come.
        """
        for name, callback in self._kept_alive.items():
            getattr(self._library, f"conf_set_{name}_cb")(conf, callback)

    def raise_kept(self) -> None:
        """Raise what a callback has raised, if one has."""
        failed, self.failed = self.failed, None
        if failed is not None:
            raise failed

    def _guarded(self, call: Callable[..., None], gives: int | None = None) -> Callable[..., int | None]:
        def guarded(*told: Any) -> int | None:
            try:
                call(*told)
            except BaseException as error:  # noqa: BLE001 - the call of librdkafka's that this runs in raises it
                self.failed = self.failed or error
            return gives

        return guarded

    def _tell(self, name: str, *told: object) -> None:
        consumer = self._consumer()
        listener = None if consumer is None else consumer.listeners.get(name)
        if listener is not None:
            listener(*told)

    def _rebalance(self, client: int, code: int, told: Any, _opaque: object) -> None:
        self.changed = False
        assigned = code == KafkaError._ASSIGN_PARTITIONS  # noqa: SLF001 - librdkafka's own codes have an underscore
        try:
            self._tell(self._heard(client, assigned=assigned), self._consumer(), told_partitions(self._library, told))
        finally:
            if not self.changed:
                self._follow(client, told, assigned=assigned)

    def _heard(self, client: int, *, assigned: bool) -> str:
        if assigned:
            return "on_assign"
        return "on_lost" if self._library.assignment_lost(client) else "on_revoke"

    def _follow(self, client: int, told: Any, *, assigned: bool) -> None:
        """Do as the group says: until somebody does, librdkafka doesn't go on. Its members are all cooperative."""
        change = self._library.incremental_assign if assigned else self._library.incremental_unassign
        error = change(client, told)
        if error:
            raise taken_error(self._library, error)

    def _commit(self, _client: int, code: int, told: Any, _opaque: object) -> None:
        error = error_of(self._library, code) if code else None
        self._tell("on_commit", error, told_partitions(self._library, told))

    def _error(self, client: int, code: int, reason: bytes, _opaque: object) -> None:
        if code == KafkaError._FATAL:  # noqa: SLF001
            text = ctypes.create_string_buffer(c.TEXT_BYTES)
            cause = self._library.fatal_error(client, text, c.TEXT_BYTES)
            raise KafkaException(KafkaError(cause, text.value.decode(errors="replace"), fatal=True))
        self._tell("error_cb", error_of(self._library, code, (reason or b"").decode(errors="replace")))

    def _statistics(self, _client: int, text: int, size: int, _opaque: object) -> None:
        self._tell("stats_cb", ctypes.string_at(text, size).decode())

    def _log(self, client: int, level: int, facility: bytes, text: bytes) -> None:
        said = [part.decode(errors="replace") for part in (facility, self._library.name(client), text)]
        self._logger.log(_LEVELS[min(level, len(_LEVELS) - 1)], "%s [%s] %s", *said)


def taken_error(library: c.Library, error: int) -> KafkaException:
    """The exception for an error object of librdkafka's, which ends with this.

    Args:
        library: librdkafka.
        error: The object.
    """
    try:
        return KafkaException(
            KafkaError(
                library.error_code(error),
                library.error_string(error).decode(errors="replace"),
                fatal=bool(library.error_is_fatal(error)),
                retriable=bool(library.error_is_retriable(error)),
            )
        )
    finally:
        library.error_destroy(error)
