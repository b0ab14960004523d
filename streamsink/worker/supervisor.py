"""Keeps one task running in its process: starts, watches, restarts, drains, kills. Runs nothing of it here."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import count

import structlog

from streamsink import __version__
from streamsink.backoff import Backoff
from streamsink.errors import RebalanceError
from streamsink.observe.health import REPORT_AGE_MAX_S
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import FlushDone
from streamsink.worker.child import FlushOrder, LevelOrder, Order, TaskEnd, TaskSpec, describe_end
from streamsink.worker.process import REAP_S, TaskProcess
from streamsink.worker.status import State, TaskStatus

_log = structlog.get_logger(__name__)

RESTART = Backoff(first_s=1.0, max_s=60.0)
"""Between two starts of a task's process.

The row has no end: a broker that is away for a day is no reason to give a task up. The worker's stop ends it, and so
does a changed configuration.
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """The times that a task may take.

    Past `silence_s` Kafka has evicted a member that does not poll; so do we. A process that reported for `healthy_s`
    has recovered: its next end counts as the first.
    """

    drain_s: float = 30.0
    exit_s: float = 5.0
    silence_s: float = 300.0
    wait_s: float = 0.5
    healthy_s: float = 60.0


class TaskSupervisor:
    """One task, from `start` to `close`. A changed configuration is a new supervisor, once this one has ended.

    `levels` tells, at each start of a process, which loggers' level was set.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        worker_id: str,
        patience: Patience | None = None,
        backoff: Backoff = RESTART,
        levels: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.spec = spec
        self._patience = patience or Patience()
        self._backoff = backoff
        self._log = _log.bind(connector=spec.connector, task=spec.task_id)
        self._status = TaskStatus(spec.connector, spec.task_id, State.UNASSIGNED, worker_id, __version__)
        self._reported_at: float | None = None
        self._closing = threading.Event()
        self._process: TaskProcess | None = None
        self._handover = threading.Lock()
        self._levels = levels
        self._flushing: dict[int, Future[bool]] = {}
        self._flush_ids = count(1)
        self._thread = threading.Thread(target=self._supervise, name=f"supervise-{spec}", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether no process of this task is left and none will be started."""
        return not self._thread.is_alive()

    @property
    def close_s_max(self) -> float:
        """The seconds that the end may take which `close` asks for: to drain, or be killed, and be reaped."""
        return self._patience.drain_s + self._patience.exit_s + 2 * REAP_S

    @property
    def closing(self) -> bool:
        """Whether it was asked to end."""
        return self._closing.is_set()

    @property
    def pid(self) -> int | None:
        """The process that runs the task now."""
        process = self._process
        return process.pid if process else None

    def start(self) -> None:
        """Start the task's process and watch it; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Ask the task to drain and end; returns at once. It is killed when it takes longer than the patience has."""
        with self._handover:
            self._closing.set()
            if self._process:
                self._process.order(Order.STOP)

    def order_level(self, logger: str, level: str) -> None:
        """Have the task's process log from a level on. Returns at once.

        Args:
            logger: The logger's name. Loggers below it follow; `root` stands for all.
            level: A key of `LEVELS`.
        """
        with self._handover:
            if self._process:
                self._process.order(LevelOrder(logger, level))

    def flush(self) -> Future[bool]:
        """Ask the task to store and commit all it has read; whether it could, or a RebalanceError if it ends before."""
        answer: Future[bool] = Future()
        with self._handover:
            if self._process is None or self._status.state is not State.RUNNING:
                answer.set_exception(_not_running(self.spec, self._status.state))
                return answer
            flush_id = next(self._flush_ids)
            self._flushing[flush_id] = answer
            self._process.order(FlushOrder(flush_id))
        return answer

    def join(self, timeout_s: float) -> bool:
        """Wait for the end that `close` asked for; False when it has not come in time."""
        self._thread.join(timeout_s)
        return self.ended

    def status(self) -> TaskStatus:
        """How the task is doing now."""
        status, reported_at = self._status, self._reported_at
        if reported_at is None:
            return status
        age_s = time.monotonic() - reported_at
        if status.state is State.RUNNING and age_s > REPORT_AGE_MAX_S:
            silent = f"the task's process has not reported for {age_s:.0f} s"
            status = replace(status, state=State.UNASSIGNED, trace=silent)
        return replace(status, report_age_s=age_s)

    def _supervise(self) -> None:
        try:
            self._keep_running()
        except Exception as error:  # noqa: BLE001 (one task must not take the worker along)
            self._log.exception("task can't be supervised")
            self._become(State.FAILED, trace=describe_end(error).trace)

    def _keep_running(self) -> None:
        attempt = 0
        while not self._closing.is_set():
            end, healthy_s = self._run_once()
            if self._closing.is_set():
                break
            if end.error_class and not end.transient:
                self._log.error("task failed", error=end.error_class, reason=end.message, hint=end.hint)
                self._become(State.FAILED, trace=end.trace)
                return
            attempt = 1 if healthy_s >= self._patience.healthy_s else attempt + 1
            delay_s = self._backoff.delay_s(attempt, jitter=random.random())  # noqa: S311 - spreads restarts
            self._become(State.RESTARTING, trace=end.trace, restarts_total=self._status.restarts_total + 1)
            self._log.warning(
                "task ended, starts again",
                reason=end.message,
                hint=end.hint,
                attempt=attempt,
                delay_s=round(delay_s, 1),
            )
            self._closing.wait(delay_s)
        self._become(State.STOPPED)

    def _become(self, state: State, *, trace: str = "", restarts_total: int | None = None) -> None:
        total = self._status.restarts_total if restarts_total is None else restarts_total
        self._reported_at = None
        self._status = replace(self._status, state=state, trace=trace, retrying="", snapshot=None, restarts_total=total)

    def _run_once(self) -> tuple[TaskEnd, float]:
        """Run one process to its end: how it ended, and for how long it reported."""
        try:
            process = TaskProcess(self.spec)
        except (OSError, EOFError) as error:
            message = f"the task's process can't be started: {error}"
            return TaskEnd("OSError", message, "free memory or processes on this machine", message, transient=True), 0.0
        with self._handover:
            self._process = process
            for logger, level in self._levels().items():
                process.order(LevelOrder(logger, level))
            if self._closing.is_set():
                process.order(Order.STOP)
        self._log.info("task process started", pid=process.pid)
        watch = _Watch(self, process, self._patience, self._closing)
        end = watch.until_end()
        with self._handover:
            self._process = None
            unanswered, self._flushing = self._flushing, {}
        for answer in unanswered.values():
            answer.set_exception(_not_running(self.spec, State.RESTARTING))
        code = process.reap()
        if end is None:
            end = _unexplained(code, watch.killed_because)
        elif not end.error_class and not self._closing.is_set():
            message = "the task ended though nobody asked it to"
            end = replace(end, message=message, trace=message)
        return end, watch.reported_s

    def _flushed(self, done: FlushDone) -> None:
        with self._handover:
            answer = self._flushing.pop(done.flush_id, None)
        if answer is not None:
            answer.set_result(done.complete)

    def _reported(self, snapshot: TaskSnapshot) -> None:
        if self._status.state is not State.RUNNING:
            self._log.info("task reports")
        self._reported_at = time.monotonic()
        self._status = replace(
            self._status, state=State.RUNNING, trace="", retrying=snapshot.retrying, snapshot=snapshot
        )


