"""Named points of the data path at which a test may kill the whole worker. Does nothing unless the environment asks.

`STREAMSINK_KILL_AT=before_put:2` kills the process group, without warning, when `before_put` is passed the second
time: what a power cut does, at a place of the test's choosing.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Point(StrEnum):
    """Where a worker may be killed, in the order a record meets them."""

    ASSIGNED = "assigned"
    POLLED = "polled"
    DECODED = "decoded"
    FILE_OPENED = "file_opened"
    ROWS_APPENDED = "rows_appended"
    FILE_CLOSED = "file_closed"
    BEFORE_PUT = "before_put"
    AFTER_PUT = "after_put"
    UPLOAD_REPORTED = "upload_reported"
    ADOPTED = "adopted"
    BEFORE_MANIFEST = "before_manifest"
    AFTER_MANIFEST = "after_manifest"
    BEFORE_COMMIT = "before_commit"
    COMMIT_SENT = "commit_sent"
    COMMIT_REPORTED = "commit_reported"
    STOPPING = "stopping"
    DRAINED = "drained"


VARIABLE = "STREAMSINK_KILL_AT"


def _armed() -> tuple[str, int]:
    name, _, times = os.environ.get(VARIABLE, "").partition(":")
    return name, int(times or 1)


_POINT, _left = _armed()


def reached(point: Point) -> None:
    """Say that the path has come to this point."""
    global _left  # noqa: PLW0603 - one countdown a process
    if point == _POINT:
        _left -= 1
        if _left == 0:
            os.killpg(os.getpgid(0), signal.SIGKILL)
