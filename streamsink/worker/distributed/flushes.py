"""Carries a flush over all workers: one record asks, each worker with tasks answers by a record. Bounded."""

from __future__ import annotations

import threading
import uuid

import structlog

from streamsink.errors import RebalanceError, RequestTimeoutError, StreamsinkError
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.slots import FlushAsked, Flushed, flush_record, flushed_record
from streamsink.worker.flush import await_flushes
from streamsink.worker.herder import ORDER_S
from streamsink.worker.lifecycle import ConnectorLifecycle

FLUSHES_MAX = 16
"""More flushes than this at once are refused."""

FLUSH_S = ORDER_S - 10.0

_log = structlog.get_logger(__name__)


class ClusterFlushes:
    """`ask` from any thread; the loop hands in what it reads."""

    def __init__(self, bulletin: Bulletin, worker_id: str) -> None:
        self._bulletin = bulletin
        self._worker_id = worker_id
        self._answers: dict[str, dict[str, str]] = {}
        self._answered = threading.Condition()
        self._running = threading.BoundedSemaphore(FLUSHES_MAX)

    def ask(self, connector: str, workers: set[str]) -> None:
        """Have workers flush their tasks of a connector, and wait for that.

        Args:
            connector: The connector's name.
            workers: The ids of the workers that run tasks of it.

        Raises:
            RebalanceError: One of them could not, for tasks are changing hands.
            RequestTimeoutError: It takes longer.
        """
        nonce = uuid.uuid4().hex
        with self._answered:
            if len(self._answers) >= FLUSHES_MAX:
                raise RebalanceError("too many flushes at once", hint="try again")
            answers = self._answers[nonce] = {}
        log = self._bulletin.slots_log
        try:
            log.put(*flush_record(connector, nonce, self._worker_id))
            with self._answered:
                complete = self._answered.wait_for(lambda: workers <= set(answers), FLUSH_S)
        finally:
            with self._answered:
                del self._answers[nonce]
            log.post(*flush_record(connector, nonce, None))
            for worker in answers:
                log.post(*flushed_record(worker, nonce, None))
        if problems := sorted(problem for problem in answers.values() if problem):
            raise RebalanceError(problems[0], hint="try again")
        if not complete:
            raise RequestTimeoutError(
                f"Request timed out. Connector {connector} has not stored and committed everything within "
                f"{FLUSH_S:.0f} s",
                hint="it goes on; its status says what it waits for",
            )

    def asked(self, order: FlushAsked, lifecycle: ConnectorLifecycle) -> None:
        """Flush this worker's tasks, and answer by a record once that is done. Returns at once.

        Args:
            order: The record that asks.
            lifecycle: The connector's tasks here.
        """
        tasks = [task for task in lifecycle.tasks if not task.ended]
        if not tasks:
            return
        answers = [task.flush() for task in tasks]
        if not self._running.acquire(blocking=False):
            self._answer(order.nonce, "too many flushes at once")
            return

        def wait() -> None:
            problem = ""
            try:
                await_flushes(order.connector, answers, timeout_s=FLUSH_S - 5.0)
            except StreamsinkError as error:
                problem = error.message
            finally:
                self._running.release()
            try:
                self._answer(order.nonce, problem)
            except StreamsinkError as error:
                _log.warning("a flush is not answered", connector=order.connector, reason=str(error))

        threading.Thread(target=wait, name=f"flush-{order.connector}", daemon=True).start()

    def answered(self, answer: Flushed) -> None:
        """Note what a worker says."""
        with self._answered:
            if answer.nonce in self._answers:
                self._answers[answer.nonce][answer.worker_id] = answer.problem
                self._answered.notify_all()

    def _answer(self, nonce: str, problem: str) -> None:
        self._bulletin.slots_log.post(*flushed_record(self._worker_id, nonce, problem))
