"""Plays records through a connector's own stages, without broker and store: which objects and commits come of it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field

import pyarrow as pa

from streamsink.config.reading.connector import parse_sink
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.encode.read import open_object
from streamsink.partition.partitioner import make_partitioner
from streamsink.record import RAW_SCHEMA, BadRecord, RawSlice, TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.output import make_output
from streamsink.sink.siblings import Siblings
from streamsink.sink.transforming import with_transforms
from streamsink.upload.memory import MemoryStore
from streamsink.upload.sidecar import write_sidecars
from tests.unit.archive.made import unread

START_S = 1_000_000.0
STORAGE = "io.confluent.connect.storage.partitioner."
CONFLUENT = {
    "name": "orders",
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "t",
    "s3.bucket.name": "archive",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "flush.size": "1000",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}


def value(**members: object) -> bytes:
    return json.dumps(members).encode()


@dataclass(frozen=True, slots=True)
class Record:
    """One message; `at_s` is when it arrives, by the wall clock."""

    value: bytes | None = b"{}"
    time_ms: int | None = 0
    at_s: float | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(slots=True)
class Played:
    """What came of it: each object's records as offsets, its lines, what its siblings say, and what the group has."""

    objects: dict[str, list[int]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    beside: dict[str, list[object]] = field(default_factory=dict)
    committed: int | None = None
    bad: list[BadRecord] = field(default_factory=list)


class Play:
    """A connector from its configuration to its objects.

    Args:
        changes: Keys of a Confluent configuration that differ; None leaves one out.
        topic: The topic that the records are in.
        partition: Kafka's partition.
        first: The offset that the group has.
    """

    def __init__(
        self,
        changes: dict[str, str | None],
        *,
        topic: str = "t",
        partition: int = 0,
        first: int = 0,
        now_s: float = START_S,
    ) -> None:
        raw = {key: text for key, text in {**CONFLUENT, **changes}.items() if text is not None}
        self.config, self.warnings = parse_sink(raw, {"bootstrap.servers": "broker:9092"})
        self.topic_partition = TopicPartition(topic, partition)
        self.now_s = now_s
        self.played = Played()
        self._offset = first
        config = self.config
        tolerant = config.errors.tolerate_all
        self._sorter = LaneSorter(
            with_transforms(config),
            make_partitioner(config),
            with_times=config.rotation.interval_ms is not None,
            tolerant=tolerant,
        )
        self._format = make_output(config)
        self.siblings = None if config.siblings is None else Siblings(config, self._format.extension)
        layout = layout_fingerprint(config)
        self._files = TaskFiles(
            self._format,
            FileOrigin("w", layout, config.naming, siblings=self.siblings.endings if self.siblings else ""),
            self.siblings.tombstones(config.rotation) if self.siblings else None,
        )
        self.store = MemoryStore(uuid.uuid4().hex)
        self._machine = SinkMachine(MachineSettings(rotation=config.rotation, layout=layout))
        self._members: dict[int, list[int]] = {}
        self._tell(on.Assigned(self.topic_partition, first, CommitMetadata(layout).encode()))

    def poll(self, *records: Record) -> None:
        """Records of one poll, all arriving when the first does."""
        if records[0].at_s is not None:
            self.wait_until(records[0].at_s)
        start = self._offset
        rows = [
            {
                "offset": start + number,
                "timestamp": record.time_ms,
                "timestamp_type": 0,
                "key": record.key,
                "value": record.value,
                "headers": [{"key": name, "value": text} for name, text in record.headers],
            }
            for number, record in enumerate(records)
        ]
        self._offset += len(records)
        raw = RawSlice(self.topic_partition, start, self._offset, pa.RecordBatch.from_pylist(rows, RAW_SCHEMA))
        polled, bad = self._sorter.sort(raw, now_ms=int(self.now_s * 1000))
        self.played.bad += bad
        self._tell(polled)

    def wait_until(self, now_s: float) -> None:
        """Time passes."""
        self.now_s = now_s
        self._tell(on.Tick())

    def _tell(self, event: on.Event) -> None:
        waiting = [event]
        while waiting:
            self._machine.handle(waiting.pop(0), now=self.now_s, wall_s=self.now_s)
            for effect in list(self._machine.effects()):
                waiting += self._carry_out(effect)

    def _carry_out(self, effect: do.Effect) -> list[on.Event]:
        match effect:
            case do.Open(file_id):
                self._files.open(effect)
                self._members[file_id] = []
            case do.Append(file_id, run, start, stop):
                self._members[file_id] += [int(offset) for offset in run.offsets[start:stop]]
                return [self._files.append(effect)]
            case do.Close():
                return [self._files.close(effect)]
            case do.Upload(file_id):
                self._store(file_id)
                return [on.Uploaded(file_id)]
            case do.Commit(topic_partition, offset, metadata):
                self.played.committed = offset
                return [on.Committed(topic_partition, offset, metadata)]
            case do.Fail(error):
                raise error
        return []

    def _store(self, file_id: int) -> None:
        description, encoded = self._files.finished(file_id)
        name = description.name
        assert name not in self.played.objects, "an object is created once"
        self.played.objects[name] = self._members[file_id]
        write_sidecars(self.store, description, encoded.sidecar, describe=True, read_content=unread)
        self.store.create(name, encoded.data, description.to_metadata())
        if self.siblings is not None:
            self.siblings.complete(self.store, description, encoded.sidecar)
        rows = list(open_object(name, encoded.data, encoded.sidecar).batches())
        if "value" in rows[0].schema.names:
            self.played.lines[name] = [
                line.decode() for batch in rows for line in batch.column("value").to_pylist() if line
            ]


def play(changes: dict[str, str | None], *records: Record, together: bool = True, **settings: object) -> Played:
    """What comes of records that arrive together, or each by itself."""
    playing = Play(changes, **settings)
    if together:
        playing.poll(*records)
    else:
        for record in records:
            playing.poll(record)
    return playing.played
