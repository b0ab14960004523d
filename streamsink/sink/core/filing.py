"""Puts a partition's rows into its lanes' files, and closes files that are full. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from streamsink.config.sink import Rotation, RotationScope
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core.events import LaneRun
from streamsink.sink.core.folders import OpenFolders
from streamsink.sink.core.lane_state import LaneState, first_time_ms, opened_at_s
from streamsink.sink.core.ledger import Ledger
from streamsink.sink.core.looking import Looking
from streamsink.sink.core.open_file import Lane, OpenFile
from streamsink.sink.core.rotation import Reason, rows_before_cut

NO_OFFSET = 2**63 - 1


class Filing:
    """Lanes and their open files.

    Args:
        topic_partition: The partition.
        rotation: When files close.
        looking: Knows the stored ranges.
        emit: Takes the effects.
        file_ids: Fresh file ids, shared by the whole machine.
        opened: Called with each new file.
        closed: Called with each file that closes.

    Attributes:
        lanes: Every lane that has a file, or records that may come again.
        ahead: By lane key: the last offset that is stored beyond the frontier, as the last commit said.
    """

    def __init__(
        self,
        topic_partition: TopicPartition,
        rotation: Rotation,
        looking: Looking,
        *,
        emit: Callable[[do.Effect], None],
        file_ids: Iterator[int],
        opened: Callable[[LaneState, OpenFile], None],
        closed: Callable[[LaneState, OpenFile], None],
    ) -> None:
        self.lanes: dict[Lane, LaneState] = {}
        self.ahead: dict[str, int] = {}
        self._topic_partition = topic_partition
        self._rotation = rotation
        self._looking = looking
        self._emit = emit
        self._file_ids = file_ids
        self._opened = opened
        self._closed = closed
        self._count = 0
        self._base_time_ms = -1
        self._folders = OpenFolders()

    def take(self, runs: Sequence[LaneRun], ledger: Ledger, now: float) -> None:
        """Put those rows of a slice into files that are in no file and not stored.

        Args:
            runs: The slice's rows by lane.
            ledger: Is told of new files.
            now: Monotonic time in seconds.
        """
        fresh = [(run, *rows) for run in runs for rows in self._not_stored(run)]
        if self._rotation.scope is RotationScope.FILE:
            for run, start, stop in fresh:
                self._take_run(run, start, stop, ledger, now)
        else:
            self._take_together(fresh, ledger, now)

    def _lane(self, lane: Lane) -> LaneState:
        state = self.lanes.get(lane)
        if state is None:
            state = self.lanes[lane] = LaneState(lane, seen=self.ahead.get(lane.key, -1))
        return state

    def _first_unseen(self, run: LaneRun) -> int:
        return bisect_right(run.offsets, self._lane(run.lane).seen)

    def _not_stored(self, run: LaneRun) -> list[tuple[int, int]]:
        """The rows of a run that are in no file and no object yet."""
        start, rows = self._first_unseen(run), len(run.offsets)
        if start == rows:
            return []
        stored = self._looking.stored
        return [(start, rows)] if stored is None else stored.missing(run.lane.key, run.offsets, start)

    def _take_run(self, run: LaneRun, start: int, rows: int, ledger: Ledger, now: float) -> None:
        """File scope: each file counts for itself."""
        lane = self._lane(run.lane)
        self._close_before_stored(lane, int(run.offsets[start]))
        while start < rows:
            if lane.open is not None and lane.open.schema != run.schema:
                self.close(lane, Reason.SCHEMA)
            file = lane.open
            times_ms = None if run.times_ms is None else run.times_ms[start:rows]
            take, reason = rows_before_cut(
                self._rotation,
                count=file.record_count if file else 0,
                base_time_ms=file.base_time_ms if file else first_time_ms(times_ms),
                times_ms=times_ms,
                rows=rows - start,
            )
            if take:
                self._append(lane, run, start, start + take, ledger, now)
            if reason is not None:
                self.close(lane, reason)
            start += take

    def _close_before_stored(self, lane: LaneState, offset: int) -> None:
        """A file must not go on behind an object of its lane: another member would name that part by its own start."""
        stored = self._looking.stored
        if stored is None or lane.open is None:
            return
        if stored.parts(lane.lane.key, lane.open.last_offset, offset):
            self.close(lane, Reason.STORED)

    def _take_together(self, fresh: list[tuple[LaneRun, int, int]], ledger: Ledger, now: float) -> None:
        """Partition scope (Confluent's): one count and one base time over all lanes, and all files close together."""
        if not fresh:
            return
        offsets = np.concatenate([np.asarray(run.offsets[start:stop], dtype=np.int64) for run, start, stop in fresh])
        order = np.argsort(offsets, kind="stable")
        offsets = offsets[order]
        folders = self._folders.numbers((run.lane, stop - start) for run, start, stop in fresh)[order]
        times_ms = None
        if all(run.times_ms is not None for run, _, _ in fresh):
            times_ms = np.concatenate([np.asarray(run.times_ms)[start:stop] for run, start, stop in fresh])[order]
        done, rows = 0, len(offsets)
        while done < rows:
            left_times_ms = None if times_ms is None else times_ms[done:]
            base_time_ms = self._base_time_ms if self._count else first_time_ms(left_times_ms)
            take, reason = rows_before_cut(
                self._rotation, count=self._count, base_time_ms=base_time_ms, times_ms=left_times_ms, rows=rows - done
            )
            take, reason = self._folders.nearer_cut(self._rotation, folders[done:], take, reason)
            flip = int(np.searchsorted(offsets[done:], self._flip(fresh)))
            if flip < take:
                take, reason = flip, Reason.SCHEMA
            if take:
                stop_offset = int(offsets[done + take - 1])
                for run, first, last in fresh:
                    start = max(first, bisect_right(run.offsets, self._lane(run.lane).seen))
                    stop = min(last, bisect_right(run.offsets, stop_offset))
                    if start < stop:
                        self._append(self._lane(run.lane), run, start, stop, ledger, now)
                self._count, self._base_time_ms = self._count + take, base_time_ms
                self._folders.took(folders[done : done + take])
            if reason is not None:
                self.close_all(reason)
            done += take

    def _flip(self, fresh: list[tuple[LaneRun, int, int]]) -> int:
        """The first offset whose columns differ from those before it in its lane; one past all where there is none.

        A slice may have several runs of one lane, in the order of their offsets.
        """
        found = NO_OFFSET
        standing: dict[Lane, str] = {}
        for run, first, last in fresh:
            lane = self._lane(run.lane)
            start = max(first, bisect_right(run.offsets, lane.seen))
            if start == last:
                continue
            schema = standing.setdefault(run.lane, run.schema if lane.open is None else lane.open.schema)
            if schema != run.schema:
                found = min(found, int(run.offsets[start]))
        return found

    def _append(self, lane: LaneState, run: LaneRun, start: int, stop: int, ledger: Ledger, now: float) -> None:
        self._close_before_stored(lane, int(run.offsets[start]))
        if lane.open is not None and lane.open.schema != run.schema:
            self.close(lane, Reason.SCHEMA)
        file = lane.open
        if file is None:
            self._make_room()
            first_offset = int(run.offsets[start])
            file = OpenFile(next(self._file_ids), lane.lane, run.schema, first_offset, opened_at_s=now)
            file.base_time_ms = first_time_ms(None if run.times_ms is None else run.times_ms[start:])
            lane.open = file
            ledger.opened(file.file_id, first_offset)
            self._emit(do.Open(file.file_id, self._topic_partition, lane.lane, run.schema, first_offset))
            self._opened(lane, file)
        file.last_offset = lane.seen = int(run.offsets[stop - 1])
        file.record_count += stop - start
        self._emit(do.Append(file.file_id, run, start, stop))

    def _make_room(self) -> None:
        """The file open longest gives way to one more than `partitioner.max.open.files`."""
        if self._rotation.files_open_max is None or self._rotation.scope is RotationScope.PARTITION:
            return
        open_lanes = [lane for lane in self.lanes.values() if lane.open is not None]
        if len(open_lanes) >= self._rotation.files_open_max:
            self.close(min(open_lanes, key=opened_at_s), Reason.OPEN_FILES)

    def close(self, lane: LaneState, reason: Reason) -> None:
        """Close a lane's open file; it waits for its upload behind the lane's earlier ones.

        Args:
            lane: A lane with an open file.
            reason: The reason to report.
        """
        file = lane.open
        assert file is not None, "only an open file can close"
        lane.open = None
        file.reason = reason
        lane.waiting.append(file)
        self._emit(do.Close(file.file_id, file.last_offset, file.record_count, reason))
        self._closed(lane, file)

    def close_all(self, reason: Reason) -> None:
        """Close every open file."""
        for lane in list(self.lanes.values()):
            if lane.open is not None:
                self.close(lane, reason)
        self._count = 0
        self._folders.closed()

    def rotate(self, lane: LaneState, reason: Reason) -> None:
        """Close a lane's open file, if it has one; with partition scope, close all files of the partition.

        Args:
            lane: The lane that has reached a limit.
            reason: The limit.
        """
        if self._rotation.scope is RotationScope.PARTITION:
            self.close_all(reason)
        elif lane.open is not None:
            self.close(lane, reason)

    def forget_idle(self, frontier: int) -> None:
        """Drop lanes that hold nothing and whose records can't come again."""
        self.lanes = {
            lane: state
            for lane, state in self.lanes.items()
            if not state.idle or state.seen >= frontier or state.uploading
        }
        self.ahead = {key: last for key, last in self.ahead.items() if last >= frontier}
