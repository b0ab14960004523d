"""The shell around the sink's machine: polls, carries out effects, reports. Decides nothing the machine decides."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import structlog

from streamsink.clock import SYSTEM_CLOCK, Clock
from streamsink.config.sink import SinkConfig
from streamsink.consume.protocol import CommittedOffset, PolledEnd, RebalanceListener, SliceConsumer
from streamsink.errors import ClientLostError, StreamsinkError, TerminalError, TransientError
from streamsink.observe.points import Point, reached
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import FlushDone, TaskOrders
from streamsink.record import RawSlice, TopicPartition
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.arrivals import Arrivals
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.committer import Committer
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.files import TaskFiles
from streamsink.sink.flush_orders import FlushOrders
from streamsink.sink.intake import Intake
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.outage import Outage
from streamsink.sink.seeks import Seeks
from streamsink.sink.stalls import Stalls
from streamsink.sink.tally import Tally
from streamsink.sink.uploads import ManifestWritten, Outcome, StoredObject, Uploads
from streamsink.sink.waits import POLL_S, Pace

REPORT_S = 1.0
BROKER_BACKOFF_S = 1.0

log = structlog.get_logger("streamsink.sink")

Report = Callable[[TaskSnapshot], None]
Connect = Callable[[RebalanceListener], SliceConsumer]
"""Makes the group member that tells this listener of its partitions."""


class SinkTask:
    """One running sink task. `run` owns the thread it is called on; nothing else touches the machine.

    Args:
        config: The task's configuration.
        connect: Makes the consumer.
        machine: Decides.
        sorter: Decodes and partitions.
        files: Holds and encodes.
        uploads: Stores.
        bad_records: Puts aside records that can't be stored.
        tally: Counts what there is to report.
        guard: Tells which topics may be written.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        config: SinkConfig,
        connect: Connect,
        *,
        machine: SinkMachine,
        sorter: LaneSorter,
        files: TaskFiles,
        uploads: Uploads,
        bad_records: BadRecords,
        tally: Tally,
        guard: ArchiveGuard,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.machine = machine
        self.tally = tally
        self.consumer = connect(self)
        self._config = config
        self._files = files
        self._uploads = uploads
        self._bad_records = bad_records
        self._clock = clock
        self._told: deque[on.Event] = deque()
        self._seeks = Seeks(self.consumer)
        limit_ms = config.upload_retry_timeout_ms
        self._arrivals = Arrivals(guard, tally, clock, limit_ms=limit_ms)
        self._committer = Committer(
            self.consumer,
            machine=machine,
            uploads=uploads,
            bad_records=bad_records,
            tally=tally,
            clock=clock,
            tell=self._told.append,
        )
        self._intake = Intake(
            config,
            consumer=self.consumer,
            machine=machine,
            sorter=sorter,
            bad_records=bad_records,
            tally=tally,
            clock=clock,
            tell=self._tell,
        )
        self._stalls = Stalls(
            self.consumer, machine=machine, tally=tally, clock=clock, timeout_s=config.stall_timeout_ms / 1000
        )
        self._flushes = FlushOrders(self.consumer, clock)
        self._pace = Pace(machine)
        self._broker = Outage("broker", tally, clock, said="nothing can be read, trying again", limit_ms=limit_ms)
        self._stopping = False
        self._ended: do.Stopped | do.Fail | None = None
        self._orders: TaskOrders | None = None
        self._report_at_s = 0.0

    def run(self, stop: threading.Event, report: Report) -> None:
        """Archive until `stop` is set and everything is drained.

        Args:
            stop: Ends the task once it is drained; a `TaskOrders` may ask for flushes as well.
            report: Called with the task's state every `REPORT_S` seconds, and when it has stopped.

        Raises:
            TransientError: A restart may help.
            TerminalError: It may not.
        """
        while self.turn(stop, report):
            pass

    def turn(self, stop: threading.Event, report: Report) -> bool:
        """Poll once and do what follows from it.

        Args:
            stop: As `run` takes it.
            report: As `run` takes it.

        Returns:
            Whether there is more to do.

        Raises:
            TransientError: A restart may help.
            TerminalError: It may not.
        """
        self._orders = stop if isinstance(stop, TaskOrders) else None
        try:
            self._turn(stop, report)
        except StreamsinkError:
            raise
        except BaseException as error:
            # The machine's and the shell's views may differ now: nothing more is stored or committed.
            self._ended = do.Fail(TerminalError(str(error)))
            raise
        if self._ended is None:
            return True
        self._raise_failure()
        reached(Point.DRAINED)
        report(self.tally.snapshot(self.machine, self.consumer))
        return False

    def _turn(self, stop: threading.Event, report: Report) -> None:
        if stop.is_set() and not self._stopping:
            self._order_stop()
        self._seeks.again()
        wait = self._pace.waits(self._clock.monotonic_s())
        slices, ends = self._poll(wait.records_s)
        self._pace.polled(slices)
        self._drain_told()
        self._arrivals.admit(self.consumer, self._tell)
        first = bool(slices) and not self.tally.records_total
        set_back = self._intake.take(slices)
        self._flush()
        for end in ends:
            if end.topic_partition not in set_back:
                self._tell(on.ReachedEnd(end.topic_partition, end.next_offset))
        self._take_outcomes(self._uploads.outcomes(wait_s=wait.upload_s))
        self._tick()
        if first or self._clock.monotonic_s() >= self._report_at_s:
            self._report_at_s = self._clock.monotonic_s() + REPORT_S
            # A clock that was set forward makes a scheduled close due that no deadline tells of.
            self._tell(on.Tick())
            self._stalls.look({*self._arrivals.waiting, *self.machine.looking}, self._seeks.seek)
            report(self.tally.snapshot(self.machine, self.consumer))
            self._arrivals.look_again(self.machine.partitions)

    def _poll(self, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        try:
            slices, ends = self.consumer.poll(timeout_s=timeout_s)
        except ClientLostError:
            raise
        except TransientError as error:
            self._broker.met(error)
            self._clock.wait(BROKER_BACKOFF_S)
            return [], []
        if slices or ends or self.machine.partitions:
            self._broker.over()
        else:
            self._broker.answered()
        return slices, ends

    def _flush(self) -> None:
        for flush_id in self._flushes.take(self._orders.flushes() if self._orders is not None else ()):
            self._tell(on.FlushOrdered(flush_id))
        read = self._flushes.waiting and self.tally.assigned and not self._arrivals.waiting and not self.machine.looking
        for flush_id in self._flushes.due(assigned=read, stopping=self._stopping):
            self._tell(on.Flush(flush_id))

    def _order_stop(self) -> None:
        self._stopping = True
        reached(Point.STOPPING)
        self._tell(on.Stop(self._clock.monotonic_s() + self._config.drain_timeout_ms / 1000))

    def _raise_failure(self) -> None:
        match self._ended:
            case do.Fail(error):
                raise error
            case do.Stopped(clean=False):
                log.warning(
                    "stopped before everything was stored",
                    hint="what is missing will be read and stored again at the next start",
                )
            case _:
                log.info("stopped with everything stored and committed")

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Take new partitions over, inside `poll`: the machine hears of them once their topics are known."""
        self.tally.assigned = True
        self._bad_records.forget(committed)
        self._arrivals.assigned(committed, self.consumer)
        reached(Point.ASSIGNED)

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Give partitions back, inside `poll` or `close`: stores and commits their records until the time is up."""
        leaving = tuple(partitions)
        self._arrivals.gone(leaving)
        if self._ended is None:
            self._drain(leaving)
        self._bad_records.forget(leaving)

    def _drain(self, leaving: tuple[TopicPartition, ...]) -> None:
        until_s = self._clock.monotonic_s() + self._config.revoke_timeout_ms / 1000
        with self._committer.waiting(leaving, until_s):
            self._drain_told()
            self._tell(on.Revoked(leaving, until_s))
            while self._ended is None and any(partition in self.machine.partitions for partition in leaving):
                left_s = max(0.0, until_s - self._clock.monotonic_s())
                self._take_outcomes(self._uploads.outcomes(wait_s=min(POLL_S, left_s)))
                self._tick()

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget partitions that are another member's already; called inside `poll`."""
        leaving = tuple(partitions)
        self._arrivals.gone(leaving)
        self._bad_records.forget(leaving)
        if self._ended is None:
            self._tell(on.Lost(leaving))

    def close(self) -> None:
        """Leave the group, storing and committing what is held; let go of threads, of dead letters, of traces."""
        try:
            self.consumer.close()
        finally:
            self._uploads.close()
            self._bad_records.close()
            self.tally.close()

    def _tick(self) -> None:
        deadline = self.machine.next_deadline()
        if deadline is not None and deadline <= self._clock.monotonic_s():
            self._tell(on.Tick())

    def _tell(self, event: on.Event) -> None:
        self._told.append(event)
        self._drain_told()

    def _drain_told(self) -> None:
        """Tell the machine the waiting events, carry out its effects, and tell it their measures."""
        while self._told or self._committer.ready:
            if not self._told:
                self._committer.send()
                continue
            event = self._told.popleft()
            self.machine.handle(event, now=self._clock.monotonic_s(), wall_s=self._clock.wall_s())
            for effect in self.machine.effects():
                self._carry_out(effect)

    def _carry_out(self, effect: do.Effect) -> None:  # noqa: C901, PLR0912 - one case an effect
        match effect:
            case do.Open():
                self._files.open(effect)
                self.tally.opened(effect.file_id)
                reached(Point.FILE_OPENED)
            case do.Append():
                self._told.append(self._files.append(effect))
                reached(Point.ROWS_APPENDED)
            case do.EncodeEarly(file_id):
                measured = self._files.flush(file_id)
                if measured is not None:
                    self._told.append(measured)
            case do.Close():
                self._told.append(self._files.close(effect))
                self.tally.closed(effect)
                reached(Point.FILE_CLOSED)
            case do.Look():
                self._uploads.look(effect)
            case do.Upload(file_id):
                self._uploads.upload(file_id, *self._files.finished(file_id))
            case do.Discard(file_id):
                self._files.discard(file_id)
                self.tally.discarded(file_id)
            case do.Commit():
                self._committer.order(effect)
            case do.Seek(partition, offset):
                self._seeks.seek(partition, offset)
            case do.Pause(partitions):
                self.consumer.pause(partitions)
            case do.Resume(partitions):
                self.consumer.resume(partitions)
            case do.Rejoin():
                self.consumer.rejoin()
            case do.Released(partition, clean):
                self._committer.released(partition)
                self._seeks.forget(partition)
                log.info("partition released", topic=partition.topic, partition=partition.partition, clean=clean)
            case do.Flushed(flush_id, complete):
                if self._orders is not None:
                    self._orders.answer(FlushDone(flush_id, complete))
            case do.Stopped() | do.Fail():
                self._ended = effect
            case _:
                self.tally.noticed(effect)

    def _take_outcomes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case StoredObject(met, description, _):
                    self._committer.stored(description)
                    self.tally.stored(outcome)
                    reached(Point.UPLOAD_REPORTED if isinstance(met, on.Uploaded) else Point.ADOPTED)
                    self._told.append(met)
                case ManifestWritten():
                    self._committer.manifest_written(outcome)
                case on.UploadFailed():
                    self.tally.upload_failed()
                    self._told.append(outcome)
                case on.Looked() | on.LookFailed():
                    self._told.append(outcome)
        self._drain_told()
