"""Sorts more lines than memory holds, by way of temporary files. Knows nothing of what the lines say."""

from __future__ import annotations

import contextlib
import heapq
import tempfile
from collections.abc import Iterator
from typing import IO

RUN_BYTES = 64 * 1024 * 1024


class SortedSpool:
    """Lines without line breaks go in in any order, and come out sorted.

    Args:
        run_bytes: How much is sorted in memory at a time.
    """

    def __init__(self, run_bytes: int = RUN_BYTES) -> None:
        self._run_bytes = run_bytes
        self._waiting: list[bytes] = []
        self._size = 0
        self._files = contextlib.ExitStack()
        self._runs: list[IO[bytes]] = []

    def add(self, line: bytes) -> None:
        """Take one more line."""
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= self._run_bytes:
            self._write()

    def _write(self) -> None:
        run = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        run.writelines(line + b"\n" for line in sorted(self._waiting))
        run.seek(0)
        self._runs.append(run)
        self._waiting, self._size = [], 0

    def lines(self) -> Iterator[bytes]:
        """Give all lines in order. It may be called once."""
        runs: list[Iterator[bytes]] = [(line[:-1] for line in run) for run in self._runs]
        yield from heapq.merge(*runs, sorted(self._waiting))

    def close(self) -> None:
        """Remove the files."""
        self._files.close()
