"""One topic partition in the sink's machine: slices into files, the ledger into commits. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

import numpy as np

from streamsink.batch.file import Lane, OpenFile
from streamsink.batch.rotation import Int64s, Reason, rows_before_cut
from streamsink.commit.ledger import METADATA_BYTES_MAX, CommitMetadata, Ledger
from streamsink.commit.state import Commit, CommitState
from streamsink.config.sink import Rotation, RotationScope
from streamsink.record import TopicPartition
from streamsink.sink import effects as do
from streamsink.sink.events import LaneRun, Polled
from streamsink.sink.lane_state import LaneState, take_over


class PartitionState:
    """Files, ledger and commits of one assigned partition.

    Args:
        topic_partition: Which one.
        rotation: When files close.
        layout: Fingerprint of what decides names and membership.
        emit: Where effects go.
        file_ids: Fresh file ids, shared by the whole machine.
        opened: Called with each new file.
        closed: Called with each file that closes.
    """

    def __init__(
        self,
        topic_partition: TopicPartition,
        rotation: Rotation,
        layout: str,
        *,
        emit: Callable[[do.Effect], None],
        file_ids: Iterator[int],
        opened: Callable[[PartitionState, LaneState, OpenFile], None],
        closed: Callable[[PartitionState, LaneState, OpenFile], None],
    ) -> None:
        self.topic_partition = topic_partition
        self.rotation = rotation
        self.layout = layout
        self.lanes: dict[Lane, LaneState] = {}
        self.ledger: Ledger | None = None
        self.layout_before: str | None = None
        self.commits = CommitState()
        self.release_deadline_s: float | None = None
        self.paused = False
        self._emit = emit
        self._file_ids = file_ids
        self._opened = opened
        self._closed = closed
        self._seek_to: int | None = None
        self._ahead: dict[str, int] = {}
        self._sure_from: int | None = 0
        self._count = 0
        self._base_time_ms = -1

    def assigned(self, offset: int | None, metadata: str) -> None:
        """Go on from what the group has committed, skipping what is stored ahead of it."""
        said = CommitMetadata.decode(metadata)
        if said is not None and said.layout == self.layout:
            self._ahead = dict(said.ahead)
            self.commits.claimed = not said.drained
            self._sure_from = 0 if said.drained else None
        elif said is not None and (said.ahead or not said.drained):
            self.layout_before = said.layout
        if offset is not None:
            self.commits.committed = (offset, metadata)
            self._begin(offset)

    def _begin(self, position: int) -> None:
        self.ledger = Ledger(position)
        for key, last_offset in self._ahead.items():
            self.ledger.stored_ahead(key, last_offset)
        self.commits.urgent = not self.commits.claimed

    def take(self, slice_: Polled, now: float) -> None:
        """Put a slice's rows into files, closing those whose limits they reach."""
        if self.ledger is None:
            self._begin(slice_.start)
        assert self.ledger is not None
        if self._seek_to is not None:
            if slice_.start != self._seek_to:
                return
            self._seek_to = None
        assert slice_.start <= self.ledger.position, "slices follow one another"
        fresh = [(run, start) for run in slice_.runs if (start := self._first_unseen(run)) < len(run.offsets)]
        if self.rotation.scope is RotationScope.FILE:
            for run, start in fresh:
                self._take_run(run, start, now)
        else:
            self._take_together(fresh, now)
        self.ledger.advance(slice_.next_offset)

    def reached_end(self, next_offset: int) -> None:
        """Nothing below `next_offset` is unseen, and no predecessor can have stored anything from there on."""
        if self.ledger is None:
            self._begin(next_offset)
        assert self.ledger is not None
        if self._seek_to is None:
            self.ledger.advance(next_offset)
            if self._sure_from is None:
                self._sure_from = next_offset

    def _lane(self, lane: Lane) -> LaneState:
        state = self.lanes.get(lane)
        if state is None:
            state = self.lanes[lane] = LaneState(lane, seen=self._ahead.get(lane.key, -1))
        return state

    def _first_unseen(self, run: LaneRun) -> int:
        return bisect_right(run.offsets, self._lane(run.lane).seen)

    def _take_run(self, run: LaneRun, start: int, now: float) -> None:
        """File scope: each file counts for itself."""
        lane = self._lane(run.lane)
        rows = len(run.offsets)
        while start < rows:
            if lane.open is not None and lane.open.schema != run.schema:
                self.close(lane, Reason.SCHEMA)
            file = lane.open
            times_ms = None if run.times_ms is None else run.times_ms[start:]
            take, reason = rows_before_cut(
                self.rotation,
                count=file.record_count if file else 0,
                base_time_ms=file.base_time_ms if file else _first(times_ms),
                times_ms=times_ms,
                rows=rows - start,
            )
            if take:
                self._append(lane, run, start, start + take, now)
            if reason is not None:
                self.close(lane, reason)
            start += take

    def _take_together(self, fresh: list[tuple[LaneRun, int]], now: float) -> None:
        """Partition scope (Confluent's): one count and one base time over all lanes, and all files close together."""
        if not fresh:
            return
        offsets = np.concatenate([np.asarray(run.offsets[start:], dtype=np.int64) for run, start in fresh])
        order = np.argsort(offsets, kind="stable")
        offsets = offsets[order]
        times_ms = None
        if all(run.times_ms is not None for run, _ in fresh):
            times_ms = np.concatenate([np.asarray(run.times_ms)[start:] for run, start in fresh])[order]
        done, rows = 0, len(offsets)
        while done < rows:
            left_times_ms = None if times_ms is None else times_ms[done:]
            base_time_ms = self._base_time_ms if self._count else _first(left_times_ms)
            take, reason = rows_before_cut(
                self.rotation, count=self._count, base_time_ms=base_time_ms, times_ms=left_times_ms, rows=rows - done
            )
            if take:
                stop_offset = int(offsets[done + take - 1])
                for run, first in fresh:
                    start = max(first, bisect_right(run.offsets, self._lane(run.lane).seen))
                    stop = bisect_right(run.offsets, stop_offset)
                    if start < stop:
                        self._append(self._lane(run.lane), run, start, stop, now)
                self._count, self._base_time_ms = self._count + take, base_time_ms
            if reason is not None:
                self.close_all(reason)
            done += take

    def _append(self, lane: LaneState, run: LaneRun, start: int, stop: int, now: float) -> None:
        assert self.ledger is not None
        if lane.open is not None and lane.open.schema != run.schema:
            self.close(lane, Reason.SCHEMA)
        file = lane.open
        if file is None:
            self._make_room()
            first_offset = int(run.offsets[start])
            file = OpenFile(next(self._file_ids), lane.lane, run.schema, first_offset, opened_at_s=now)
            file.base_time_ms = _first(None if run.times_ms is None else run.times_ms[start:])
            lane.open = file
            self.ledger.opened(file.file_id, first_offset)
            self._emit(do.Open(file.file_id, self.topic_partition, lane.lane, run.schema, first_offset))
            self._opened(self, lane, file)
        file.last_offset = lane.seen = int(run.offsets[stop - 1])
        file.record_count += stop - start
        self._emit(do.Append(file.file_id, run, start, stop))

    def _make_room(self) -> None:
        """Confluent's `partitioner.max.open.files`: the file open longest gives way."""
        if self.rotation.files_open_max is None:
            return
        open_lanes = [lane for lane in self.lanes.values() if lane.open is not None]
        if len(open_lanes) >= self.rotation.files_open_max:
            self.close(min(open_lanes, key=_opened_at_s), Reason.OPEN_FILES)

    def close(self, lane: LaneState, reason: Reason) -> None:
        """Close a lane's open file; it waits for its upload behind the lane's earlier ones."""
        file = lane.open
        assert file is not None, "only an open file can close"
        lane.open = None
        file.reason = reason
        lane.waiting.append(file)
        self._emit(do.Close(file.file_id, file.last_offset, file.record_count, reason))
        self._closed(self, lane, file)

    def close_all(self, reason: Reason) -> None:
        """Close every open file."""
        for lane in list(self.lanes.values()):
            if lane.open is not None:
                self.close(lane, reason)
        self._count = 0

    def rotate(self, lane: LaneState, reason: Reason) -> None:
        """Close a lane's file, with partition scope all the partition's files."""
        if self.rotation.scope is RotationScope.PARTITION:
            self.close_all(reason)
        elif lane.open is not None:
            self.close(lane, reason)

    def stored(self, lane: LaneState) -> OpenFile:
        """The lane's first waiting file is stored."""
        assert self.ledger is not None
        file = lane.waiting.popleft()
        self.ledger.stored(file.file_id, lane.lane.key, file.last_offset)
        self.commits.urgent = True
        return file

    def adopt(self, lane: LaneState, last_offset: int) -> list[OpenFile]:
        """Take over what another writer stored of the lane, up to `last_offset`; returns the files given up."""
        assert self.ledger is not None
        takeover = take_over(lane, last_offset)
        for file in takeover.stored:
            self.ledger.stored(file.file_id, lane.lane.key, last_offset)
        for file in takeover.surrendered:
            self.ledger.discarded(file.file_id)
        self.ledger.stored_ahead(lane.lane.key, last_offset)
        lane.drop(takeover.stored + takeover.surrendered)
        lane.seen = last_offset if takeover.surrendered else max(lane.seen, last_offset)
        if takeover.surrendered and last_offset + 1 < self.ledger.position:
            self.ledger.rewind(last_offset + 1)
            if self.release_deadline_s is None:
                self._seek_to = last_offset + 1
                self._emit(do.Seek(self.topic_partition, last_offset + 1))
        self.commits.urgent = True
        return takeover.stored + takeover.surrendered

    def discard_all(self) -> list[OpenFile]:
        """Give up every file."""
        files = [file for lane in self.lanes.values() for file in lane.files()]
        for lane in self.lanes.values():
            lane.open = None
            lane.waiting.clear()
        return files

    def commit_due(self, now: float) -> None:
        """Commit where it is time to."""
        if self.ledger is None or self.layout_before is not None:
            return
        leaving = self.release_deadline_s is not None
        if not self.commits.due(now, frontier=self.ledger.frontier, leaving=leaving):
            return
        wanted = self.commit_wanted()
        if wanted is not None:
            self.commits.committing = wanted
            self._emit(do.Commit(self.topic_partition, *wanted))
        self._forget_idle_lanes()

    def commit_wanted(self) -> Commit | None:
        """Offset and metadata to commit now, or None where the group has them, or where they don't fit yet."""
        if self.ledger is None or self.commits.committing is not None or self.layout_before is not None:
            return None
        frontier = self.ledger.frontier
        ahead = self.ledger.ahead()
        metadata = CommitMetadata(self.layout, ahead, self._drained and not ahead).encode()
        if len(metadata.encode()) > METADATA_BYTES_MAX:
            self._close_oldest()
            return None
        wanted = (frontier, metadata)
        return None if wanted == self.commits.committed else wanted

    @property
    def _drained(self) -> bool:
        """Whether nothing is stored beyond the frontier, by us or by a member that died here before us."""
        assert self.ledger is not None
        sure = self._sure_from is not None and self._sure_from <= self.ledger.position
        return sure and self.release_deadline_s is not None and self.ledger.files == 0

    def _close_oldest(self) -> None:
        """Too many lanes are stored ahead: store what holds the frontier back (design section 3, rule 7)."""
        assert self.ledger is not None
        oldest = self.ledger.oldest_file_id
        for lane in self.lanes.values():
            if lane.open is not None and lane.open.file_id == oldest:
                self.close(lane, Reason.METADATA)
                return

    def _forget_idle_lanes(self) -> None:
        """Drop lanes that hold nothing and whose records can't come again."""
        assert self.ledger is not None
        frontier = self.ledger.frontier
        self.lanes = {
            lane: state
            for lane, state in self.lanes.items()
            if not state.idle or state.seen >= frontier or state.uploading
        }
        self._ahead = {key: last for key, last in self._ahead.items() if last >= frontier}


def _first(times_ms: Int64s | None) -> int:
    return -1 if times_ms is None else int(times_ms[0])


def _opened_at_s(lane: LaneState) -> float:
    assert lane.open is not None
    return lane.open.opened_at_s
