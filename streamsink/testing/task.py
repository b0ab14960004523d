"""A sink task in a simulation: carries out its machine's effects on a simulated broker and store. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streamsink.batch.file import Lane
from streamsink.record import TopicPartition
from streamsink.sink import effects as do
from streamsink.sink import events as on
from streamsink.sink.machine import MachineSettings, SinkMachine
from streamsink.testing.broker import SimBroker, SimRecord
from streamsink.testing.store import SimObject, SimStore


def lane_of(record: SimRecord, layout: str) -> Lane:
    """The lane of a record: under another layout it is another one. Tagged schemas never share a file, others widen."""
    return Lane(f"{layout}/{record.encoded_partition}", record.schema if record.schema.startswith("tag") else "")


@dataclass(slots=True)
class SimFile:
    """A file's rows, as a real task's encoder would hold them."""

    spec: do.Open
    rows: list[tuple[int, SimRecord]] = field(default_factory=list)
    flushed_rows: int = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait to be encoded."""
        return sum(record.size_bytes for _, record in self.rows[self.flushed_rows :])

    @property
    def size_bytes(self) -> int:
        """Encoded bytes: half the raw ones."""
        return sum(record.size_bytes for _, record in self.rows[: self.flushed_rows]) // 2 + self.pending_bytes // 2

    @property
    def memory_bytes(self) -> int:
        """What the file occupies."""
        return self.pending_bytes + sum(record.size_bytes for _, record in self.rows[: self.flushed_rows]) // 2


