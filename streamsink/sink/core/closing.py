"""Computes when open files close: at an age by the monotonic clock, on a schedule by the wall clock. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator

from streamsink.config.sink import Rotation
from streamsink.sink.core.open_file import OpenFile
from streamsink.sink.core.rotation import Reason, age_deadline_s, schedule_deadline_s


class CloseTimes:
    """Deadlines of open files, the nearest first. A file that closed earlier stays listed until its time comes.

    A scheduled close stands in both lists: a clock that is set forward makes it earlier, one that is set back doesn't
    make it later.

    Args:
        rotation: The limits.
    """

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._monotonic: list[tuple[float, int, Reason]] = []
        self._wall: list[tuple[float, int]] = []

    @property
    def next_at_s(self) -> float | None:
        """The nearest deadline by the monotonic clock, or None."""
        return self._monotonic[0][0] if self._monotonic else None

    def next_of(self, open_files: Collection[int]) -> float | None:
        """The monotonic time when the first of these files closes by age or schedule; None where none does."""
        return min((at_s for at_s, file_id, _ in self._monotonic if file_id in open_files), default=None)

    def opened(self, file: OpenFile, wall_s: float) -> None:
        """Note when a new file closes by age and by schedule.

        Args:
            file: The file; `opened_at_s` is by the monotonic clock.
            wall_s: Unix time in seconds when it opened.
        """
        age_at_s = age_deadline_s(self._rotation, file.opened_at_s)
        if age_at_s is not None:
            heapq.heappush(self._monotonic, (age_at_s, file.file_id, Reason.AGE))
        wall_at_s = schedule_deadline_s(self._rotation, wall_s)
        if wall_at_s is not None:
            heapq.heappush(self._wall, (wall_at_s, file.file_id))
            heapq.heappush(self._monotonic, (file.opened_at_s + wall_at_s - wall_s, file.file_id, Reason.SCHEDULE))

    def due(self, now: float, wall_s: float) -> Iterator[tuple[int, Reason]]:
        """Take the files whose time has come off the lists.

        Args:
            now: Monotonic time in seconds.
            wall_s: Unix time in seconds.

        Yields:
            A file's number and why it closes. A number may come twice, and a file may have closed earlier.
        """
        while self._monotonic and self._monotonic[0][0] <= now:
            _, file_id, reason = heapq.heappop(self._monotonic)
            yield file_id, reason
        while self._wall and self._wall[0][0] <= wall_s:
            yield heapq.heappop(self._wall)[1], Reason.SCHEDULE
