"""Sets up logging: JSON lines for machines, colours on a terminal, secrets replaced. Logs nothing itself."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

import orjson
import structlog
from structlog.typing import Processor

LIBRDKAFKA_LOGGER = "streamsink.librdkafka"
LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}

QUIET = {"uvicorn.access": logging.WARNING, "asyncio": logging.WARNING, "urllib3": logging.WARNING}
"""Loggers of libraries that say more than anybody wants to know."""

_REPLACED = ("uvicorn", "uvicorn.error", "uvicorn.access", LIBRDKAFKA_LOGGER)
"""Loggers that may come with their own handlers."""


class Redacts(Protocol):
    """Replaces secrets in an event; `config.secrets.Redactor` is one."""

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any], /) -> MutableMapping[str, Any]:
        """The event without secrets."""
        ...


def configure(level: str = "INFO", redactor: Redacts | None = None, *, stream: TextIO | None = None) -> None:
    """Log from here on: structlog and the standard library alike, one event a line. May be called again.

    Args:
        level: Least severity logged: DEBUG, INFO, WARNING or ERROR.
        redactor: Replaces secrets in every event, tracebacks included.
        stream: Where to, stdout if None; commands that print results there log to stderr.
    """
    target = stream if stream is not None else sys.stdout
    terminal = target.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=_rendering(terminal=terminal, redactor=redactor),
        )
    )
    _install(handler, LEVELS[level.strip().upper()])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _rendering(*, terminal: bool, redactor: Redacts | None) -> list[Processor]:
    """From an event to a line. Tracebacks are text before secrets are replaced, so that none slips through them."""
    chain: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
    ]
    if redactor is not None:
        chain.append(redactor)
    if terminal:
        return [*chain, structlog.dev.ConsoleRenderer(colors=not os.environ.get("NO_COLOR"))]
    return [*chain, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(_to_json)]


def _to_json(event: Any, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError:
        # Lone surrogates, as in names of files that are not UTF-8, and numbers past 64 bits are beyond orjson.
        return json.dumps(event, default=str, skipkeys=True)


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "streamsink", False):
            root.removeHandler(old)
    handler.streamsink = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in _REPLACED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, level))


@contextmanager
def bound(
    *, connector: str | None = None, task: int | None = None, topic: str | None = None, partition: int | None = None
) -> Iterator[None]:
    """Give fields to every event that is logged within the block, by this thread or asyncio task.

    Args:
        connector: Its name. None, here and below, leaves the field out.
        task: The task's number.
        topic: A Kafka topic's name.
        partition: The partition's number.

    Yields:
        Nothing. The fields are gone behind the block.
    """
    fields = {"connector": connector, "task": task, "topic": topic, "partition": partition}
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in fields.items() if value is not None}):
        yield
