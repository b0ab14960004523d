"""A database source's task: puts snapshots of its tables into topics, one after another. Reads no configuration.

The position is committed as replays' are: as metadata of an offset of the topic, in the group of the connector, in the
records' own transaction. That of a table says how many rows of which snapshot were sent, that of the frames' topic
which snapshot has begun, or has ended.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import structlog

from streamsink.config.reading.database import DatabaseSourceConfig
from streamsink.database.digest import RowDigest
from streamsink.database.envelope import Envelope, records_of
from streamsink.database.feed import with_last
from streamsink.database.frames import (
    BEGIN,
    END,
    Begin,
    TableTotals,
    begin_value,
    end_value,
    frame_key,
    frames_topic,
    point_json,
    point_of,
    snapshot_id,
    table_topics,
)
from streamsink.database.open import open_database
from streamsink.database.protocol import RowBatch, Snapshot, Table
from streamsink.errors import TerminalError, TransientError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.replay.committed import Place
from streamsink.replay.position import METADATA_BYTES_MAX
from streamsink.replay.send import Sender
from streamsink.replay.target import ANY_PARTITION, create_topic, make_admin, partition_count

BATCH_ROWS = 2_000
COMMIT_INTERVAL_S = 1.0
IDLE_S = 1.0
VERSION = 1

_log = structlog.get_logger("streamsink.database")

Tell = Callable[[TaskSnapshot], None]
State = Mapping[str, Any]


def run_database_source(config: DatabaseSourceConfig, *, task_id: int, stop: threading.Event, report: Tell) -> None:
    """Take snapshots until stopped.

    Args:
        config: The connector's configuration.
        task_id: The task's number, which decides its share of the tables.
        stop: Ends the task.
        report: Told progress and state.

    Raises:
        TransientError: The database or the brokers can't be reached now.
        TerminalError: They refuse.
    """
    task = _Task(config, task_id, report)
    while not stop.is_set():
        task.round(stop)
        task.wait(stop)


class _Task:
    def __init__(self, config: DatabaseSourceConfig, task_id: int, tell: Tell) -> None:
        self._config = config
        self._task_id = task_id
        self._tell_worker = tell
        self._database = open_database(config.url, config.options)
        self._frames = frames_topic(config.prefix, self._database.name)
        self._admin = make_admin(config.producer)
        self._next_at_ms: int | None = 0
        times = "each row once, for readers of committed records" if config.transactional else "each row at least once"
        self._snapshot = TaskSnapshot(assigned=True, guarantee=f"{times}, in Debezium's envelope")

    def wait(self, stop: threading.Event) -> None:
        """Until the next snapshot is due."""
        while not stop.is_set() and (self._next_at_ms is None or time.time() * 1000 < self._next_at_ms):
            self._tell_worker(self._snapshot)
            stop.wait(IDLE_S)

    def round(self, stop: threading.Event) -> None:
        """Take a snapshot where one is due, or go on with the one that was begun."""
        frames = self._sender(self._frames)
        try:
            state = _read(frames.committed(1))
            if state is not None and state["stage"] == END and self._rests(state):
                return
            snapshot, begin, fresh = self._open(state)
            try:
                if fresh:
                    self._frame(frames, begin, BEGIN, begin_value(begin))
                totals = self._tables(snapshot, begin, stop)
            finally:
                snapshot.close()
            if totals is not None:
                ended_ms = int(time.time() * 1000)
                self._frame(frames, begin, END, end_value(begin, totals, ended_ms), at_ms=ended_ms)
                self._rests({"ts_ms": ended_ms})
                _log.info("snapshot ended", snapshot=begin.id, rows=sum(each.rows for each in totals.values()))
        finally:
            frames.close()

    def _rests(self, ended: State) -> bool:
        """Whether the next snapshot is not due yet."""
        interval_ms = self._config.interval_ms
        self._next_at_ms = None if interval_ms is None else ended["ts_ms"] + interval_ms
        return self._next_at_ms is None or time.time() * 1000 < self._next_at_ms

    def _open(self, state: State | None) -> tuple[Snapshot, Begin, bool]:
        """The view to read, what its begin record says, and whether that is yet to be sent."""
        if state is not None and state["stage"] == BEGIN and state["point"]["returns"] and state["tables"]:
            try:
                snapshot = self._database.snapshot(state["tables"], point_of(state["point"]))
            except TerminalError as error:
                _log.warning("the unfinished snapshot can't go on", snapshot=state["id"], reason=error.message)
            else:
                return snapshot, self._begin(snapshot, state["id"], state["ts_ms"], state["tables"]), False
        snapshot = self._database.snapshot(self._config.tables)
        at_ms = int(time.time() * 1000)
        own = [table.name for table in snapshot.tables if self._owns(table.name)]
        return snapshot, self._begin(snapshot, snapshot_id(at_ms), at_ms, own), True

    def _owns(self, table: str) -> bool:
        """Tell whether a table is this task's. Other tables don't change that."""
        return zlib.crc32(table.encode()) % self._config.tasks_max == self._task_id

    def _begin(self, snapshot: Snapshot, identity: str, at_ms: int, names: list[str]) -> Begin:
        tables = tuple(table for table in snapshot.tables if table.name in names)
        topics = table_topics(self._config.prefix, self._database.name, names)
        return Begin(identity, self._database.name, at_ms, snapshot.point, snapshot.structure, tables, topics)

    def _frame(self, frames: Sender, begin: Begin, stage: str, value: bytes, *, at_ms: int | None = None) -> None:
        keys, values = ([frame_key(begin, stage)], [value])
        records = records_of(pa.array(keys, pa.binary()), pa.array(values, pa.binary()), begin.at_ms)
        frames.send(records, 0)
        state = {
            "v": VERSION,
            "stage": stage,
            "id": begin.id,
            "ts_ms": begin.at_ms if at_ms is None else at_ms,
            "point": point_json(begin.point),
            "tables": [table.name for table in begin.tables],
        }
        text = orjson.dumps(state).decode()
        if len(text.encode()) > METADATA_BYTES_MAX:
            # Names of so many tables don't fit: killed, it can't go on, and another one begins.
            text = orjson.dumps({**state, "tables": []}).decode()
        frames.commit([Place(0, 1, text)])

    def _tables(self, snapshot: Snapshot, begin: Begin, stop: threading.Event) -> dict[str, TableTotals] | None:
        """Send all tables; what they had, or None where it was stopped."""
        totals: dict[str, TableTotals] = {}
        for table in begin.tables:
            sender = self._sender(begin.topics[table.name])
            try:
                found = _TableRun(self, snapshot, begin, table, sender).to_end(stop)
            except TransientError as error:
                if snapshot.point.returns:
                    raise
                raise TransientError(
                    f"{error.message}; the next attempt takes a new snapshot", hint=error.hint
                ) from error
            finally:
                sender.close()
            if found is None:
                return None
            totals[table.name] = found
        return totals

    def _sender(self, topic: str) -> Sender:
        config = self._config
        if partition_count(self._admin, topic, config.producer.get("bootstrap.servers", "")) is None:
            create_topic(self._admin, topic, -1, config.producer.get("bootstrap.servers", ""))
        sender = Sender(
            config.producer,
            topic,
            resume_id=config.group_of(self._task_id),
            transactional=config.transactional,
            task=self._task_id,
        )
        sender.begin()
        return sender

    def envelope(self, table: Table, begin: Begin) -> Envelope:
        """That of a table's rows."""
        return Envelope(self._config.prefix, begin.database, table, at_ms=begin.at_ms, snapshot_id=begin.id)

    @property
    def rate(self) -> int | None:
        """Rows a second at most."""
        return self._config.rate

    def sent(self, rows: int, *, committed: bool) -> None:
        """Tell the worker the progress."""
        at_ms = int(time.time() * 1000) if committed else self._snapshot.last_commit_ms
        self._snapshot = replace(
            self._snapshot, records_total=self._snapshot.records_total + rows, last_commit_ms=at_ms
        )
        self._tell_worker(self._snapshot)