class _Watch:
    """Reads what one process tells, and enforces the patience."""

    def __init__(
        self, task: TaskSupervisor, process: TaskProcess, patience: Patience, closing: threading.Event
    ) -> None:
        self._task = task
        self._process = process
        self._patience = patience
        self._closing = closing
        self._heard_at = time.monotonic()
        self._first_report_at: float | None = None
        self._closing_at: float | None = None
        self._end: TaskEnd | None = None
        self.killed_because = ""

    @property
    def reported_s(self) -> float:
        """The seconds for which the process has been reporting."""
        return 0.0 if self._first_report_at is None else self._heard_at - self._first_report_at

    def until_end(self) -> TaskEnd | None:
        """Wait for the process's end, and give its last message; None where it went without a word."""
        while self._hear():
            self._enforce(time.monotonic())
        return self._end

    def _hear(self) -> bool:
        try:
            if not self._process.connection.poll(self._patience.wait_s):
                return True
            message = self._process.connection.recv()
        except (EOFError, OSError):
            return False
        self._heard_at = time.monotonic()
        match message:
            case TaskSnapshot():
                if self._first_report_at is None:
                    self._first_report_at = self._heard_at
                self._task._reported(message)  # noqa: SLF001 (the watch is a part of the supervisor)
            case FlushDone():
                self._task._flushed(message)  # noqa: SLF001 (the same)
            case TaskEnd():
                self._end = message
        return True

    def _enforce(self, now: float) -> None:
        if self.killed_because:
            return
        if self._closing_at is None and self._closing.is_set():
            self._closing_at = now
        if self._closing_at is not None and now - self._closing_at > self._patience.drain_s:
            self._kill(f"it did not drain within {self._patience.drain_s:.0f} s")
        elif self._end is not None and now - self._heard_at > self._patience.exit_s:
            self._kill(f"its process stayed for {self._patience.exit_s:.0f} s after its end")
        elif self._closing_at is None and now - self._heard_at > self._patience.silence_s:
            self._kill(f"it did not report for {self._patience.silence_s:.0f} s")

    def _kill(self, reason: str) -> None:
        self.killed_because = reason
        _log.error(
            "task killed",
            connector=self._task.spec.connector,
            task=self._task.spec.task_id,
            reason=reason,
            hint="what it had not stored is read again; raise drain.timeout.ms if storing takes longer",
        )
        self._process.kill()


def _not_running(spec: TaskSpec, state: State) -> RebalanceError:
    return RebalanceError(
        f"Task {spec} is {state}, so nothing was flushed", hint="what it had not stored is read again once it runs"
    )


def _unexplained(code: int | None, killed_because: str) -> TaskEnd:
    """Words for a process that ended without any."""
    if killed_because:
        message, hint = f"the task was killed: {killed_because}", ""
    elif code is None or code >= 0:
        message = f"the task's process ended with exit status {'unknown' if code is None else code} before it said why"
        hint = "its last log lines may tell"
    else:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        message = f"the task's process was ended by {name}"
        hint = "the system may be out of memory: see memory.bytes.max" if name == "SIGKILL" else ""
    trace = f"{message} ({hint})" if hint else message
    return TaskEnd("ProcessEnded", message, hint, trace, transient=True)
