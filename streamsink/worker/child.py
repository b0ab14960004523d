"""Runs one task in its process and reports to the worker. May not outlive its worker.

The worker and the child share one pipe. The child sends `TaskSnapshot`s, answers and, last, one `TaskEnd`; the worker
sends `FlushOrder`s, `LevelOrder`s and `Order.STOP`, or nothing at all and dies: the end of the pipe is an order to stop
as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any

from streamsink.config.reading.connector import parse_sink
from streamsink.config.reading.database import is_database_source, parse_database_source
from streamsink.config.reading.source import parse_source
from streamsink.config.secrets import Redactor, resolve
from streamsink.errors import StreamsinkError, TransientError
from streamsink.observe.log import configure
from streamsink.observe.signals import set_on_signal
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import FlushDone, TaskOrders
from streamsink.worker.loggers import apply_level

SNAPSHOT_INTERVAL_S = 1.0
"""How long the newest snapshot waits to be sent, at most."""

SNAPSHOT_GAP_S = 0.1
"""Snapshots are sent no closer than this; a task that has just read its first records is seen to have."""

ORPHAN_EXIT_S = 7.0
"""A task whose worker is gone has this long to drain: its end is promised within 10 s, and reaping takes a while."""

TRACE_CHARS_MAX = 16_384


class Order(StrEnum):
    """The orders that the worker may give a child."""

    STOP = "stop"


@dataclass(frozen=True, slots=True)
class FlushOrder:
    """Store and commit everything read so far, and answer with a `FlushDone` of this id."""

    flush_id: int


@dataclass(frozen=True, slots=True)
class LevelOrder:
    """Log `logger` from `level` on."""

    logger: str
    level: str


RunTask = Callable[["TaskSpec", threading.Event, Callable[[TaskSnapshot], None]], None]
"""Blocks until the event is set and everything is drained, or raises. Picklable: a function of a module.

The event is a `TaskOrders`: a task that can flush looks there for what it is asked.
"""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task to run: the connector's flat map and the worker's, and what runs it.

    Secrets are references until the task's process resolves them: `run` is handed the resolved maps.
    """

    connector: str
    task_id: int
    config: Mapping[str, str]
    worker: Mapping[str, str]
    run: RunTask
    drain_timeout_ms: int = 30_000

    def __str__(self) -> str:
        """Connect's usual form, `connector-task`."""
        return f"{self.connector}-{self.task_id}"


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """A task's end. `error_class` is empty where it drained and returned."""

    error_class: str = ""
    message: str = ""
    hint: str = ""
    trace: str = ""
    transient: bool = False


