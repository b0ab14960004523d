"""One lane of one topic partition: its open file, its closed files in order, and its last offset. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamsink.sink.core.open_file import Lane, OpenFile
from streamsink.sink.core.rotation import Int64s


@dataclass(slots=True)
class LaneState:
    """Files of a lane in offset order; only the first of `waiting` may be uploading.

    `seen` is the last offset in a file or known to be stored: records up to it are dropped when they come again.
    """

    lane: Lane
    seen: int = -1
    open: OpenFile | None = None
    waiting: deque[OpenFile] = field(default_factory=deque)
    uploading: bool = False
    queued: bool = False
    attempts: int = 0
    failing_since_s: float | None = None

    def stored(self) -> None:
        """Forget the lane's failures: its first file needs no further attempt."""
        self.attempts, self.failing_since_s = 0, None

    @property
    def idle(self) -> bool:
        """Whether it holds no file."""
        return self.open is None and not self.waiting

    def files(self) -> Iterator[OpenFile]:
        """Every file, in offset order."""
        yield from self.waiting
        if self.open is not None:
            yield self.open

    def drop(self, files: list[OpenFile]) -> None:
        """Forget these files."""
        gone = {file.file_id for file in files}
        self.waiting = deque(file for file in self.waiting if file.file_id not in gone)
        if self.open is not None and self.open.file_id in gone:
            self.open = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """The consequence of another writer's object, up to `last_offset`, for the files of its lane.

    `stored` files are wholly in objects; `surrendered` ones hold records beyond the object that must be read again,
    from `last_offset + 1`, because a file's rows can't be cut once encoded.
    """

    stored: list[OpenFile]
    surrendered: list[OpenFile]


def take_over(lane: LaneState, last_offset: int) -> Takeover:
    """Sort a lane's files by what another writer's object leaves of them. Files wholly beyond it are in neither list.

    Args:
        lane: The lane whose files the object meets.
        last_offset: The last offset of the object, inclusive.

    Returns:
        The files that the object holds as a whole, and the files to give up: the one that it holds in part, and all
        behind it.
    """
    stored: list[OpenFile] = []
    surrendered: list[OpenFile] = []
    for file in lane.files():
        if file.last_offset <= last_offset:
            stored.append(file)
        elif file.first_offset <= last_offset or surrendered:
            surrendered.append(file)
    return Takeover(stored=stored, surrendered=surrendered)


def first_time_ms(times_ms: Int64s | None) -> int:
    """The first of the rows' times, -1 where they have none."""
    return -1 if times_ms is None else int(times_ms[0])


def opened_at_s(lane: LaneState) -> float:
    """The time when the lane's open file was opened."""
    assert lane.open is not None
    return lane.open.opened_at_s
