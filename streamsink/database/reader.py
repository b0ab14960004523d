"""Reads feeds one after the other in a thread, into a queue that is bounded. Decides nothing."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence

from streamsink.database.feed import Feed
from streamsink.record import RawSlice, TopicPartition

AHEAD = 2
"""Slices that wait, read."""
PUT_S = 0.2
STOP_S = 15.0
"""How long a database may take to answer a reader that is being stopped."""

Item = RawSlice | TopicPartition | BaseException
"""A slice, the end of a partition, or why reading failed."""


class FeedReader:
    """A thread that reads feeds into a queue, until it is done or stopped.

    Args:
        feeds: Each with the offset that it begins at.
        rate: Rows a second at most; None for as many as go.
    """

    def __init__(self, feeds: Sequence[tuple[Feed, int]], rate: float | None) -> None:
        self.ready: queue.Queue[Item | None] = queue.Queue(AHEAD)
        """What was read; None at last, where nothing failed."""
        self._feeds = feeds
        self._rate = rate
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-database", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; what a database answers late is dropped."""
        self._left.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            for feed, start in self._feeds:
                for part in self._paced(feed.slices(start)):
                    self._put(part)
                    if self._left.is_set():
                        return
                self._put(feed.partition)
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where slices are taken
            self._put(error)

    def _paced(self, slices: Iterator[RawSlice]) -> Iterator[RawSlice]:
        due_s = time.monotonic()
        for part in slices:
            yield part
            if self._rate:
                due_s = max(due_s, time.monotonic() - 1.0) + part.rows.num_rows / self._rate
                self._left.wait(max(0.0, due_s - time.monotonic()))

    def _put(self, item: Item | None) -> None:
        while not self._left.is_set():
            with contextlib.suppress(queue.Full):
                self.ready.put(item, timeout=PUT_S)
                return
