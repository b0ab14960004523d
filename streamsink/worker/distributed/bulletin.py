"""Follows the config, status and slots topics, so that all workers know the same. Decides nothing."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import deque

import structlog

from streamsink.backoff import Backoff
from streamsink.errors import ConfigError, RequestTimeoutError, StreamsinkError, TerminalError
from streamsink.observe.vital import VitalThread
from streamsink.worker.distributed.config_topic import ConfigTable
from streamsink.worker.distributed.log import KafkaLog
from streamsink.worker.distributed.records import LoggerSet, RestartAsked, read_record, read_value
from streamsink.worker.distributed.settings import DistributedSettings
from streamsink.worker.distributed.slots import Request, SlotsTable
from streamsink.worker.distributed.status_topic import StatusTable
from streamsink.worker.distributed.topics import ensure_topics

STOP_S = 15.0
RETRY = Backoff(first_s=1.0, max_s=15.0)
NOTICES_MAX = 10_000

_log = structlog.get_logger(__name__)


class TopicsReset(str):
    """The name of a connector of which a topic was forgotten."""

    __slots__ = ()


Notice = RestartAsked | LoggerSet | Request | TopicsReset
"""What was asked of all workers since this one has read everything."""


class Bulletin:
    """Tables that grow by themselves from `start` on; notices wait until somebody takes them."""

    def __init__(self, settings: DistributedSettings) -> None:
        self.configs = ConfigTable()
        self.statuses = StatusTable()
        self.slots = SlotsTable()
        self.slot_count = 0
        self.problem = "the worker has not read its topics yet"
        self.fatal: StreamsinkError | None = None
        self._settings = settings
        self._notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self._logs: tuple[KafkaLog, KafkaLog, KafkaLog] | None = None
        self._complete = False
        self._unreadable: set[str] = set()
        self._stop = threading.Event()
        self._thread = VitalThread(self._connect, name="bulletin")

    @property
    def complete(self) -> bool:
        """Whether every topic has been read to its end once."""
        if not self._complete and self._logs is not None and all(log.complete for log in self._logs):
            self._complete, self.problem = True, ""
        return self._complete

    @property
    def config_log(self) -> KafkaLog:
        """The config topic."""
        return self._ready()[0]

    @property
    def status_log(self) -> KafkaLog:
        """The status topic."""
        return self._ready()[1]

    @property
    def slots_log(self) -> KafkaLog:
        """Partition 0 of the slots topic."""
        return self._ready()[2]

    @property
    def dead(self) -> list[str]:
        """Why a thread of it has died, one text for each."""
        return [text for text in (self._thread.problem, *(log.died for log in self._logs or ())) if text]

    def start(self) -> None:
        """Make the topics where they are missing, and read them; goes on trying until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading, after what was posted has gone out; takes `STOP_S` at most, for all topics together."""
        until_s = time.monotonic() + STOP_S
        self._stop.set()
        self._thread.join(STOP_S)
        for log in self._logs or ():
            log.stop(until_s=until_s)

    def notices(self) -> list[Notice]:
        """Take the requests that have come since the last call."""
        found = []
        while self._notices:
            found.append(self._notices.popleft())
        return found

    def _ready(self) -> tuple[KafkaLog, KafkaLog, KafkaLog]:
        if self._logs is None or not self.complete:
            raise RequestTimeoutError(f"Request timed out. {self.problem}", hint="try again")
        return self._logs

    def _connect(self) -> None:
        settings = self._settings
        for attempt in itertools.count(1):
            if self._stop.is_set():
                return
            try:
                counts = ensure_topics([settings.config, settings.status, settings.slots], settings.client)
                self.slot_count = counts[settings.slots.name]
                self._follow(counts[settings.status.name])
            except (ConfigError, TerminalError) as error:
                self.problem, self.fatal = str(error), error
                return
            except StreamsinkError as error:
                if self.problem != str(error):
                    _log.warning("the worker's topics can't be read yet", reason=error.message, hint=error.hint)
                self.problem = str(error)
                self._stop.wait(RETRY.delay_s(attempt, jitter=random.random()))  # noqa: S311 - spreads workers
            else:
                return

    def _follow(self, status_partitions: int) -> None:
        settings = self._settings
        logs = (
            KafkaLog(settings.config.name, range(1), settings.client, self._configured),
            KafkaLog(settings.status.name, range(status_partitions), settings.client, self._told),
            KafkaLog(settings.slots.name, range(1), settings.client, self._slotted, write_to=0),
        )
        for log in logs:
            log.start()
        self._logs = logs

    def _configured(self, key: bytes | None, value: bytes | None) -> None:
        self.configs.unreadable_total += value is not None and read_value(value) is None
        self._note_unreadable(self._settings.config.name, self.configs.unreadable_total)
        change = read_record(key, value)
        match change:
            case None:
                return
            case RestartAsked() | LoggerSet():
                self._notice(change)
            case _:
                self.configs.apply(change)

    def _told(self, key: bytes | None, value: bytes | None) -> None:
        reset = self.statuses.apply(key, value)
        self._note_unreadable(self._settings.status.name, self.statuses.unreadable_total)
        if reset is not None:
            self._notice(TopicsReset(reset))

    def _slotted(self, key: bytes | None, value: bytes | None) -> None:
        request = self.slots.apply(key, value, time.monotonic())
        self._note_unreadable(self._settings.slots.name, self.slots.unreadable_total)
        if request is not None:
            self._notice(request)

    def _note_unreadable(self, topic: str, total: int) -> None:
        """Say once that somebody else writes to a topic of the workers'."""
        if total and topic not in self._unreadable:
            self._unreadable.add(topic)
            _log.warning(
                "a record is none of the workers' and is skipped, as others like it will be",
                topic=topic,
                hint="who else writes to this topic?",
            )

    def _notice(self, notice: Notice) -> None:
        """Keep it if it is news: what was asked before this worker came is not for it."""
        if self._complete:
            self._notices.append(notice)
