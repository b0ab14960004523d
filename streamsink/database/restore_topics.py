"""Restores tables from archived topics in Debezium's envelope: the last state of each row. Prints nothing.

A topic `<prefix>.<database>.<table>` is a table. Rows are written and deleted in offset order, partition by partition,
since a row's key is always in one partition. Debezium keeps no indexes and options: SQL tables have to be there, empty.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.database.debezium import Change, read_change
from streamsink.database.debezium_avro import AvroRecords
from streamsink.database.protocol import Database, Restore, RowBatch, Table
from streamsink.errors import NothingThereError, TerminalError
from streamsink.replay.find import find_topic
from streamsink.replay.plan import Selection, make_plan
from streamsink.replay.stream import PartitionStream, Reading

_LEAST_PARTS = 3


@dataclass(slots=True)
class TopicRestored:
    """One topic: how many records were read, rows written and deleted, some of them more than once."""

    topic: str
    table: str
    records: int = 0
    written: int = 0
    deleted: int = 0


@dataclass(slots=True)
class TopicsReport:
    """The outcome of a restore from topics."""

    topics: list[TopicRestored] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False


Report = Callable[[int, int | None], None]


def topics_of_tables(archive: Archive, names: Sequence[str]) -> dict[str, str]:
    """Find archived topics that are named as tables' are.

    Args:
        archive: Where.
        names: Only these tables; empty for all.

    Returns:
        Tables' names by topic.

    Raises:
        NothingThereError: There are none.
        TerminalError: Two topics are one table's, or a table has none.
    """
    topics = sorted({entry.parsed.topic for entry in archive.objects()})
    found = {topic: topic.split(".", 2)[2] for topic in topics if topic.count(".") >= _LEAST_PARTS - 1}
    chosen = {topic: table for topic, table in found.items() if not names or table in names}
    if not chosen:
        raise NothingThereError(
            f"{archive.url} has no snapshot, and no topic PREFIX.DATABASE.TABLE",
            hint="streamsink archive ls lists its topics",
        )
    twice = sorted({table for table in chosen.values() if list(chosen.values()).count(table) > 1})
    if twice:
        raise TerminalError(f"several topics are of table {', '.join(twice)}", hint="archive one of them apart")
    missing = sorted(set(names) - set(chosen.values()))
    if missing:
        raise TerminalError(f"no topic is of table {', '.join(missing)}", hint=f"there are {', '.join(found.values())}")
    return chosen


def restore_topics(
    archive: Archive,
    topics: Mapping[str, str],
    database: Database,
    *,
    documents: bool,
    stop: threading.Event,
    report: Report,
) -> TopicsReport:
    """Write the last state of each row.

    Args:
        archive: Where from.
        topics: Each with its table.
        database: Where to.
        documents: Whether it takes BSON documents, and makes collections without being told their structure.
        stop: Ends it.
        report: Told how many records were read.

    Returns:
        Records read, rows written and deleted, by topic.

    Raises:
        TransientError: Store or database can't be reached.
        TerminalError: A record can't be followed, or the database refuses.
    """
    began_s = time.monotonic()
    done = TopicsReport()
    tables = _collections(topics) if documents else _empty_tables(database, topics)
    avro = AvroRecords(archive.store)
    way = database.restore()
    try:
        for topic, name in topics.items():
            if documents:
                way.create(tables[name])
            restored = TopicRestored(topic, name)
            done.topics.append(restored)
            for records in _records(archive, topic):
                if stop.is_set():
                    done.stopped = True
                    return done
                _apply(way, tables[name], records, avro, restored, documents=documents)
                report(sum(each.records for each in done.topics), None)
    finally:
        way.close()
        done.seconds = time.monotonic() - began_s
    return done


def _collections(topics: Mapping[str, str]) -> dict[str, Table]:
    return {
        name: Table(name, {"name": name, "type": "collection", "options": {}, "indexes": []}, ("_id",), "bson")
        for name in topics.values()
    }


def _empty_tables(database: Database, topics: Mapping[str, str]) -> dict[str, Table]:
    """The tables as they are in the database, which have to be there and empty."""
    view = database.snapshot(list(topics.values()))
    try:
        tables = {table.name: table for table in view.tables}
        for table in tables.values():
            if next(view.rows(table, after=None, batch_rows=1), None) is not None:
                raise TerminalError(f"table {table.name} has rows", hint="restore into empty tables")
        return tables
    finally:
        view.close()


def _records(archive: Archive, topic: str) -> Iterator[pa.RecordBatch]:
    _, candidates = find_topic(archive, topic)
    plan = make_plan(topic, candidates, Selection(), {})
    for partition in plan.partitions:
        for batch in PartitionStream(archive, partition, Selection(), Reading(), None).batches():
            if batch.records.num_rows:
                yield batch.records


def _apply(
    way: Restore,
    table: Table,
    records: pa.RecordBatch,
    avro: AvroRecords,
    restored: TopicRestored,
    *,
    documents: bool,
) -> None:
    """The last change of each key in some records that follow each other."""
    last: dict[bytes | int, tuple[bytes | None, bytes | None]] = {}
    for number, (key, value) in enumerate(
        zip(records.column(2).to_pylist(), records.column(3).to_pylist(), strict=True)
    ):
        restored.records += 1
        readable = avro.key_as_json(key)
        if value is None and readable is None and key is not None:
            continue  # the delete before it has told of the row
        change = read_change(readable, avro.as_json(value))
        if change is None or change.frame is not None:
            continue
        row_key, row = _document_row(change) if documents else _table_row(table, change)
        if row_key is None and row is None:
            raise TerminalError(
                f"a row of {table.name} without a key was deleted", hint="only tables with keys can be followed"
            )
        last[number if row_key is None else row_key] = row_key, row
    written = [(key, row) for key, row in last.values() if row is not None]
    gone = [key for key, row in last.values() if row is None]
    if written:
        keys, rows = zip(*written, strict=True)
        way.load(table, RowBatch(pa.array(keys, pa.binary()), pa.array(rows, pa.binary())))
    if gone:
        way.delete(table, pa.array(gone, pa.binary()))
    restored.written += len(written)
    restored.deleted += len(gone)


def _table_row(table: Table, change: Change) -> tuple[bytes | None, bytes | None]:
    after = change.after
    whole: Mapping[str, Any] = after if isinstance(after, Mapping) else (change.key or {})
    missing = [name for name in table.key if name not in whole]
    if missing:
        raise TerminalError(f"a record of {table.name} lacks the key's {', '.join(missing)}")
    key = orjson.dumps({name: whole[name] for name in table.key}) if table.key else None
    return key, None if after is None else orjson.dumps(after)


def _document_row(change: Change) -> tuple[bytes | None, bytes | None]:
    from streamsink.database.bson_rows import from_extended_json, key_of, key_of_id  # noqa: PLC0415 (an extra)

    if change.after is not None:
        text = change.after if isinstance(change.after, str) else orjson.dumps(change.after).decode()
        document = from_extended_json(text)
        return key_of(document), document
    told = dict(change.key or {})
    if "_id" in told:
        return key_of_id(orjson.dumps(told["_id"]).decode()), None
    return (key_of_id(str(told["id"])), None) if "id" in told else (None, None)
