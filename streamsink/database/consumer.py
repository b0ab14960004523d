"""The sink task's consumer over an open snapshot: a thread reads ahead, the task's own thread polls.

Theory of operation. Each table is a topic partition of the snapshot's number, and all are assigned with the first poll,
without a commit: no place keeps positions, and the machine looks for what is stored before it takes anything. There are
stages: the begin record, the rows, the end record. Each begins once all that came before it is committed, which is to
say stored. A thread reads a stage's feeds one after the other into a bounded queue, so that memory is too. `seek` has
another thread begin: with the feed from that offset on, and the feeds that are not at their end.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from streamsink.consume.protocol import (
    CommittedOffset,
    Done,
    Offsets,
    PolledEnd,
    ReadProgress,
    RebalanceListener,
    Refusals,
)
from streamsink.database.feed import Feed
from streamsink.database.reader import FeedReader, Item
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition

WAIT_S = 0.2
POLLED_BYTES_MAX = 8 * 1024 * 1024
"""One poll gives one slice, and others while all together are no larger."""


class SnapshotConsumer:
    """Implements `SliceConsumer` over feeds.

    Args:
        partitions: All that there are.
        stages: Each makes its feeds, in the order to read them; called once. A feed takes the place of the one that an
            earlier stage had for its partition, and begins with the same records.
        told_all: Called when all of a stage has been given to the task: it should be stored.
        finished: Called once all of the last stage is committed.
        rate: Rows a second at most; None for as many as go.
    """

    def __init__(
        self,
        partitions: Iterable[TopicPartition],
        stages: Sequence[Callable[[], Sequence[Feed]]],
        *,
        told_all: Callable[[], None] = lambda: None,
        finished: Callable[[], None] = lambda: None,
        rate: float | None = None,
    ) -> None:
        self._stages = list(stages)
        self._feeds: dict[TopicPartition, Feed] = {}
        self._told_all = told_all
        self._finished = finished
        self._rate = rate
        self._listener: RebalanceListener | None = None
        self._next = dict.fromkeys(partitions, 0)
        self._ends: dict[TopicPartition, int] = {}
        self._owed: set[TopicPartition] = set()
        self._committed: dict[TopicPartition, int] = {}
        self._answers: list[tuple[Offsets, Done]] = []
        self._held: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._waiting: deque[Item] = deque()
        self._reader: FeedReader | None = None
        self._begun = self._closed = self._all_told = False
        self.rows_given = 0
        """Rows of all feeds that were given so far. A row that was given again counts again."""

    def listened_to_by(self, listener: RebalanceListener) -> SnapshotConsumer:
        """This consumer, once it tells `listener` of partitions."""
        self._listener = listener
        return self

    def committed(self, partition: TopicPartition) -> int | None:
        """The offset up to which a partition is stored and committed."""
        return self._committed.get(partition)

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """See `SliceConsumer.poll`. An error of reading is raised once; the next poll begins to read again."""
        if not self._begun:
            self._begin()
        answers, self._answers = self._answers, []
        while answers:
            offsets, done = answers.pop(0)
            try:
                done(offsets, {})
            except BaseException:
                self._answers = answers + self._answers
                raise
        if self._stages and not self._reading and self._all_committed:
            self._begin_stage()
        slices = self._slices(time.monotonic() + timeout_s)
        ends = [PolledEnd(name, self._next[name]) for name in sorted(self._owed - self._paused) if self._at_end(name)]
        self._owed -= {end.topic_partition for end in ends}
        if not self._all_told and not self._reading:
            self._all_told = True
            self._told_all()
        return slices, ends

    def _begin(self) -> None:
        self._begun = True
        self._held = set(self._next)
        self._listening.assigned(dict.fromkeys(self._next, CommittedOffset(None)))

    @property
    def _listening(self) -> RebalanceListener:
        assert self._listener is not None, "the task listens before it polls"
        return self._listener

    @property
    def _reading(self) -> bool:
        return any(self._next[name] != self._ends.get(name) for name in self._feeds)

    def _at_end(self, name: TopicPartition) -> bool:
        return self._next[name] == self._ends.get(name)

    def _begin_stage(self) -> None:
        self._stop_reading()
        for feed in self._stages.pop(0)():
            self._feeds[feed.partition] = feed
            self._ends.pop(feed.partition, None)
        self._all_told = False

    def _slices(self, deadline_s: float) -> list[RawSlice]:
        slices: list[RawSlice] = []
        size_bytes = 0
        while size_bytes < POLLED_BYTES_MAX:
            item = self._item(0.0 if slices else max(0.0, deadline_s - time.monotonic()))
            if item is None:
                break
            if isinstance(item, RawSlice):
                slices.append(item)
                size_bytes += item.value_bytes
                self._next[item.topic_partition] = item.next_offset
                self._owed.add(item.topic_partition)
                self.rows_given += item.rows.num_rows
            elif isinstance(item, TopicPartition):
                self._ends[item] = self._next[item]
                self._owed.add(item)
            elif slices:
                self._waiting.appendleft(item)
                break
            else:
                self._stop_reading()
                raise item
        return slices

    def _item(self, wait_s: float) -> Item | None:
        """The next item that was read; None where nothing is there in time, or its partition rests."""
        if not self._reading:
            time.sleep(min(wait_s, WAIT_S))
            return None
        if self._reader is None and not self._read_on():
            time.sleep(min(wait_s, WAIT_S))
            return None
        assert self._reader is not None
        if not self._waiting:
            try:
                item = self._reader.ready.get(block=wait_s > 0, timeout=wait_s or None)
            except queue.Empty:
                return None
            if item is None:
                self._reader = None
                return None
            self._waiting.append(item)
        head = self._waiting[0]
        if isinstance(head, RawSlice) and head.topic_partition in self._paused:
            if self._readable:
                self._stop_reading()  # the others don't rest
            time.sleep(min(wait_s, WAIT_S))
            return None
        return self._waiting.popleft()

    @property
    def _readable(self) -> list[TopicPartition]:
        return [name for name in self._feeds if name not in self._paused and not self._at_end(name)]

    def _read_on(self) -> bool:
        """Begin to read what doesn't rest; whether there is any."""
        feeds = [(self._feeds[name], self._next[name]) for name in self._readable]
        self._reader = FeedReader(feeds, self._rate) if feeds else None
        return bool(feeds)

    def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        self._waiting.clear()
        if reader is not None:
            reader.stop()

    def commit(self, offsets: Offsets, *, done: Done) -> None:
        """See `SliceConsumer.commit`. It is taken at once, and told with the next poll."""
        self._take(offsets)
        self._answers.append((offsets, done))

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:  # noqa: ARG002 - nothing to wait for
        """See `SliceConsumer.commit_and_wait`."""
        self._take(offsets)
        return {}

    def _take(self, offsets: Offsets) -> None:
        for name, at in offsets.items():
            if name in self._held and at.offset is not None:
                self._committed[name] = at.offset
        if not self._stages and not self._reading and self._all_committed:
            self._finished()

    @property
    def _all_committed(self) -> bool:
        return all(self._committed.get(name) == self._next[name] for name in self._feeds)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.pause`."""
        self._paused |= self._held.intersection(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.resume`."""
        again = self._paused.intersection(partitions)
        self._paused -= again
        self._owed |= again

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `SliceConsumer.seek`."""
        if partition not in self._held:
            return
        self._stop_reading()
        self._next[partition] = offset
        if self._ends.get(partition) != offset:
            self._ends.pop(partition, None)
            self._all_told = False
        self._owed.add(partition)

    def rejoin(self) -> None:
        """Never asked for: nothing stalls and nobody is fenced."""
        raise AssertionError("a snapshot has no group")

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        """Nothing is owed by a time: partitions are read one after the other.

        One whose stage hasn't begun is at its end: a flush would wait for its records, and these wait for the flush.
        """
        return {
            name: ReadProgress(
                self._next[name],
                self._ends.get(name),
                at_end=name not in self._feeds or (self._at_end(name) and name not in self._owed),
                paused=name in self._paused,
                silent_s=0.0,
            )
            for name in self._held
        }

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Ends of the feeds that were read to their end."""
        return {name: self._ends[name] for name in partitions if name in self._ends}

    def statistics(self) -> ClientSnapshot | None:
        """There is no Kafka client."""
        return None

    def close(self) -> None:
        """See `SliceConsumer.close`."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._held:
                self._listening.revoked(sorted(self._held))
        finally:
            self._held.clear()
            self._stop_reading()
