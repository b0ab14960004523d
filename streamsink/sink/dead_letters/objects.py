"""Stores bad records as objects, for `errors.deadletter.url`, as an archive that `streamsink replay` can read.

Each object holds bad records of one topic partition as raw rows, Connect's headers after the record's own, and is named
by its first record. What another run or member has stored is looked for when the first bad record of a partition comes
after its assignment, or one that came before, so that each is there once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streamsink.config.sink import Encoding, Naming, Rotation
from streamsink.encode.formats import make_format
from streamsink.errors import AlreadyExistsError, TransientError
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, HEADERS_TYPE, TIMESTAMP_TYPE, BadRecord, TopicPartition
from streamsink.sink.dead_letters.protocol import context
from streamsink.upload.description import ObjectDescription
from streamsink.upload.name import object_name, parse_name
from streamsink.upload.protocol import Store

WAITING_BYTES_MAX = 4 * 1024 * 1024
RECORD_BYTES = 200
"""The memory of a record beyond its bytes, about."""
RETRY_S = 0.5
LOOKED_BACK = 8
"""How many objects that begin before a bad record are looked into for it; each run adds one that may reach so far."""
LAYOUT = "deadletters"

_NAMING = Naming(topics_dir="")


class DeadLetterObjects:
    """Bad records that wait, and the store they go to.

    Args:
        store: Rooted at `errors.deadletter.url`.
        connector: The connector's name, for the headers.
        task_id: The task's number, for the headers.
        writer: Who writes, for the objects' descriptions.
    """

    def __init__(self, store: Store, *, connector: str, task_id: int, writer: str) -> None:
        self._store = store
        self._connector = connector
        self._task_id = task_id
        self._writer = writer
        self._format = make_format(Encoding(), Rotation())
        self._waiting: dict[TopicPartition, dict[int, BadRecord]] = {}
        self._waiting_bytes = 0
        self._reached: dict[TopicPartition, int] = {}
        self._stored: dict[TopicPartition, set[int]] = {}

    def send(self, bad: Sequence[BadRecord]) -> None:
        """Take records; see `DeadLetters`."""
        for record in bad:
            waiting = self._waiting.setdefault(record.topic_partition, {})
            if record.offset not in waiting:
                self._waiting_bytes += _memory_bytes(record)
            waiting[record.offset] = record
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self.flush(RETRY_S * 20)

    def flush(self, timeout_s: float) -> None:
        """Store the records that wait; see `DeadLetters`."""
        deadline_s = time.monotonic() + timeout_s
        while self._waiting:
            partition = next(iter(self._waiting))
            try:
                self._store_partition(partition, self._waiting[partition])
            except TransientError as error:
                if time.monotonic() + RETRY_S > deadline_s:
                    said = f"{len(self._waiting[partition])} records still wait for {self._store.url}: {error.message}"
                    raise TransientError(said, hint="is the store up?") from error
                time.sleep(RETRY_S)
                continue
            del self._waiting[partition]
        self._waiting_bytes = 0

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget what is stored of these partitions, and look again before the next write; see `DeadLetters`."""
        for partition in partitions:
            for record in self._waiting.pop(partition, {}).values():
                self._waiting_bytes -= _memory_bytes(record)
            self._reached.pop(partition, None)
            self._stored.pop(partition, None)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _store_partition(self, partition: TopicPartition, waiting: dict[int, BadRecord]) -> None:
        """Store waiting records until each is in an object; `waiting` shrinks by each stored one."""
        first = min(waiting)
        if first <= self._reached.get(partition, first):
            self._stored[partition] = self._stored_from(partition, first)
        self._reached[partition] = max(waiting)
        for offset in self._stored[partition] & waiting.keys():
            del waiting[offset]
        while waiting:
            records = [waiting[offset] for offset in sorted(waiting)]
            name = object_name(
                _NAMING,
                partition.topic,
                f"partition={partition.partition}",
                partition.partition,
                records[0].offset,
                self._format.extension,
            )
            try:
                self._create(name, partition, records)
            except AlreadyExistsError:
                stored = _offsets_of(self._store.get(name))
                # Another member's object may go on beyond the records that wait here.
                self._stored[partition] |= stored
                for offset in stored & waiting.keys():
                    del waiting[offset]
                assert records[0].offset in stored, "an object holds the record it is named by"
                continue
            waiting.clear()

    def _stored_from(self, partition: TopicPartition, first: int) -> set[int]:
        """The offsets of a partition's dead letters that objects hold, from `first` on."""
        prefix = f"{partition.topic}/partition={partition.partition}/"
        starts = [
            (parsed.start_offset, info.name)
            for info in self._store.list(prefix)
            if (parsed := parse_name(info.name, _NAMING))
        ]
        before = sorted(one for one in starts if one[0] < first)[-LOOKED_BACK:]
        names = [name for _, name in (*before, *(one for one in starts if one[0] >= first))]
        return {offset for name in names for offset in _offsets_of(self._store.get(name)) if offset >= first}

    def _create(self, name: str, partition: TopicPartition, records: Sequence[BadRecord]) -> None:
        writer = self._format.open(_SCHEMA, identity=name)
        writer.append(self._rows(records))
        times = [record.timestamp_ms for record in records if record.timestamp_ms is not None]
        draft = ObjectDescription(
            name=name,
            topic=partition.topic,
            partition=partition.partition,
            encoded_partition=f"partition={partition.partition}",
            lane=f"partition={partition.partition}",
            first_offset=records[0].offset,
            last_offset=records[-1].offset,
            record_count=len(records),
            timestamp_min_ms=min(times, default=None),
            timestamp_max_ms=max(times, default=None),
            layout=LAYOUT,
            writer=self._writer,
            reason="deadletters",
        )
        encoded = writer.finish(draft.to_footer())
        sealed = draft.sealed(sha256=encoded.sha256, md5=encoded.md5, size_bytes=len(encoded.data))
        self._store.create(name, encoded.data, sealed.to_metadata())

    def _rows(self, records: Sequence[BadRecord]) -> pa.RecordBatch:
        headers = []
        for record in records:
            found = [*record.headers, *context(record, connector=self._connector, task_id=self._task_id)]
            headers.append([{"key": key, "value": value} for key, value in found])
        times = [record.timestamp_ms for record in records]
        columns = {
            "partition": pa.array(np.full(len(records), records[0].topic_partition.partition, np.int32)),
            "offset": pa.array([record.offset for record in records], pa.int64()),
            "timestamp": pa.array(times, pa.int64()).cast(TIMESTAMP_TYPE),
            "timestamp_type": pa.array([-1 if at is None else 0 for at in times], pa.int8()),
            "key": pa.array([record.key for record in records], pa.binary()),
            "headers": pa.array(headers, HEADERS_TYPE),
        }
        envelope = pa.StructArray.from_arrays(
            [columns[field.name] for field in ENVELOPE_FIELDS], fields=list(ENVELOPE_FIELDS)
        )
        values = pa.array([record.value for record in records], pa.binary())
        return pa.RecordBatch.from_arrays([envelope, values], schema=_SCHEMA)


_SCHEMA = pa.schema(
    [pa.field(ENVELOPE, pa.struct(list(ENVELOPE_FIELDS)), nullable=False), pa.field("value", pa.binary())]
)


def _memory_bytes(record: BadRecord) -> int:
    return RECORD_BYTES + len(record.key or b"") + len(record.value or b"")


def _offsets_of(data: bytes) -> set[int]:
    table = pq.read_table(pa.BufferReader(data), columns=[ENVELOPE])
    return set(pc.struct_field(table.column(ENVELOPE), "offset").to_pylist())