class SimTask:
    """One member with its machine.

    `broken` collects what the task itself can see going wrong (effects for partitions it has let go of), `unflushed`
    what a flush was said to have committed and has not.
    """

    def __init__(self, member: int, settings: MachineSettings, broker: SimBroker, store: SimStore) -> None:
        self.member = member
        self.machine = SinkMachine(settings)
        self.broker = broker
        self.store = store
        self.files: dict[int, SimFile] = {}
        self.uploads: list[int] = []
        self.commits: list[do.Commit] = []
        self.positions: dict[TopicPartition, int] = {}
        self.resting: set[TopicPartition] = set()
        self.broken: list[str] = []
        self.unflushed: list[str] = []
        self.flushing: dict[int, dict[TopicPartition, int]] = {}
        self.failed: Exception | None = None
        self.stopped: bool | None = None
        self._measure: deque[int] = deque()
        self._widest = ""

    def tell(self, event: on.Event, now: float) -> None:
        """Tell the machine and carry out what it says."""
        self.machine.handle(event, now=now)
        self._carry_out()
        while self._measure:
            file_id = self._measure.popleft()
            file = self.files.get(file_id)
            if file is not None:
                self.machine.handle(
                    on.Measured(file_id, file.size_bytes, file.memory_bytes, file.pending_bytes), now=now
                )
                self._carry_out()

    def assign(self, partition: TopicPartition, now: float) -> None:
        """Take a partition over from wherever the group stands."""
        offset, metadata = self.broker.assign(partition, self.member)
        self.positions[partition] = offset or 0
        self.tell(on.Assigned(partition, offset, metadata), now)

    def poll(self, partition: TopicPartition, records_max: int, now: float) -> bool:
        """Read some records of a partition; False where it rests or is not held."""
        if partition not in self.positions or partition in self.resting or self.machine.paused:
            return False
        log = self.broker.partitions[partition].log
        start = self.positions[partition]
        stop = min(start + records_max, len(log))
        if start == stop:
            self.tell(on.ReachedEnd(partition, stop), now)
            return True
        rows = [(offset, record) for offset in range(start, stop) if (record := log[offset]) is not None]
        self._widest = max([self._widest, *(record.schema for _, record in rows)])
        lanes: dict[Lane, list[tuple[int, SimRecord]]] = {}
        for offset, record in rows:
            lanes.setdefault(lane_of(record, self.machine.settings.layout), []).append((offset, record))
        runs = [
            on.LaneRun(lane, lane.tag or self._widest, [o for o, _ in chosen], [r.time_ms for _, r in chosen], chosen)
            for lane, chosen in lanes.items()
        ]
        self.positions[partition] = stop
        self.tell(on.Polled(partition, start, stop, tuple(runs)), now)
        return True

    def _carry_out(self) -> None:
        for effect in self.machine.effects():
            self._one(effect)

    def _one(self, effect: do.Effect) -> None:  # noqa: C901, PLR0912 - one case an effect
        match effect:
            case do.Open():
                self._held(effect.topic_partition, effect)
                self.files[effect.file_id] = SimFile(effect)
            case do.Append(file_id, run, start, stop):
                rows = run.payload
                assert isinstance(rows, list)
                self.files[file_id].rows.extend(rows[start:stop])
                self._measure.append(file_id)
            case do.Flush(file_id) | do.Close(file_id):
                self.files[file_id].flushed_rows = len(self.files[file_id].rows)
                self._measure.append(file_id)
            case do.Upload(file_id):
                self._held(self.files[file_id].spec.topic_partition, effect)
                self.uploads.append(file_id)
            case do.Discard(file_id):
                self.files.pop(file_id, None)
            case do.Commit():
                self._held(effect.topic_partition, effect)
                self.commits.append(effect)
            case do.Seek(topic_partition, offset):
                self._held(topic_partition, effect)
                self.positions[topic_partition] = offset
            case do.Pause(partitions):
                self.resting.update(partitions)
            case do.Resume(partitions):
                self.resting.difference_update(partitions)
            case do.Released(topic_partition):
                self.positions.pop(topic_partition, None)
                self.resting.discard(topic_partition)
            case do.Flushed(flush_id, complete):
                self._flushed(self.flushing.pop(flush_id), complete=complete)
            case do.Fail(error):
                self.failed = error
            case do.Stopped(clean):
                self.stopped = clean

    def flush(self, flush_id: int, now: float) -> None:
        """Ask for everything read so far to be committed."""
        self.flushing[flush_id] = dict(self.positions)
        self.tell(on.Flush(flush_id), now)

    def _flushed(self, positions: dict[TopicPartition, int], *, complete: bool) -> None:
        for partition, position in positions.items():
            offset, _ = self.broker.partitions[partition].committed or (0, "")
            if complete and offset < position:
                self.unflushed.append(f"{partition} stands at {offset}, flushed up to {position}")

    def _held(self, topic_partition: TopicPartition, effect: do.Effect) -> None:
        if topic_partition not in self.positions:
            self.broken.append(f"{type(effect).__name__} for {topic_partition}, which was let go of")

    def object_of(self, file_id: int) -> SimObject:
        """The object a file makes."""
        file = self.files[file_id]
        spec = file.spec
        return SimObject(
            f"{spec.topic_partition}/{spec.lane.encoded_partition}/{spec.first_offset}",
            self.member,
            spec.topic_partition,
            spec.lane.key,
            spec.first_offset,
            file.rows[-1][0],
            tuple(file.rows),
        )

    def finish_upload(self, index: int, fault: str, now: float) -> None:
        """Let one upload come to its end: stored, `before` (nothing written) or `after` (written, reply lost)."""
        file_id = self.uploads.pop(index)
        if file_id not in self.files:
            self.tell(on.UploadFailed(file_id, TimeoutError("nobody waits")), now)
            return
        if fault == "before":
            self.tell(on.UploadFailed(file_id, TimeoutError("503 before")), now)
            return
        item = self.object_of(file_id)
        existing = self.store.create(item)
        if fault == "after":
            self.tell(on.UploadFailed(file_id, TimeoutError("reply lost")), now)
        elif existing is None or existing == item:
            self.tell(on.Uploaded(file_id), now)
        else:
            self.tell(on.Conflict(file_id, existing.last_offset), now)

    def finish_commit(self, fault: str, now: float) -> None:
        """Let the oldest commit come to its end: taken, refused because fenced, or `after` (taken, reply lost)."""
        commit = self.commits.pop(0)
        partition = commit.topic_partition
        if fault == "before":
            self.tell(on.CommitFailed(partition, TimeoutError("coordinator away")), now)
            return
        taken = self.broker.commit(partition, self.member, commit.offset, commit.metadata)
        if not taken:
            self.tell(on.CommitFailed(partition, RuntimeError("fenced"), fenced=True), now)
        elif fault == "after":
            self.tell(on.CommitFailed(partition, TimeoutError("reply lost")), now)
        else:
            self.tell(on.Committed(partition, commit.offset, commit.metadata), now)
