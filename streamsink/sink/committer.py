"""Carries out a task's commits: dead letters and manifest first, then offsets. The machine decides which and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from streamsink.clock import Clock
from streamsink.consume.protocol import CommittedOffset, Failure, Offsets, Refusals, SliceConsumer
from streamsink.errors import StreamsinkError, TransientError
from streamsink.observe.points import Point, reached
from streamsink.record import TopicPartition
from streamsink.sink.bad_records import FLUSH_S, BadRecords
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.retries import Dependency
from streamsink.sink.tally import Tally
from streamsink.sink.uploads import ManifestWritten, Uploads
from streamsink.upload.description import ObjectDescription

COMMIT_TIMEOUT_S = 10.0
"""How long one waiting commit may take at most, so that a drain has time for another."""

log = structlog.get_logger("streamsink.sink")


class Committer:
    """Carries out the machine's commits, each on its way from manifest to group.

    Commits that are due together are sent together. While partitions leave (`waiting`) they are waited for, since no
    answer can come inside a rebalance callback; else the answer comes with a later poll.

    Args:
        consumer: Takes the commits.
        machine: Asked whether a commit is still meant.
        uploads: Writes manifests.
        bad_records: Are safe before a commit passes them.
        tally: Is told.
        clock: Tells the time.
        tell: Takes the machine's events.
    """

    def __init__(
        self,
        consumer: SliceConsumer,
        *,
        machine: SinkMachine,
        uploads: Uploads,
        bad_records: BadRecords,
        tally: Tally,
        clock: Clock,
        tell: Callable[[on.Event], None],
    ) -> None:
        self._consumer = consumer
        self._machine = machine
        self._uploads = uploads
        self._bad_records = bad_records
        self._tally = tally
        self._clock = clock
        self._tell = tell
        self._manifest_due: dict[TopicPartition, list[ObjectDescription]] = {}
        self._ready: dict[TopicPartition, do.Commit] = {}
        self._after: dict[TopicPartition, do.Commit] = {}
        self._leaving: frozenset[TopicPartition] = frozenset()
        self._wait_until_s: float | None = None

    @property
    def ready(self) -> bool:
        """Whether there is something to `send`."""
        return bool(self._ready)

    def stored(self, description: ObjectDescription) -> None:
        """Keep an object's description, which goes into the manifest with its partition's next commit."""
        partition = TopicPartition(description.topic, description.partition)
        self._manifest_due.setdefault(partition, []).append(description)

    def order(self, commit: do.Commit) -> None:
        """Write the manifest on the pool, then commit."""
        self._tally.commit_begins(commit.topic_partition)
        entries = self._manifest_due.pop(commit.topic_partition, [])
        if entries:
            self._uploads.write_manifest(commit, entries)
        else:
            self._is_ready(commit)

    def _is_ready(self, commit: do.Commit) -> None:
        """Send it next. While others leave, a partition that stays waits until they have."""
        stays = self._wait_until_s is not None and commit.topic_partition not in self._leaving
        (self._after if stays else self._ready)[commit.topic_partition] = commit

    def manifest_written(self, written: ManifestWritten) -> None:
        """Let a commit go out, also where its manifest could not be written: the data tell it as well."""
        if written.error is not None:
            self._manifest_due.setdefault(written.commit.topic_partition, []).extend(written.entries)
            self._tally.failed("manifest")
            log.warning("manifest not written, will try with the next commit", error=str(written.error))
        self._is_ready(written.commit)

    def released(self, partition: TopicPartition) -> None:
        """Forget a partition's objects: the next member writes their entries, or a listing finds them."""
        self._manifest_due.pop(partition, None)

    @contextmanager
    def waiting(self, leaving: Sequence[TopicPartition], until_s: float) -> Iterator[None]:
        """While this context is open, commits of leaving partitions are waited for.

        A leaving partition's commit that is on its way is sent once more: its own answer can't come in time. A commit
        that is ready and has no time left is dropped: its partition is let go of.

        Args:
            leaving: The partitions.
            until_s: When all waiting ends, monotonic time in seconds.
        """
        self._wait_until_s, self._leaving = until_s, frozenset(leaving)
        ready, self._ready = self._ready, {}
        for commit in ready.values():
            self._is_ready(commit)
        try:
            for partition in leaving:
                state = self._machine.partitions.get(partition)
                if state is not None and state.commits.committing is not None:
                    self._ready[partition] = do.Commit(partition, *state.commits.committing)
            yield
        finally:
            self._wait_until_s, self._leaving = None, frozenset()
            self._ready, self._after = {**self._after, **self._ready}, {}

    def send(self) -> None:
        """Send the ready commits in one request; a commit that the machine has dropped is left out."""
        ready, self._ready = self._ready, {}
        offsets = {
            partition: CommittedOffset(commit.offset, commit.metadata)
            for partition, commit in ready.items()
            if self._meant(commit)
        }
        left_s = self._left_s()
        if not offsets or left_s <= 0 or not self._dead_letters_are_safe(offsets, left_s):
            return
        reached(Point.BEFORE_COMMIT)
        if self._wait_until_s is None:
            self._consumer.commit(offsets, done=self._answered)
            reached(Point.COMMIT_SENT)
            return
        timeout_s = min(COMMIT_TIMEOUT_S, self._left_s())
        if timeout_s > 0:
            self._told(offsets, self._consumer.commit_and_wait(offsets, timeout_s=timeout_s))

    def _meant(self, commit: do.Commit) -> bool:
        state = self._machine.partitions.get(commit.topic_partition)
        return state is not None and state.commits.committing == (commit.offset, commit.metadata)

    def _left_s(self) -> float:
        """How long sending may take."""
        return FLUSH_S if self._wait_until_s is None else self._wait_until_s - self._clock.monotonic_s()

    def _dead_letters_are_safe(self, offsets: Offsets, timeout_s: float) -> bool:
        """Whether these may be committed; where not, the machine hears that their commits have failed."""
        try:
            self._bad_records.flush(min(FLUSH_S, timeout_s))
        except StreamsinkError as error:
            self._tally.failed("dead_letters")
            refusal = on.Refusal.RETRY if isinstance(error, TransientError) else on.Refusal.TERMINAL
            for partition, at in offsets.items():
                self._tell(
                    on.CommitFailed(
                        partition, at.offset or 0, at.metadata, error, refusal, dependency=Dependency.DEAD_LETTERS
                    )
                )
            return False
        return True

    def _answered(self, offsets: Offsets, refused: Refusals) -> None:
        """Called inside the consumer's `poll`: the machine hears of it right after."""
        reached(Point.COMMIT_REPORTED)
        self._told(offsets, refused)

    def _told(self, offsets: Offsets, refused: Refusals) -> None:
        for partition, at in offsets.items():
            refusal = refused.get(partition)
            if refusal is None:
                self._tally.committed(partition, at.offset or 0)
                self._tell(on.Committed(partition, at.offset or 0, at.metadata))
            else:
                self._tally.failed("commit")
                follows = what_follows(refusal.failure)
                self._tell(on.CommitFailed(partition, at.offset or 0, at.metadata, refusal.error, follows))


def what_follows(failure: Failure) -> on.Refusal:
    """Decide what a refused commit means for the task. A missing topic may come back, or is revoked in a moment."""
    if failure is Failure.FENCED:
        return on.Refusal.FENCED
    if failure.may_pass or failure is Failure.MISSING:
        return on.Refusal.RETRY
    return on.Refusal.TERMINAL
