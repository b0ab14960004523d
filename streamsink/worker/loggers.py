"""Sets levels of loggers, in Connect's words, here and in tasks' processes. Logs nothing itself."""

from __future__ import annotations

import logging
import threading
import time

from streamsink.errors import NotFoundError
from streamsink.worker.status import LoggerLevel

ROOT = "root"
LOGGERS_MAX = 1000

LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 10,
}
_ALSO = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def level_name(text: str) -> str:
    """A level in Connect's word for it.

    Raises:
        NotFoundError: There is no such level: what Connect answers, too.
    """
    name = text.strip().upper()
    name = _ALSO.get(name, name)
    if name not in LEVELS:
        raise NotFoundError(f"Invalid log level '{text}'")
    return name


def apply_level(logger: str, level: str) -> None:
    """Log from a level on, in this process.

    Args:
        logger: The logger's name. Loggers below it follow; `root` stands for all.
        level: A key of `LEVELS`.
    """
    logging.getLogger(None if logger == ROOT else logger).setLevel(LEVELS[level])


class LogLevels:
    """The levels that were set since the worker's start. Any thread may ask and set."""

    def __init__(self) -> None:
        self._set: dict[str, LoggerLevel] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[str, LoggerLevel]:
        """The levels that were set, and the root's."""
        root = logging.getLogger().level
        name = next((name for name, number in LEVELS.items() if number >= root), "OFF")
        return {ROOT: LoggerLevel(name), **self._set}

    def told(self) -> dict[str, str]:
        """The levels that a new process must be told."""
        return {logger: at.level for logger, at in self._set.items()}

    def set(self, logger: str, level: str) -> list[str]:
        """Set a level here. Loggers below it that had a level follow it.

        Args:
            logger: The logger's name; `root` stands for all.
            level: A level of Connect's, such as `DEBUG`, in any case.

        Returns:
            The loggers that were set, sorted.

        Raises:
            NotFoundError: There is no such level, or too many loggers were set.
        """
        name = level_name(level)
        with self._lock:
            below = [other for other in self._set if other.startswith(f"{logger}.") or logger == ROOT != other]
            if logger not in self._set and len(self._set) >= LOGGERS_MAX:
                raise NotFoundError(f"more than {LOGGERS_MAX} loggers were set")
            names = [logger, *below]
            now_ms = int(time.time() * 1000)
            self._set = {**self._set, **dict.fromkeys(names, LoggerLevel(name, now_ms))}
        for each in names:
            apply_level(each, name)
        return sorted(names)
