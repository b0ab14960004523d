"""The shell around the sink's machine: polls, carries out effects, reports. Decides nothing the machine decides."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from streamsink.config.sink import SinkConfig
from streamsink.consume.protocol import CommittedOffset, PolledEnd, SliceConsumer
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.observe.orders import FlushDone, TaskOrders
from streamsink.observe.points import Point, reached
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import RawSlice, TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.commits import Commits
from streamsink.sink.files import TaskFiles
from streamsink.sink.lanes import LaneSorter, cut_slice
from streamsink.sink.machine import SinkMachine
from streamsink.sink.outage import Outage
from streamsink.sink.tally import Tally
from streamsink.sink.topic_guard import TopicGuard
from streamsink.sink.uploads import ManifestWritten, Outcome, StoredObject, Uploads

POLL_S = 0.1
"""How long a poll may wait for records: also how long an ended upload may wait to be noticed."""
REPORT_S = 1.0
BROKER_BACKOFF_S = 1.0
REGISTRY_BACKOFF_S = 1.0

log = structlog.get_logger("streamsink.sink")


class UndecodedError(TransientError):
    """A slice can't be decoded before a Schema Registry answers; the consumer is set back to it."""


class SinkTask:
    """One running sink task. `run` owns the thread it is called on; nothing else touches the machine.

    Args:
        config: The task's configuration.
        machine: Decides.
        sorter: Decodes and partitions.
        files: Holds and encodes.
        uploads: Stores.
        bad_records: Puts aside what can't be stored.
        tally: Counts what there is to report.
        guard: Keeps topics apart that have had one name.
    """

    def __init__(
        self,
        config: SinkConfig,
        *,
        machine: SinkMachine,
        sorter: LaneSorter,
        files: TaskFiles,
        uploads: Uploads,
        bad_records: BadRecords,
        tally: Tally,
        guard: TopicGuard,
    ) -> None:
        self.config = config
        self.machine = machine
        self.tally = tally
        self._guard = guard
        self._sorter = sorter
        self._files = files
        self._uploads = uploads
        self._bad_records = bad_records
        self._consumer: SliceConsumer | None = None
        self._told: deque[on.Event] = deque()
        self._commits = Commits(
            machine=machine, uploads=uploads, bad_records=bad_records, tally=tally, tell=self._told.append
        )
        limit_ms = config.upload_retry_timeout_ms
        self._broker = Outage("broker", tally, said="nothing can be read, trying again", limit_ms=limit_ms)
        self._registry = Outage(
            "registry",
            tally,
            said="records can't be decoded now, trying again",
            limit_ms=limit_ms if config.errors.retry_timeout_ms is None else config.errors.retry_timeout_ms,
            delay_max_ms=config.errors.retry_delay_max_ms,
        )
        self._undecoded: set[TopicPartition] = set()
        self._stopping = False
        self._ended: do.Stopped | do.Fail | None = None
        self._orders: TaskOrders | None = None
        size_bytes = config.rotation.size_bytes
        self._slice_bytes_max = max(1, size_bytes // 4) if size_bytes is not None else 32 * 1024 * 1024

    @property
    def consumer(self) -> SliceConsumer:
        """The group member; set before `run`."""
        assert self._consumer is not None
        return self._consumer

    @consumer.setter
    def consumer(self, consumer: SliceConsumer) -> None:
        self._consumer = consumer
        self._commits.consumer = consumer

    def run(self, stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
        """Archive until `stop` is set and everything is drained.

        Raises:
            TransientError: A restart may help.
            TerminalError: It may not.
        """
        self._orders = stop if isinstance(stop, TaskOrders) else None
        try:
            self._run(stop, report)
        except StreamsinkError:
            raise
        except BaseException as error:
            # The machine's and the shell's views may differ now: nothing more is stored or committed.
            self._ended = do.Fail(TerminalError(str(error)))
            raise
        self._raise_failure()
        reached(Point.DRAINED)
        report(self.tally.snapshot(self.machine, self.consumer))

    def _run(self, stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
        report_at_s = 0.0
        while self._ended is None:
            if stop.is_set() and not self._stopping:
                self._order_stop()
            slices, ends = self._poll()
            self._drain_told()
            set_back = self._take_slices(slices)
            self._flush()
            for end in ends:
                if end.topic_partition not in set_back:
                    self._tell(on.ReachedEnd(end.topic_partition, end.next_offset))
            self._take_outcomes(self._uploads.outcomes())
            self._tick()
            if time.monotonic() >= report_at_s:
                report_at_s = time.monotonic() + REPORT_S
                report(self.tally.snapshot(self.machine, self.consumer))
                self._look_for_topics_made_anew()

    def _poll(self) -> tuple[list[RawSlice], list[PolledEnd]]:
        try:
            slices, ends = self.consumer.poll(timeout_s=self._poll_timeout_s())
        except TransientError as error:
            self._broker.met(error)
            time.sleep(BROKER_BACKOFF_S)
            return [], []
        if slices or ends or self.machine.partitions:
            self._broker.over()
        else:
            self._broker.answered()
        return slices, ends

    def _look_for_topics_made_anew(self) -> None:
        """A topic's records must not be taken for those of its predecessor: nothing more is stored or committed."""
        try:
            self._guard.check_again({partition.topic for partition in self.machine.partitions})
        except TransientError as error:
            log.info("topics' ids are not known now", reason=error.message)
        except TerminalError as error:
            self._ended = do.Fail(error)

    def _flush(self) -> None:
        for flush_id in self._orders.flushes() if self._orders else ():
            self._tell(on.Flush(flush_id))

    def _order_stop(self) -> None:
        self._stopping = True
        reached(Point.STOPPING)
        self._tell(on.Stop(time.time() + self.config.drain_timeout_ms / 1000))

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

    def _poll_timeout_s(self) -> float:
        deadline = self.machine.next_deadline()
        if deadline is None:
            return POLL_S
        return min(POLL_S, max(0.0, deadline - time.time()))

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Called inside `poll`: the machine hears of it right after."""
        self._guard.check({partition.topic for partition in committed})
        self.tally.assigned = True
        for partition, at in committed.items():
            log.info("partition assigned", topic=partition.topic, partition=partition.partition, committed=at.offset)
            self._told.append(on.Assigned(partition, at.offset, at.metadata))
        reached(Point.ASSIGNED)

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """Called inside `poll` or `close`: returns when these are stored and committed, or the time is up."""
        leaving = tuple(partitions)
        if self._ended is not None:
            return
        self._drain_told()
        with self._commits.at_once(leaving):
            self._tell(on.Revoked(leaving, time.time() + self.config.drain_timeout_ms / 1000))
            while self._ended is None and any(partition in self.machine.partitions for partition in leaving):
                self._take_outcomes(self._uploads.outcomes(wait_s=POLL_S))
                self._tick()

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Called inside `poll`: these are another member's."""
        if self._ended is None:
            self._tell(on.Lost(tuple(partitions)))

    def close(self) -> None:
        """Let go of the upload threads, of where dead letters go, and of traces."""
        self._uploads.close()
        self._bad_records.close()
        self.tally.close()

    def _take_slices(self, slices: Sequence[RawSlice]) -> set[TopicPartition]:
        """Take slices in; gives the partitions that are to be read again from where a slice could not be taken."""
        set_back: set[TopicPartition] = set()
        for raw in slices:
            partition = raw.topic_partition
            if partition in set_back:
                continue
            waits = partition in self._undecoded and partition in self.machine.partitions
            if waits and self._registry.wait_s:
                self.consumer.seek(partition, raw.start)
                set_back.add(partition)
                continue
            try:
                self._take(raw)
                self._undecoded.discard(partition)
            except UndecodedError as error:
                set_back.add(partition)
                self._undecoded.add(partition)
                self._registry.met(error)
        self._undecoded.intersection_update(self.machine.partitions)
        if set_back:
            time.sleep(min(REGISTRY_BACKOFF_S, self._registry.wait_s))
        elif slices and not self._undecoded:
            self._registry.over()
        return set_back

    def _take(self, raw: RawSlice) -> None:
        """Decode a slice and tell the machine of it; one that can't be decoded now is left to be read again."""
        reached(Point.POLLED)
        if raw.topic_partition not in self.machine.partitions:
            return
        for part in cut_slice(raw, self._slice_bytes_max):
            try:
                polled, bad = self._sorter.sort(part, now_ms=int(time.time() * 1000))
            except TransientError as error:
                self.consumer.seek(part.topic_partition, part.start)
                raise UndecodedError(error.message, hint=error.hint) from error
            reached(Point.DECODED)
            if bad:
                self._bad_records.put_aside(bad)
            self.tally.polled(part, bad)
            self._tell(polled)

    def _tick(self) -> None:
        deadline = self.machine.next_deadline()
        if deadline is not None and deadline <= time.time():
            self._tell(on.Tick())

    def _tell(self, event: on.Event) -> None:
        self._told.append(event)
        self._drain_told()

    def _drain_told(self) -> None:
        """Tell the machine what waits, carry out what it says, and tell it what that measured."""
        while self._told:
            self.machine.handle(self._told.popleft(), now=time.time())
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
            case do.Flush(file_id):
                measured = self._files.flush(file_id)
                if measured is not None:
                    self._told.append(measured)
            case do.Close():
                self._told.append(self._files.close(effect))
                self.tally.closed(effect)
                reached(Point.FILE_CLOSED)
            case do.Upload(file_id):
                self._uploads.upload(file_id, *self._files.finished(file_id))
            case do.Discard(file_id):
                self._files.discard(file_id)
                self.tally.discarded(file_id)
            case do.Commit():
                self._commits.order(effect)
            case do.Seek(partition, offset):
                self.consumer.seek(partition, offset)
            case do.Pause(partitions):
                self.consumer.pause(partitions)
            case do.Resume(partitions):
                self.consumer.resume(partitions)
            case do.Released(partition, clean):
                self._commits.released(partition)
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
                    self._commits.stored(description)
                    self.tally.stored(outcome)
                    reached(Point.UPLOAD_REPORTED if isinstance(met, on.Uploaded) else Point.ADOPTED)
                    self._tell(met)
                case ManifestWritten():
                    self._commits.manifest_written(outcome)
                    self._drain_told()
                case on.UploadFailed():
                    self.tally.upload_failed()
                    self._tell(outcome)
