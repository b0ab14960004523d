"""Decides which file is stored next: one at a time in a lane, a limited number at once. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from streamsink.sink.core.lane_state import LaneState


class UploadQueue:
    """Lanes in line, files being stored, and files that wait to be tried again.

    Args:
        uploads_max: How many files may be on their way at once.
    """

    def __init__(self, uploads_max: int) -> None:
        self._uploads_max = uploads_max
        self._ready: deque[LaneState] = deque()
        self._uploading: set[int] = set()
        self._retry_at: list[tuple[float, int]] = []

    @property
    def next_at_s(self) -> float | None:
        """The time when a file is to be tried again, or None."""
        return self._retry_at[0][0] if self._retry_at else None

    @property
    def under_way(self) -> bool:
        """Whether any file is on its way."""
        return bool(self._uploading)

    @property
    def waits(self) -> bool:
        """Whether a lane is in line until another's file is stored."""
        return bool(self._ready) and self.under_way

    def add(self, lane: LaneState) -> None:
        """Put a lane in line, where it has something to store and isn't storing."""
        if lane.waiting and not lane.uploading and not lane.queued:
            lane.queued = True
            self._ready.append(lane)

    def begin(self) -> Iterator[tuple[int, int]]:
        """Files to store now, each with the number of its attempt."""
        while self._ready and len(self._uploading) < self._uploads_max:
            lane = self._ready.popleft()
            lane.queued = False
            if lane.waiting:
                file_id = lane.waiting[0].file_id
                lane.uploading = True
                self._uploading.add(file_id)
                yield file_id, lane.attempts + 1

    def ended(self, file_id: int) -> None:
        """A file is no longer on its way."""
        self._uploading.discard(file_id)

    def again(self, file_id: int, at_s: float) -> None:
        """Let a file wait before it is tried again.

        Args:
            file_id: The file's number.
            at_s: When to try again, monotonic time in seconds.
        """
        heapq.heappush(self._retry_at, (at_s, file_id))

    def due(self, now: float) -> Iterator[int]:
        """Files whose time to be tried again has come."""
        while self._retry_at and self._retry_at[0][0] <= now:
            yield heapq.heappop(self._retry_at)[1]
