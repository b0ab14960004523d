"""Decides which files give way when memory runs short. Pure arithmetic over the shell's measures."""

from __future__ import annotations

from streamsink.sink.core.open_file import OpenFile

OPEN_SHARE_MAX = 0.5
"""Above this share of the budget, open files are flushed or closed ..."""
OPEN_SHARE_RELIEVED = 0.35
"""... until they are expected to take no more than this."""
FULL_SHARE = 0.75
"""Above this share, all files together, partitions pause ..."""
ROOMY_SHARE = 0.55
"""... and below this they resume. The rest takes slices that were polled already."""
FLUSH_BYTES_MIN = 64 * 1024
"""A file with less than this waiting is not worth a separate row group."""


class MemoryBudget:
    """Sums the memory of all files and says which give way. One per machine.

    Args:
        bytes_max: The ceiling for all files together.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self.open_bytes = 0
        self._open: dict[int, OpenFile] = {}
        self._flushing: set[int] = set()

    def measured(self, file: OpenFile, size_bytes: int, memory_bytes: int, pending_bytes: int) -> None:
        """Take a file's new measures.

        Args:
            file: The file, open or closed.
            size_bytes: Its encoded bytes, with an estimate of the rows that wait.
            memory_bytes: The memory that it holds.
            pending_bytes: The part of `memory_bytes` that a flush would encode.
        """
        self._flushing.discard(file.file_id)
        self.bytes += memory_bytes - file.memory_bytes
        if file.reason is None:
            self.open_bytes += memory_bytes - file.memory_bytes
            self._open[file.file_id] = file
        file.size_bytes, file.memory_bytes, file.pending_bytes = size_bytes, memory_bytes, pending_bytes

    def closed(self, file: OpenFile) -> None:
        """A file takes no more rows; it occupies memory until it is stored."""
        self._flushing.discard(file.file_id)
        if self._open.pop(file.file_id, None) is not None:
            self.open_bytes -= file.memory_bytes

    def freed(self, file: OpenFile) -> None:
        """A file is gone."""
        self.closed(file)
        self.bytes -= file.memory_bytes

    @property
    def full(self) -> bool:
        """Whether reading must rest."""
        return self.bytes > self.bytes_max * FULL_SHARE

    @property
    def roomy(self) -> bool:
        """Whether reading may go on."""
        return self.bytes < self.bytes_max * ROOMY_SHARE

    def relief(self) -> tuple[list[OpenFile], list[OpenFile]]:
        """Choose the files that give way, largest first; none while memory suffices or a flush is under way.

        Returns:
            Files to flush, which encodes their waiting rows, and files to close. One of both lists is empty.
        """
        if self._flushing or self.open_bytes <= self.bytes_max * OPEN_SHARE_MAX:
            return [], []
        excess = self.open_bytes - self.bytes_max * OPEN_SHARE_RELIEVED
        flush: list[OpenFile] = []
        for file in sorted(self._open.values(), key=lambda file: -file.pending_bytes):
            if excess <= 0 or file.pending_bytes < FLUSH_BYTES_MIN:
                break
            flush.append(file)
            excess -= file.pending_bytes
        if flush:
            self._flushing.update(file.file_id for file in flush)
            return flush, []
        close: list[OpenFile] = []
        for file in sorted(self._open.values(), key=lambda file: -file.memory_bytes):
            if excess <= 0:
                break
            close.append(file)
            excess -= file.memory_bytes
        return [], close