class _TableRun:
    """One table on its way into its topic."""

    def __init__(self, task: _Task, snapshot: Snapshot, begin: Begin, table: Table, sender: Sender) -> None:
        self._task = task
        self._snapshot = snapshot
        self._begin = begin
        self._table = table
        self._sender = sender
        self._digest = RowDigest(keyed=bool(table.key))
        self._sent = 0

    def to_end(self, stop: threading.Event) -> TableTotals | None:
        """Send what was not sent yet. All rows are read, since all count."""
        state = _read(self._sender.committed(1))
        done = state["rows"] if state is not None and state.get("id") == self._begin.id else 0
        envelope = self._task.envelope(self._table, self._begin)
        due_s = time.monotonic() + COMMIT_INTERVAL_S
        batch_rows = min(BATCH_ROWS, self._task.rate or BATCH_ROWS)
        batches = self._snapshot.rows(self._table, after=None, batch_rows=batch_rows)
        for rows, last in with_last(batches):
            if stop.is_set():
                self._commit()
                return None
            skipped = min(len(rows.values), max(0, done - self._digest.rows))
            self._digest.add(rows.keys, rows.values)
            left = RowBatch(rows.keys.slice(skipped), rows.values.slice(skipped))
            if len(left.values):
                self._sender.send(envelope.records(left, last=last), ANY_PARTITION)
                self._sent += len(left.values)
                if self._task.rate:
                    stop.wait(len(left.values) / self._task.rate)
            if time.monotonic() >= due_s:
                self._commit()
                due_s = time.monotonic() + COMMIT_INTERVAL_S
        self._commit()
        return TableTotals(self._digest.rows, self._digest.text(), self._snapshot.digest(self._table))

    def _commit(self) -> None:
        if self._sent:
            text = orjson.dumps({"v": VERSION, "id": self._begin.id, "rows": self._digest.rows}).decode()
            self._sender.commit([Place(0, self._digest.rows, text)])
            self._task.sent(self._sent, committed=True)
            self._sent = 0


def _read(committed: Mapping[int, list[str]]) -> State | None:
    """The position that is committed, where it is one of ours."""
    try:
        found = orjson.loads(committed[0][0])
    except (KeyError, IndexError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) and found.get("v") == VERSION and "id" in found else None
