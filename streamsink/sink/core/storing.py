"""Takes each file from its first record to its object: its memory, its close, its turn to be stored. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamsink.config.sink import Rotation
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.closing import CloseTimes
from streamsink.sink.core.lane_state import LaneState
from streamsink.sink.core.memory import MemoryBudget
from streamsink.sink.core.open_file import OpenFile
from streamsink.sink.core.outages import Outages
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.upload_queue import UploadQueue


@dataclass(slots=True)
class _Slot:
    """Where a file belongs, as long as it lives."""

    partition: PartitionState
    lane: LaneState
    file: OpenFile


class Storing:
    """All partitions' files. Partitions report which files open and close, the machine reports all later events.

    Args:
        rotation: When files close.
        memory_bytes_max: The memory that all files together may occupy.
        uploads_max: How many uploads may be on their way at once.
        outages: Hear of the store's failures.
        emit: Takes the effects.
    """

    def __init__(
        self,
        rotation: Rotation,
        *,
        memory_bytes_max: int,
        uploads_max: int,
        outages: Outages,
        emit: Callable[[do.Effect], None],
    ) -> None:
        self.memory = MemoryBudget(memory_bytes_max)
        self.wall_s = 0.0
        """Unix time of the present event."""
        self._size_bytes = rotation.size_bytes
        self._outages = outages
        self._emit = emit
        self._files: dict[int, _Slot] = {}
        self.uploads = UploadQueue(uploads_max)
        self._close_times = CloseTimes(rotation)

    @property
    def next_at_s(self) -> float | None:
        """The monotonic time when a file is due to close or to be tried again; None where none is."""
        deadlines = (self._close_times.next_at_s, self.uploads.next_at_s)
        return min((at for at in deadlines if at is not None), default=None)

    @property
    def next_close_at_s(self) -> float | None:
        """The monotonic time when an open file closes next by age or schedule; None where none is open."""
        return self._close_times.next_of({number for number, slot in self._files.items() if slot.file.reason is None})

    def opened(self, partition: PartitionState, lane: LaneState, file: OpenFile) -> None:
        """Take note of a new file.

        Args:
            partition: The partition that began it.
            lane: Its lane.
            file: The new file, without rows.
        """
        self._files[file.file_id] = _Slot(partition, lane, file)
        self._close_times.opened(file, self.wall_s)

    def closed(self, partition: PartitionState, lane: LaneState, file: OpenFile) -> None:
        """Take note of a closed file: it waits for its turn.

        Args:
            partition: The partition that closed it.
            lane: Its lane.
            file: The closed file; its memory counts until it is stored.
        """
        self.memory.closed(file)
        self.enqueue(partition, lane)

    def enqueue(self, partition: PartitionState, lane: LaneState) -> None:
        """Put a lane in line, if its partition is claimed.

        Args:
            partition: The lane's partition.
            lane: A lane whose closed files wait.
        """
        if partition.commits.claimed:
            self.uploads.add(lane)

    def measured(self, event: on.Measured) -> None:
        """A file has been measured."""
        slot = self._files.get(event.file_id)
        if slot is None:
            return
        self.memory.measured(slot.file, event.size_bytes, event.memory_bytes, event.pending_bytes)
        limit = self._size_bytes
        if limit is not None and slot.file.reason is None and event.size_bytes >= limit:
            slot.partition.filing.rotate(slot.lane, Reason.BYTES)

    def close_due(self, now: float) -> None:
        """Close the files whose time has come."""
        for file_id, reason in self._close_times.due(now, self.wall_s):
            slot = self._files.get(file_id)
            if slot is not None and slot.file.reason is None:
                slot.partition.filing.rotate(slot.lane, reason)

    def relieve_memory(self) -> None:
        """Encode files early, or close them, where they take too much."""
        flush, close = self.memory.relief()
        for file in flush:
            self._emit(do.EncodeEarly(file.file_id))
        for file in close:
            slot = self._files[file.file_id]
            slot.partition.filing.close(slot.lane, Reason.MEMORY)

    def begin_uploads(self) -> None:
        """Have as many files stored as may be on their way at once."""
        for file_id, attempt in self.uploads.begin():
            self._emit(do.Upload(file_id, attempt))

    def uploaded(self, event: on.Uploaded) -> TopicPartition | None:
        """Note that a file is stored, and give its partition; None where the file was given up."""
        self._outages.works(Dependency.STORE)
        slot = self._ended(event.file_id)
        if slot is None:
            return None
        slot.lane.stored()
        slot.partition.stored(slot.lane)
        self.forget(slot.file)
        self.enqueue(slot.partition, slot.lane)
        return slot.partition.topic_partition

    def conflict(self, event: on.Conflict) -> TopicPartition | None:
        """Take over another writer's object of the file's name; give the partition, None where the file is given up."""
        self._outages.works(Dependency.STORE)
        slot = self._ended(event.file_id)
        if slot is None:
            return None
        assert event.last_offset >= slot.file.first_offset, "an object covers the offset it is named by"
        slot.lane.stored()
        for file in slot.partition.adopt(slot.lane, event.last_offset):
            self.forget(file)
        self._emit(do.Adopted(slot.partition.topic_partition, slot.lane.lane, event.last_offset))
        self.enqueue(slot.partition, slot.lane)
        return slot.partition.topic_partition

    def failed(self, event: on.UploadFailed, now: float) -> bool:
        """Take note of a failed attempt to store a file; it is made again later.

        Args:
            event: The failure.
            now: Monotonic time in seconds.

        Returns:
            Whether the store has been away for too long.
        """
        slot = self._ended(event.file_id)
        if slot is None:
            return False
        lane = slot.lane
        lane.attempts += 1
        lane.failing_since_s = now if lane.failing_since_s is None else lane.failing_since_s
        delay_s = self._outages.delay_s(Dependency.STORE, lane.attempts, event.file_id, event.error)
        self.uploads.again(event.file_id, now + delay_s)
        return self._outages.failed(Dependency.STORE, event.error, delay_s, now=now, since_s=lane.failing_since_s)

    def retry_due(self, now: float) -> None:
        """Put files in line whose time to be tried again has come."""
        for file_id in self.uploads.due(now):
            slot = self._files.get(file_id)
            if slot is not None:
                self.enqueue(slot.partition, slot.lane)

    def holds(self, file_id: int) -> bool:
        """Whether a file is still in hand."""
        return file_id in self._files

    def forget(self, file: OpenFile) -> None:
        """A file is stored, taken over or given up."""
        del self._files[file.file_id]
        self.memory.freed(file)
        self._emit(do.Discard(file.file_id))

    def _ended(self, file_id: int) -> _Slot | None:
        self.uploads.ended(file_id)
        slot = self._files.get(file_id)
        if slot is not None:
            slot.lane.uploading = False
        return slot
