"""A task's commits: dead letters and manifest first, then the offset. When, and which, is the machine's to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from streamsink.consume.protocol import CommittedOffset, SliceConsumer
from streamsink.errors import TerminalError, TransientError
from streamsink.observe.points import Point, reached
from streamsink.record import TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.machine import SinkMachine
from streamsink.sink.tally import Tally
from streamsink.sink.uploads import ManifestWritten, Uploads
from streamsink.upload.description import ObjectDescription

log = structlog.get_logger("streamsink.sink")


class Commits:
    """Carries out the machine's commits, each on its way from manifest to group.

    Args:
        machine: Asked whether a commit is still meant.
        uploads: Writes manifests.
        bad_records: Are safe before a commit passes them.
        tally: Is told.
        tell: Takes the machine's events.
    """

    def __init__(
        self,
        *,
        machine: SinkMachine,
        uploads: Uploads,
        bad_records: BadRecords,
        tally: Tally,
        tell: Callable[[on.Event], None],
    ) -> None:
        self._machine = machine
        self._uploads = uploads
        self._bad_records = bad_records
        self._tally = tally
        self._tell = tell
        self._manifest_due: dict[TopicPartition, list[ObjectDescription]] = {}
        self._at_once = False
        self.consumer: SliceConsumer | None = None
        """Takes the commits; set before the first."""

    def stored(self, description: ObjectDescription) -> None:
        """An object of which the manifest is to tell with its partition's next commit."""
        partition = TopicPartition(description.topic, description.partition)
        self._manifest_due.setdefault(partition, []).append(description)

    def order(self, commit: do.Commit) -> None:
        """Manifest first, on the pool, then the commit."""
        self._tally.commit_begins(commit.topic_partition)
        entries = self._manifest_due.pop(commit.topic_partition, [])
        if entries:
            self._uploads.write_manifest(commit, entries)
        else:
            self._send(commit)

    def manifest_written(self, written: ManifestWritten) -> None:
        """The commit goes out, also where the manifest could not be written: that is derived from the data."""
        if written.error is not None:
            self._manifest_due.setdefault(written.commit.topic_partition, []).extend(written.entries)
            self._tally.failed("manifest")
            log.warning("manifest not written, will try with the next commit", error=str(written.error))
        self._send(written.commit)

    def released(self, partition: TopicPartition) -> None:
        """What was due is told by whoever has the partition next, or by a listing."""
        self._manifest_due.pop(partition, None)

    @contextmanager
    def at_once(self, leaving: Iterable[TopicPartition]) -> Iterator[None]:
        """Commits wait for their answer in here, since a callback can't come: what is in flight is sent once more."""
        self._at_once = True
        try:
            for partition in leaving:
                state = self._machine.partitions.get(partition)
                if state is not None and state.commits.committing is not None:
                    self._send(do.Commit(partition, *state.commits.committing))
            yield
        finally:
            self._at_once = False

    def _send(self, commit: do.Commit) -> None:
        state = self._machine.partitions.get(commit.topic_partition)
        if state is None or state.commits.committing != (commit.offset, commit.metadata):
            return
        self._bad_records.flush()
        assert self.consumer is not None
        offsets = {commit.topic_partition: CommittedOffset(commit.offset, commit.metadata)}
        reached(Point.BEFORE_COMMIT)
        if not self._at_once:
            try:
                self.consumer.commit(offsets, done=self._answered)
            except TransientError as error:
                self._tell(on.CommitFailed(commit.topic_partition, error))
            reached(Point.COMMIT_SENT)
            return
        try:
            self.consumer.commit(offsets, done=None)
        except (TransientError, TerminalError) as error:
            self._refused(commit.topic_partition, error)
        else:
            self._taken(commit.topic_partition, offsets[commit.topic_partition])

    def _answered(self, offsets: Mapping[TopicPartition, CommittedOffset], error: Exception | None) -> None:
        """Called inside the consumer's `poll`: the machine hears of it right after."""
        reached(Point.COMMIT_REPORTED)
        for partition, at in offsets.items():
            if error is None:
                self._taken(partition, at)
            else:
                self._refused(partition, error)

    def _taken(self, partition: TopicPartition, at: CommittedOffset) -> None:
        self._tally.committed(partition)
        self._tell(on.Committed(partition, at.offset or 0, at.metadata))

    def _refused(self, partition: TopicPartition, error: Exception) -> None:
        self._tally.failed("commit")
        self._tell(on.CommitFailed(partition, error, fenced=isinstance(error, TerminalError)))