class Outbox:
    """The messages that the child has yet to send: answers, the newest snapshot, the end last. Any thread may put."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._snapshot: TaskSnapshot | None = None
        self._answers: deque[FlushDone] = deque()
        self._end: TaskEnd | None = None

    def answer(self, done: FlushDone) -> None:
        """Send this soon; never blocks on the pipe."""
        with self._changed:
            self._answers.append(done)
            self._changed.notify()

    def put(self, snapshot: TaskSnapshot) -> None:
        """Replace the snapshot that waits to be sent; never blocks on the pipe."""
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify()

    def finish(self, end: TaskEnd) -> None:
        """Send a message as the last one."""
        with self._changed:
            self._end = end
            self._changed.notify()

    def send(self) -> None:
        """Send until the end has been sent or the worker is gone; a task that can't tell how it does is ended here."""
        try:
            self._send_all()
        except Exception as error:  # noqa: BLE001 (the task's thread would go on unwatched)
            with contextlib.suppress(OSError):
                self._connection.send(describe_end(error))
            os._exit(1)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._snapshot or self._answers or self._end, timeout=SNAPSHOT_INTERVAL_S
                )
                snapshot, end, self._snapshot = self._snapshot, self._end, None
                answers = list(self._answers)
                self._answers.clear()
            try:
                for answer in answers:
                    self._connection.send(answer)
                if snapshot is not None:
                    self._connection.send(snapshot)
                if end is not None:
                    self._connection.send(end)
                    return
            except OSError:
                return
            if snapshot is not None:
                self._wait_for_more()

    def _wait_for_more(self) -> None:
        """Let some time pass between snapshots, unless there is something else to send."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._answers, timeout=SNAPSHOT_GAP_S)


def describe_end(error: BaseException, redact: Callable[[str], str] = str) -> TaskEnd:
    """Put an exception into words that survive the pipe.

    Args:
        error: What ended the task.
        redact: Takes the secrets out of a text.

    Returns:
        Class, message, hint and trace, and whether another try may help.
    """
    known = error if isinstance(error, StreamsinkError) else None
    name = type(error).__name__
    frames = "".join(traceback.format_tb(error.__traceback__))
    trace = f"{name}: {error}\n{frames}".rstrip()
    return TaskEnd(
        error_class=name,
        message=redact(known.message if known else str(error)),
        hint=redact(known.hint if known else ""),
        trace=redact(trace)[:TRACE_CHARS_MAX],
        transient=isinstance(error, TransientError | MemoryError),
    )


def run_child(connection: Connection, spec: TaskSpec) -> None:
    """Run this process's task to its end. This is the process's target; it returns once the end is told.

    Args:
        connection: This end of the pipe to the worker.
        spec: The task, with secrets as references.
    """
    outbox = Outbox(connection)
    stop = TaskOrders(outbox.answer)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_on_signal(stop, [signal.SIGTERM])
    sender = threading.Thread(target=outbox.send, name="tell-worker", daemon=True)
    sender.start()
    redactor = Redactor()
    configure(spec.worker.get("log.level", "INFO"), _Signature(spec, redactor))
    threading.Thread(target=_obey, args=(connection, stop, outbox), name="obey-worker", daemon=True).start()
    try:
        config, worker = resolve(spec.config), resolve(spec.worker)
        redactor.learn(worker)
        redactor.learn(config)
        spec.run(replace(spec, config=config, worker=worker), stop, outbox.put)
    except BaseException as error:  # noqa: BLE001 (whatever it was, the worker shows it as the task's trace)
        outbox.finish(describe_end(error, redactor.redact))
    else:
        outbox.finish(TaskEnd())
    sender.join(timeout=5)


class _Signature:
    """Puts connector and task into every event of this process, whichever thread logs it, and takes secrets out."""

    def __init__(self, spec: TaskSpec, redactor: Redactor) -> None:
        self._fields = {"connector": spec.connector, "task": spec.task_id}
        self._redactor = redactor

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any], /) -> MutableMapping[str, Any]:
        """The signed event without secrets."""
        for key, value in self._fields.items():
            event.setdefault(key, value)
        return self._redactor(logger, method, event)


def _obey(connection: Connection, orders: TaskOrders, outbox: Outbox) -> None:
    """Carry out the worker's orders, and take its death for one; after that also make sure that the process ends."""
    try:
        while True:
            match connection.recv():
                case FlushOrder(flush_id):
                    orders.flush(flush_id)
                case LevelOrder(logger, level):
                    apply_level(logger, level)
                case Order.STOP:
                    orders.set()
    except (EOFError, OSError):
        orders.set()
    except Exception as error:  # noqa: BLE001 (a task that hears no orders has to end)
        outbox.finish(describe_end(error))
    time.sleep(ORPHAN_EXIT_S)
    os._exit(1)


def run_source(spec: TaskSpec, stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
    """Run a source task: validate, and replay until stopped.

    Args:
        spec: The task, secrets resolved.
        stop: Ends the task in good order.
        report: Told the task's state, for REST and metrics.

    Raises:
        ConfigError: The configuration can't be used.
        TransientError: A store, a database or the brokers can't be reached now.
        TerminalError: One of them refuses.
    """
    if is_database_source(spec.config):
        from streamsink.database.source import run_database_source  # noqa: PLC0415 (an extra's)

        run_database_source(
            parse_database_source(spec.config, spec.worker)[0], task_id=spec.task_id, stop=stop, report=report
        )
        return
    from streamsink.replay.source import run_source_task  # noqa: PLC0415 (heavy; needed in a task's process only)

    config, _warnings = parse_source(spec.config, spec.worker)
    run_source_task(config, task_id=spec.task_id, stop=stop, report=report)


def run_sink(spec: TaskSpec, stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
    """Run a sink task: validate, and go down the path of a record until stopped.

    Args:
        spec: The task, secrets resolved.
        stop: Ends the task in good order.
        report: Told the task's state, for REST and metrics.

    Raises:
        ConfigError: The configuration can't be used.
        TransientError: Store or brokers can't be reached for longer than retries last.
        TerminalError: One of them refuses.
    """
    from streamsink.sink.build import run_sink_task  # noqa: PLC0415 (heavy; needed in a task's process only)

    config, _warnings = parse_sink(spec.config, spec.worker)
    run_sink_task(config, task_id=spec.task_id, stop=stop, report=report)
