"""Which folders of a topic partition have files open, where all its files close together. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from streamsink.config.sink import Rotation
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.rotation import Reason, rows_before_folder

Folders = npt.NDArray[np.int64]


class OpenFolders:
    """The folders since the last rotation, as numbers. Several lanes may have one folder."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._open: set[int] = set()
        self._last = -1

    def numbers(self, runs: Iterable[tuple[Lane, int]]) -> Folders:
        """The folder of each row, for the lanes and counts of runs of rows."""
        if not self._open:
            self._numbers.clear()
        found = [
            np.full(rows, self._numbers.setdefault((lane.topic, lane.encoded_partition), len(self._numbers)), np.int64)
            for lane, rows in runs
        ]
        return np.concatenate(found)

    def nearer_cut(
        self, rotation: Rotation, folders: Folders, take: int, reason: Reason | None
    ) -> tuple[int, Reason | None]:
        """Choose between a cut that is given and the cut by folders: the one that takes fewer rows.

        Args:
            rotation: The limits.
            folders: The number of each new row's folder.
            take: How many of these rows the given cut takes.
            reason: Why the given cut closes a file; None where it closes none.

        Returns:
            How many rows to take, and why a file closes then, or None.
        """
        before, why = rows_before_folder(rotation, folders, open_folders=self._open, last_folder=self._last)
        return (take, reason) if why is None or before >= take else (before, why)

    def took(self, folders: Folders) -> None:
        """These rows are in files."""
        self._open.update(folders.tolist())
        self._last = int(folders[-1])

    def closed(self) -> None:
        """Forget the open folders: all files are closed."""
        self._open.clear()
        self._last = -1
