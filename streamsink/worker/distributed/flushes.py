"""A flush over all workers: asked by a record, carried out by whoever runs tasks, answered by records. Bounded."""

from __future__ import annotations

import threading
import uuid

from streamsink.errors import RebalanceError, RequestTimeoutError, StreamsinkError
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.slots import FlushAsked, Flushed, flush_record, flushed_record
from streamsink.worker.flush import await_flushes
from streamsink.worker.herder import ORDER_S
from streamsink.worker.lifecycle import ConnectorLifecycle

FLUSHES_MAX = 16
"""More flushes than this at once are refused."""

FLUSH_S = ORDER_S - 10.0


class ClusterFlushes:
    """`ask` from any thread; the loop hands in what it reads."""

    def __init__(self, bulletin: Bulletin, worker_id: str) -> None:
        self._bulletin = bulletin
        self._worker_id = worker_id
        self._answers: dict[str, dict[str, str]] = {}
        self._answered = threading.Condition()
        self._running = threading.BoundedSemaphore(FLUSHES_MAX)

    def ask(self, connector: str, workers: set[str]) -> None:
        """Have these workers flush their tasks of a connector, and wait for that.

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
        """Flush what runs here, and answer once that is done; returns at once."""
        tasks = [task for task in lifecycle.tasks if not task.ended]
        if not tasks:
            return
        answers = [task.flush() for task in tasks]
        if not self._running.acquire(blocking=False):
            self._answer(order.nonce, "too many flushes at once")
            return

        def wait() -> None:
            try:
                await_flushes(order.connector, answers, timeout_s=FLUSH_S - 5.0)
            except StreamsinkError as error:
                self._answer(order.nonce, error.message)
            else:
                self._answer(order.nonce, "")
            finally:
                self._running.release()

        threading.Thread(target=wait, name=f"flush-{order.connector}", daemon=True).start()

    def answered(self, answer: Flushed) -> None:
        """Note what a worker says."""
        with self._answered:
            if answer.nonce in self._answers:
                self._answers[answer.nonce][answer.worker_id] = answer.problem
                self._answered.notify_all()

    def _answer(self, nonce: str, problem: str) -> None:
        self._bulletin.slots_log.post(*flushed_record(self._worker_id, nonce, problem))
