"""One lane of one topic partition: its open file, the closed ones in order, and what it has seen. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamsink.batch.file import Lane, OpenFile


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
    """What an existing object up to `last_offset` means for the files of its lane.

    `stored` files are wholly in objects; `surrendered` ones hold records beyond the object that must be read again,
    from `last_offset + 1`, because a file's rows can't be cut once encoded.
    """

    stored: list[OpenFile]
    surrendered: list[OpenFile]


def take_over(lane: LaneState, last_offset: int) -> Takeover:
    """Sort a lane's files by what an object up to `last_offset` leaves of them; keeps those wholly beyond it."""
    stored: list[OpenFile] = []
    surrendered: list[OpenFile] = []
    for file in lane.files():
        if file.last_offset <= last_offset:
            stored.append(file)
        elif file.first_offset <= last_offset or surrendered:
            surrendered.append(file)
    return Takeover(stored=stored, surrendered=surrendered)
