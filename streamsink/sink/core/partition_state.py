"""One topic partition in the sink's machine: slices become files, and the ledger becomes commits. Pure.

Theory of operation. From its assignment to its release a partition is in one of these states:

    state      meaning                                          leaves it when
    ---------  -----------------------------------------------  ------------------------------------------------------
    LOOKING    the commit isn't ours; what is stored is asked   `looked` tells the stored ranges
    DOUBTFUL   the commit is of another layout                  `reached_end`, or the machine accepts or refuses it
    UNCLAIMED  files may open, uploads wait                     the group has taken our first commit
    CLAIMED    files are stored, offsets are committed          it is revoked or lost, or the task stops
    LEAVING    nothing is taken, all files are closed           all is stored and committed, or the deadline is over

They are not one variable: `looking.wanted`, `layout_before`, `commits.claimed` and `release_deadline_s` say one each,
since a partition may be revoked in any state. The machine gives slices to `take` in UNCLAIMED and CLAIMED only.

Three numbers tell how far a partition has come. `ledger.position` is the offset after the last slice taken,
`ledger.frontier` the smallest offset not yet stored, and `commits.committed` what the group has. So always

    committed <= frontier <= position

A slice moves the position. A stored file moves the frontier, if it was the one that held it back. The group's answer
moves what is committed. What is stored beyond the frontier is said in the commit's metadata, by lane.

Example. Rows of even offsets are in the folder `h=0`, of odd ones in `h=1`. Files close after 3 rows.

    what happens                         files                          position  frontier  committed
    -----------------------------------  -----------------------------  --------  --------  ------------------------
    assigned at 0, the commit of one
    that has drained                                                           0         0  0
    first commit, the claim                                                    0         0  0
    slice 0..4                           h=0 closes: 0 2 4                     5         0  0
                                         h=1 is open: 1 3
    h=0 is stored (name: 0)              h=1 holds the frontier back           5         1  1, ahead {h=0: 4}
    slice 5..6                           h=1 closes: 1 3 5                     7         1  1, ahead {h=0: 4}
                                         h=0 is open: 6
    the worker dies here; the next one is assigned at 1 with ahead {h=0: 4}
    slice 1..6, read again               h=0 skips 2 and 4, is open: 6         7         1  1, ahead {h=0: 4}
                                         h=1 closes: 1 3 5 (name: 1)
    h=1 is stored                        h=0 is open: 6                        7         6  6
    revoke                               h=0 closes: 6, and is stored          7         7  7
    released                                                                                7

Had the first worker stored h=1 before it died, the second one's create of the name 1 would have met that object. Then
`adopt` takes all up to its last offset, 5, for stored. The object may also end at 3, where the first worker's file
closed earlier. Then the file that reaches to 5 is given up: the lane has seen up to 3, the ledger goes back to 4, and a
`Seek` has the records from 4 on read again. Other lanes skip the records they have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from streamsink.config.sink import Rotation
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core.commit_state import Commit, CommitState
from streamsink.sink.core.events import Polled
from streamsink.sink.core.filing import Filing
from streamsink.sink.core.lane_state import LaneState, take_over
from streamsink.sink.core.ledger import METADATA_BYTES_MAX, CommitMetadata, Ledger
from streamsink.sink.core.looking import Looking
from streamsink.sink.core.open_file import OpenFile
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.stored_ranges import StoredRanges


class PartitionState:
    """Files, ledger and commits of one assigned partition.

    Args:
        topic_partition: The partition.
        rotation: When files close.
        layout: Fingerprint of what decides names and membership.
        emit: Takes the effects.
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
        self.layout = layout
        self.ledger: Ledger | None = None
        self.layout_before: str | None = None
        self.commits = CommitState()
        self.release_deadline_s: float | None = None
        self.looking = Looking()
        self._emit = emit
        self.filing = Filing(
            topic_partition,
            rotation,
            self.looking,
            emit=emit,
            file_ids=file_ids,
            opened=partial(opened, self),
            closed=partial(closed, self),
        )
        self._seek_to: int | None = None
        self._sure_from: int | None = 0

    def assigned(self, offset: int | None, metadata: str, *, compacted: bool) -> None:
        """Go on from the group's commit, skipping records that are stored ahead of it.

        Args:
            offset: The committed offset; None where nothing is committed.
            metadata: The commit's metadata, perhaps of another program.
            compacted: Whether the topic is compacted, or may be.
        """
        said = CommitMetadata.decode(metadata)
        self.looking.assigned(said, self.layout, offset, compacted=compacted)
        if said is not None and said.layout == self.layout:
            self.filing.ahead = dict(said.ahead)
            self.commits.claimed = not said.drained
            self._sure_from = 0 if said.drained else None
        elif said is not None and (said.ahead or not said.drained):
            self.layout_before = said.layout
        if offset is not None:
            self.commits.committed = (offset, metadata)
            self._begin(offset)

    def _begin(self, position: int) -> None:
        self.ledger = Ledger(position)
        for key, last_offset in self.filing.ahead.items():
            self.ledger.stored_ahead(key, last_offset)
        self.commits.urgent = not self.commits.claimed

    def looked(self, stored: StoredRanges) -> None:
        """Go on, now that the stored ranges are known. Slices that came meanwhile are read again."""
        dropped_from = self.looking.dropped_from
        self.looking.looked(stored)
        self.looking.dropped_from = None
        if stored.last >= (self.ledger.position if self.ledger else 0):
            self._sure_from = None
        if dropped_from is not None and self.release_deadline_s is None:
            if self.ledger is None:
                self._begin(dropped_from)
            self._seek_to = dropped_from
            self._emit(do.Seek(self.topic_partition, dropped_from))

    def take(self, slice_: Polled, now: float) -> None:
        """Put a slice's rows into files, closing those whose limits they reach.

        Args:
            slice_: The next slice. After a seek, slices from elsewhere are passed over until the one from there comes.
            now: Monotonic time in seconds.
        """
        if self.ledger is None:
            self._begin(slice_.start)
        assert self.ledger is not None
        if self._seek_to is not None:
            if slice_.start != self._seek_to:
                return
            self._seek_to = None
        assert slice_.start <= self.ledger.position, "slices follow one another"
        self.filing.take(slice_.runs, self.ledger, now)
        self.ledger.advance(slice_.next_offset)

    def reached_end(self, next_offset: int) -> None:
        """Note the partition's end: nothing below it is unseen, and no predecessor can have stored anything behind."""
        if self.ledger is None:
            self._begin(next_offset)
        assert self.ledger is not None
        if self._seek_to is None:
            self.ledger.advance(next_offset)
            if self._sure_from is None:
                self._sure_from = next_offset

    def stored(self, lane: LaneState) -> OpenFile:
        """The lane's first waiting file is stored."""
        assert self.ledger is not None
        file = lane.waiting.popleft()
        self.ledger.stored(file.file_id, lane.lane.key, file.last_offset)
        self.commits.urgent = True
        return file

    def adopt(self, lane: LaneState, last_offset: int) -> list[OpenFile]:
        """Take over records of a lane that another writer stored.

        Args:
            lane: The lane whose file met the writer's object.
            last_offset: The last offset of the writer's object, inclusive.

        Returns:
            The files that are no longer needed: stored by the other writer, or given up and to be read again.
        """
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
        files = [file for lane in self.filing.lanes.values() for file in lane.files()]
        for lane in self.filing.lanes.values():
            lane.open = None
            lane.waiting.clear()
        return files

    def commit_due(self, now: float) -> bool:
        """Order a commit if it is time, and say whether to ask again after the next event."""
        if self.ledger is None or self.layout_before is not None or self.looking.wanted:
            return False
        leaving = self.release_deadline_s is not None
        if not self.commits.due(now, frontier=self.ledger.frontier, leaving=leaving):
            return False
        wanted = self.commit_wanted()
        if wanted is not None:
            self.commits.committing = wanted
            self._emit(do.Commit(self.topic_partition, *wanted))
        self.filing.forget_idle(self.ledger.frontier)
        # One that leaves and has all it wants waits for an event: asked after each, a thousand ask a thousand times.
        return wanted is not None or not leaving

    def commit_wanted(self) -> Commit | None:
        """Offset and metadata to commit now, or None where the group has them, or where they don't fit yet."""
        waits = self.layout_before is not None or self.looking.wanted
        if self.ledger is None or self.commits.committing is not None or waits:
            return None
        frontier = self.ledger.frontier
        ahead, look = self.ledger.ahead(), self.looking.passed(frontier)
        metadata = CommitMetadata(self.layout, ahead, self._drained and not ahead and look < 0, look).encode()
        if len(metadata.encode()) > METADATA_BYTES_MAX:
            self._close_oldest()
            return None
        wanted = (frontier, metadata)
        return None if wanted == self.commits.committed else wanted

    @property
    def reads(self) -> bool:
        """Whether its records are taken: it neither leaves nor waits for a look."""
        return self.release_deadline_s is None and not self.looking.wanted

    @property
    def _drained(self) -> bool:
        """Whether nothing is stored beyond the frontier, by us or by a member that died here before us."""
        assert self.ledger is not None
        sure = self._sure_from is not None and self._sure_from <= self.ledger.position
        return sure and self.release_deadline_s is not None and self.ledger.files == 0

    def _close_oldest(self) -> None:
        """Too many lanes are stored ahead: store what holds the frontier back (ARCHITECTURE.md, rule 7)."""
        assert self.ledger is not None
        oldest = self.ledger.oldest_file_id
        for lane in self.filing.lanes.values():
            if lane.open is not None and lane.open.file_id == oldest:
                self.filing.close(lane, Reason.METADATA)
                return
