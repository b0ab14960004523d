"""The records that frame a snapshot: what they say, and where they lie in an archive. Reads only.

The topic `<prefix>.<database>` has two records in partition n, that of snapshot n: offset 0 when it begins, offset 1
when every row is stored. A snapshot without the second is unfinished, and is never restored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from streamsink.archive.archive import Archive
from streamsink.database.protocol import Json, Point, Table
from streamsink.errors import NothingThereError, TerminalError
from streamsink.replay.find import find_topic
from streamsink.replay.plan import Selection, make_plan
from streamsink.replay.stream import PartitionStream, Reading
from streamsink.upload.numbered import NumberedRecords, topics_dirs

KIND = "snapshot"
"""The folder of claims among an archive's numbered records."""
BEGIN, END = "begin", "end"
VERSION = 1
_NOT_IN_TOPICS = re.compile(r"[^a-zA-Z0-9._-]")
_TOPIC_LETTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class TableTotals:
    """An end record's totals of a table: rows, our digest of them, and the database's digest, "" where it has none."""

    rows: int
    digest: str
    database_digest: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """The content of a begin record."""

    id: str
    database: str
    at_ms: int
    point: Point
    structure: Json
    tables: tuple[Table, ...]
    topics: Mapping[str, str]
    """By table."""


@dataclass(frozen=True, slots=True)
class Framed:
    """One snapshot in an archive; `totals` by table is None while it is unfinished."""

    topic: str
    number: int
    begin: Begin
    totals: Mapping[str, TableTotals] | None
    end_ms: int | None = None

    @property
    def rows(self) -> int | None:
        """The rows of all tables; None while the snapshot is unfinished."""
        return None if self.totals is None else sum(each.rows for each in self.totals.values())


def frames_topic(prefix: str, database: str) -> str:
    """Name the topic of a database's frames.

    Args:
        prefix: `topic.prefix`, kept as it is.
        database: The database's name.
    """
    return f"{prefix}.{_safe(database)}"


def table_topics(prefix: str, database: str, tables: Sequence[str]) -> dict[str, str]:
    """Name the topic of each table. A character that Kafka refuses becomes `_`, and a hash then keeps names apart.

    Args:
        prefix: `topic.prefix`, kept as it is.
        database: The database's name.
        tables: The tables' names.

    Returns:
        Topics by table, in the same order.
    """
    return {table: f"{frames_topic(prefix, database)}.{_safe(table)}" for table in tables}


def _safe(name: str) -> str:
    plain = _NOT_IN_TOPICS.sub("_", name)[:_TOPIC_LETTERS_MAX]
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def snapshot_id(at_ms: int) -> str:
    """A snapshot's name: its UTC time, fit for a file's name."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{at_ms % 1000:03d}Z"


def begin_value(begin: Begin) -> bytes:
    """Write the begin record."""
    return orjson.dumps(
        {
            "v": VERSION,
            "frame": BEGIN,
            "id": begin.id,
            "database": begin.database,
            "ts_ms": begin.at_ms,
            "point": point_json(begin.point),
            "structure": begin.structure,
            "tables": [
                {
                    "name": table.name,
                    "topic": begin.topics[table.name],
                    "key": list(table.key),
                    "converter": table.converter,
                    "value_schema": table.value_schema,
                    "rows_estimate": table.rows_estimate,
                    "notice": table.notice,
                    "structure": table.structure,
                }
                for table in begin.tables
            ],
        }
    )


def end_value(begin: Begin, totals: Mapping[str, TableTotals], at_ms: int) -> bytes:
    """Write the end record.

    Args:
        begin: The snapshot's begin record.
        totals: Rows and digests by table, all tables of the snapshot.
        at_ms: When the last row was stored, Unix time in milliseconds.

    Returns:
        JSON.
    """
    tables = [
        {"name": name, "rows": each.rows, "digest": each.digest, "database_digest": each.database_digest}
        for name, each in totals.items()
    ]
    return orjson.dumps({"v": VERSION, "frame": END, "id": begin.id, "ts_ms": at_ms, "tables": tables})


def frame_key(begin: Begin, frame: str) -> bytes:
    """Write the key of a frame's record.

    Args:
        begin: The snapshot's begin record.
        frame: `begin` or `end`.

    Returns:
        JSON, which names snapshot and frame.
    """
    return orjson.dumps({"id": begin.id, "frame": frame})


def point_json(point: Point) -> dict[str, Any]:
    """A point as a frame and a claim have it."""
    return {"position": point.position, "words": point.words, "returns": point.returns}


def point_of(told: Mapping[str, Any]) -> Point:
    """The point that `point_json` was given."""
    return Point(told["position"], told["words"], told["returns"])


def find_snapshots(archive: Archive, topic: str = "") -> list[Framed]:
    """Find the snapshots of an archive.

    Args:
        archive: Where.
        topic: Of one database's frames; "" for all.

    Returns:
        By topic and number, unfinished ones too.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: A frame is damaged.
    """
    topics = [topic] if topic else _frames_topics(archive)
    return [framed for name in topics for framed in _framed(archive, name)]


def _frames_topics(archive: Archive) -> list[str]:
    """The topics of claimed snapshots. In a copy without claims, tables' topics tell them by how they begin."""
    folder = archive.prefix.strip("/")
    folders = [folder] if folder else topics_dirs(archive.store, KIND)
    claimed = {topic for each in folders for topic in NumberedRecords(archive.store, KIND, each).topics()}
    if claimed:
        return sorted(claimed)
    topics = {entry.parsed.topic for entry in archive.objects()}
    return sorted({name.rpartition(".")[0] for name in topics} & topics)


def _framed(archive: Archive, topic: str) -> Iterator[Framed]:
    try:
        _, candidates = find_topic(archive, topic)
    except NothingThereError:
        return
    # Two records a snapshot: an object that has more is a table's or a stranger's.
    if any(one.about is None or one.about.last_offset > 1 for one in candidates):
        return
    for plan in make_plan(topic, candidates, Selection(), {}).partitions:
        told: dict[int, Mapping[str, Any]] = {}
        for batch in PartitionStream(archive, plan, Selection(), Reading(), None).batches():
            told |= zip(
                batch.records.column(0).to_pylist(),
                [_read(value) for value in batch.records.column(3).to_pylist()],
                strict=True,
            )
        begin, end = told.get(0, {}), told.get(1, {})
        if begin.get("frame") == BEGIN and begin.get("v") == VERSION:
            totals = _totals(end) if end.get("frame") == END else None
            yield Framed(topic, plan.partition, _begin(begin, topic), totals, end.get("ts_ms"))


def _read(value: bytes | None) -> Mapping[str, Any]:
    try:
        found = orjson.loads(value or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _begin(told: Mapping[str, Any], topic: str) -> Begin:
    try:
        tables = tuple(
            Table(
                each["name"],
                each["structure"],
                tuple(each["key"]),
                each["converter"],
                each["value_schema"],
                each["rows_estimate"],
                each["notice"],
            )
            for each in told["tables"]
        )
        topics = {each["name"]: each["topic"] for each in told["tables"]}
        point = point_of(told["point"])
        return Begin(told["id"], told["database"], told["ts_ms"], point, told["structure"], tables, topics)
    except (KeyError, TypeError) as error:
        raise TerminalError(f"the begin record of a snapshot in {topic} lacks {error}") from error


def _totals(told: Mapping[str, Any]) -> dict[str, TableTotals]:
    return {each["name"]: TableTotals(each["rows"], each["digest"], each["database_digest"]) for each in told["tables"]}
