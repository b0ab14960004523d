"""The shell around the sink's machine: polls, carries out effects, reports. Decides nothing the machine decides."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from streamsink.config.sink import SinkConfig
from streamsink.consume.protocol import CommittedOffset, SliceConsumer
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.observe.orders import FlushDone, TaskOrders
from streamsink.observe.points import Point, reached
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.record import BadRecord, RawSlice, TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.dead_letters import DeadLetters
from streamsink.sink.files import TaskFiles
from streamsink.sink.lanes import LaneSorter, cut_slice
from streamsink.sink.machine import SinkMachine
from streamsink.sink.tally import Tally
from streamsink.sink.topic_guard import TopicGuard
from streamsink.sink.uploads import ManifestWritten, Outcome, StoredObject, Uploads
from streamsink.upload.description import ObjectDescription

POLL_S = 0.1
"""How long a poll may wait for records: also how long an ended upload may wait to be noticed."""
REPORT_S = 1.0
BROKER_BACKOFF_S = 1.0
REGISTRY_BACKOFF_S = 1.0
DEAD_LETTER_FLUSH_S = 30.0

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
        dead_letters: Where bad records go, or None.
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
        dead_letters: DeadLetters | None,
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
        self._dead_letters = dead_letters
        self._consumer: SliceConsumer | None = None
        self._told: deque[on.Event] = deque()
        self._manifest_due: dict[TopicPartition, list[ObjectDescription]] = {}
        self._registry_away_since_s: float | None = None
        self._in_rebalance = False
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
        broker_away_since_s: float | None = None
        while self._ended is None:
            if stop.is_set() and not self._stopping:
                self._order_stop()
            try:
                slices, ends = self.consumer.poll(timeout_s=self._poll_timeout_s())
                broker_away_since_s = None
                if slices or ends or self.machine.partitions:
                    self.tally.broker_trouble = ""
            except TransientError as error:
                now_s = time.monotonic()
                broker_away_since_s = broker_away_since_s or now_s
                self._broker_away(error, now_s - broker_away_since_s)
                slices, ends = [], []
            self._drain_told()
            set_back = self._take_slices(slices)
            self._flush()
            for end in ends:
                if end.topic_partition in set_back:
                    continue
                self._tell(on.ReachedEnd(end.topic_partition, end.next_offset))
            self._take_outcomes(self._uploads.outcomes())
            self._tick()
            if time.monotonic() >= report_at_s:
                report_at_s = time.monotonic() + REPORT_S
                report(self.tally.snapshot(self.machine, self.consumer))
                self._look_for_topics_made_anew()

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

    def _broker_away(self, error: TransientError, seconds: float) -> None:
        if not self.tally.broker_trouble:
            self.tally.failed("broker")
            log.warning("nothing can be read, trying again", error=error.message, hint=error.hint)
        self.tally.broker_trouble = str(error)
        if seconds > self.config.upload_retry_timeout_ms / 1000:
            raise error
        time.sleep(BROKER_BACKOFF_S)

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
        self._in_rebalance = True
        try:
            self._commit_again(leaving)
            self._tell(on.Revoked(leaving, time.time() + self.config.drain_timeout_ms / 1000))
            while self._ended is None and any(partition in self.machine.partitions for partition in leaving):
                self._take_outcomes(self._uploads.outcomes(wait_s=POLL_S))
                self._drain_told()
                self._tick()
        finally:
            self._in_rebalance = False

    def _commit_again(self, leaving: Iterable[TopicPartition]) -> None:
        """Commits in flight are told by `poll`, which can't be called in here: do them once more and wait."""
        for partition in leaving:
            state = self.machine.partitions.get(partition)
            if state is not None and state.committing is not None:
                events: deque[on.Event] = deque()
                self._send_commit(do.Commit(partition, *state.committing), events)
                for event in events:
                    self._tell(event)

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Called inside `poll`: these are another member's."""
        if self._ended is None:
            self._told.append(on.Lost(tuple(partitions)))
            self._drain_told()

    def close(self) -> None:
        """Let go of the upload threads, and of where dead letters go."""
        self._uploads.close()
        if self._dead_letters is not None:
            self._dead_letters.close()

    def _take_slices(self, slices: Sequence[RawSlice]) -> set[TopicPartition]:
        """Take slices in; gives the partitions that are to be read again from where a slice could not be taken."""
        set_back: set[TopicPartition] = set()
        for raw in slices:
            if raw.topic_partition in set_back:
                continue
            try:
                self._take(raw)
            except UndecodedError as error:
                set_back.add(raw.topic_partition)
                self._registry_away(error)
        if set_back:
            time.sleep(REGISTRY_BACKOFF_S)
        elif slices:
            self._registry_away_since_s = None
            self.tally.registry_trouble = ""
        return set_back

    def _registry_away(self, error: TransientError) -> None:
        now_s = time.monotonic()
        if self._registry_away_since_s is None:
            self._registry_away_since_s = now_s
            self.tally.failed("registry")
            log.warning("records can't be decoded now, trying again", error=error.message, hint=error.hint)
        self.tally.registry_trouble = str(error)
        limit_ms = self.config.errors.retry_timeout_ms or self.config.upload_retry_timeout_ms
        if 0 <= limit_ms < (now_s - self._registry_away_since_s) * 1000:
            raise error

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
                self._put_aside(bad)
            self.tally.polled(part, bad)
            self._tell(polled)

    def _put_aside(self, bad: Sequence[BadRecord]) -> None:
        """Connect's `errors.log.*` and dead letter topic; record contents are never logged."""
        errors = self.config.errors
        if errors.log:
            for record in bad:
                where = {"topic": record.topic_partition.topic, "partition": record.topic_partition.partition}
                about = {**where, "offset": record.offset, "timestamp_ms": record.timestamp_ms}
                told = about if errors.log_messages else {}
                log.warning("record left out", stage=record.stage, error=record.error, **told)
        if self._dead_letters is not None:
            self._dead_letters.send(bad)

    def _tick(self) -> None:
        deadline = self.machine.next_deadline()
        if deadline is not None and deadline <= time.time():
            self._tell(on.Tick())

    def _drain_told(self) -> None:
        while self._told:
            self._tell(self._told.popleft())

    def _tell(self, event: on.Event) -> None:
        """Tell the machine, carry out what it says, and tell it what that measured."""
        events: deque[on.Event] = deque([event])
        while events:
            self.machine.handle(events.popleft(), now=time.time())
            for effect in self.machine.effects():
                self._carry_out(effect, events)

    def _carry_out(self, effect: do.Effect, events: deque[on.Event]) -> None:  # noqa: C901, PLR0912 - one case an effect
        match effect:
            case do.Open():
                self._files.open(effect)
                reached(Point.FILE_OPENED)
            case do.Append():
                events.append(self._files.append(effect))
                reached(Point.ROWS_APPENDED)
            case do.Flush(file_id):
                measured = self._files.flush(file_id)
                if measured is not None:
                    events.append(measured)
            case do.Close():
                events.append(self._files.close(effect))
                self.tally.closed(effect)
                reached(Point.FILE_CLOSED)
            case do.Upload(file_id):
                self._uploads.upload(file_id, *self._files.finished(file_id))
            case do.Discard(file_id):
                self._files.discard(file_id)
            case do.Commit():
                self._commit(effect, events)
            case do.Seek(partition, offset):
                self.consumer.seek(partition, offset)
            case do.Pause(partitions):
                self.consumer.pause(partitions)
            case do.Resume(partitions):
                self.consumer.resume(partitions)
            case do.Released(partition, clean):
                self._manifest_due.pop(partition, None)
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
                    partition = TopicPartition(description.topic, description.partition)
                    self._manifest_due.setdefault(partition, []).append(description)
                    self.tally.stored(outcome)
                    reached(Point.UPLOAD_REPORTED if isinstance(met, on.Uploaded) else Point.ADOPTED)
                    self._tell(met)
                case ManifestWritten(commit, entries, error):
                    if error is not None:
                        self._manifest_due.setdefault(commit.topic_partition, []).extend(entries)
                        self.tally.failed("manifest")
                        log.warning("manifest not written, will try with the next commit", error=str(error))
                    events: deque[on.Event] = deque()
                    self._send_commit(commit, events)
                    for event in events:
                        self._tell(event)
                case on.UploadFailed():
                    self.tally.upload_failed()
                    self._tell(outcome)

    def _commit(self, commit: do.Commit, events: deque[on.Event]) -> None:
        """Manifest first, on the pool, then the commit."""
        self.tally.commit_begins(commit.topic_partition)
        entries = self._manifest_due.pop(commit.topic_partition, [])
        if entries:
            self._uploads.write_manifest(commit, entries)
        else:
            self._send_commit(commit, events)

    def _send_commit(self, commit: do.Commit, events: deque[on.Event]) -> None:
        state = self.machine.partitions.get(commit.topic_partition)
        if state is None or state.committing != (commit.offset, commit.metadata):
            return
        if self._dead_letters is not None:
            self._dead_letters.flush(DEAD_LETTER_FLUSH_S)
        offsets = {commit.topic_partition: CommittedOffset(commit.offset, commit.metadata)}
        reached(Point.BEFORE_COMMIT)
        if not self._in_rebalance:
            try:
                self.consumer.commit(offsets, done=self._committed)
            except TransientError as error:
                events.append(on.CommitFailed(commit.topic_partition, error))
            reached(Point.COMMIT_SENT)
            return
        try:
            self.consumer.commit(offsets, done=None)
            self.tally.committed(commit.topic_partition)
            events.append(on.Committed(commit.topic_partition, commit.offset, commit.metadata))
        except TransientError as error:
            events.append(on.CommitFailed(commit.topic_partition, error))
        except TerminalError as error:
            events.append(on.CommitFailed(commit.topic_partition, error, fenced=True))

    def _committed(self, offsets: Mapping[TopicPartition, CommittedOffset], error: Exception | None) -> None:
        """Called inside `poll`: the machine hears of it right after."""
        reached(Point.COMMIT_REPORTED)
        for partition, at in offsets.items():
            if error is None:
                self.tally.committed(partition)
                self._told.append(on.Committed(partition, at.offset or 0, at.metadata))
            else:
                self.tally.failed("commit")
                self._told.append(on.CommitFailed(partition, error, fenced=isinstance(error, TerminalError)))
