"""Restores a snapshot of an archive into a database, and compares what arrived. Prints nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from streamsink.archive.archive import Archive
from streamsink.database.digest import RowDigest
from streamsink.database.frames import Framed, TableTotals, find_snapshots
from streamsink.database.protocol import Database, Restore, RowBatch, Table
from streamsink.errors import ConfigError, NothingThereError, Problem, TerminalError
from streamsink.replay.find import find_topic
from streamsink.replay.plan import Selection, make_plan
from streamsink.replay.stream import PartitionStream, Reading

COMPARE_ROWS = 5_000


@dataclass(slots=True)
class TableRestored:
    """One table: how many rows were written, and whether what the database has now is what was archived.

    `equal` is None where nothing can tell. `compared_by` says what did: the database's own digest, or ours over all
    rows, read back.
    """

    name: str
    rows: int = 0
    equal: bool | None = None
    compared_by: str = ""
    notice: str = ""


@dataclass(slots=True)
class RestoreReport:
    """The outcome of a restore, or its forecast."""

    framed: Framed
    tables: list[TableRestored] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False
    dry_run: bool = False

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(each.rows for each in self.tables)

    @property
    def equal(self) -> bool:
        """Whether no table differs."""
        return not self.stopped and all(each.equal is not False for each in self.tables)


Report = Callable[[int, int | None], None]
"""Told of rows so far, and of all."""


def choose_snapshot(archive: Archive, database: str, wanted: str) -> Framed:
    """Choose the snapshot to restore.

    Args:
        archive: Where.
        database: Name of the target database. Snapshots of this name come first.
        wanted: A snapshot's id; "" for the newest finished one.

    Returns:
        A finished snapshot.

    Raises:
        ConfigError: Several databases are archived, and none is meant.
        NothingThereError: There is no such snapshot, or none that is finished.
        TerminalError: It is unfinished.
    """
    found = find_snapshots(archive)
    if wanted:
        chosen = [each for each in found if each.begin.id == wanted]
        if not chosen:
            raise NothingThereError(f"{archive.url} has no snapshot {wanted}", hint="streamsink database ls lists them")
        if len(chosen) > 1:
            raise ConfigError([Problem("--snapshot", f"several databases have a snapshot {wanted}")])
        if chosen[0].totals is None:
            raise TerminalError(
                f"snapshot {wanted} is unfinished: it has no end record",
                hint="run database snapshot again, or choose another",
            )
        return chosen[0]
    finished = [each for each in found if each.totals is not None]
    own = [each for each in finished if each.begin.database == database] or finished
    topics = {each.topic for each in own}
    if len(topics) > 1:
        raise ConfigError(
            [Problem("--snapshot", f"the archive has {len(topics)} databases: {', '.join(sorted(topics))}")],
            hint="name the snapshot; streamsink database ls lists them",
        )
    if not own:
        unfinished = f": {len(found)} unfinished" if found else ""
        raise NothingThereError(
            f"{archive.url} has no finished snapshot{unfinished}", hint="streamsink database ls lists them"
        )
    return max(own, key=lambda each: each.number)


def chosen_tables(framed: Framed, names: Sequence[str]) -> list[Table]:
    """Choose tables of a snapshot.

    Args:
        framed: The snapshot.
        names: The tables' names; empty for all.

    Returns:
        In the snapshot's order, parents before tables that refer to them.

    Raises:
        TerminalError: It lacks one.
    """
    known = {table.name: table for table in framed.begin.tables}
    missing = [name for name in names if name not in known]
    if missing:
        raise TerminalError(
            f"snapshot {framed.begin.id} has no table {', '.join(missing)}", hint=f"it has {', '.join(known)}"
        )
    return [table for table in framed.begin.tables if not names or table.name in names]


def forecast(framed: Framed, tables: Sequence[Table]) -> RestoreReport:
    """Say what a restore would write. Changes nothing.

    Args:
        framed: A finished snapshot.
        tables: Tables of it.

    Returns:
        A report with the rows of each table, marked as a dry run.
    """
    assert framed.totals is not None, "unfinished snapshots are refused before"
    told = [TableRestored(table.name, framed.totals[table.name].rows, notice=table.notice) for table in tables]
    return RestoreReport(framed, told, dry_run=True)


def restore_snapshot(
    archive: Archive,
    framed: Framed,
    tables: Sequence[Table],
    database: Database,
    *,
    stop: threading.Event,
    report: Report,
) -> RestoreReport:
    """Make the tables, load them, and compare.

    Args:
        archive: Where from.
        framed: A finished snapshot.
        tables: Tables of it, parents first. A part of them leaves out what belongs to the whole database.
        database: Where to.
        stop: Ends it between two batches; what is loaded stays.
        report: Told rows done, and all rows.

    Returns:
        Rows and digests by table, and what differs.

    Raises:
        TransientError: Store or database can't be reached.
        TerminalError: The archive lacks rows, or the database refuses.
    """
    began_s = time.monotonic()
    assert framed.totals is not None, "unfinished snapshots are refused before"
    done = RestoreReport(framed)
    total = sum(framed.totals[table.name].rows for table in tables)
    way = database.restore()
    try:
        for table in tables:
            way.create(table)
        for table in tables:
            loaded = TableRestored(table.name, notice=table.notice)
            done.tables.append(loaded)
            _load(archive, framed, table, way, loaded, stop=stop, report=lambda: report(done.rows, total))
            if stop.is_set():
                done.stopped = True
                return done
        # A part of the tables leaves out what belongs to the database as a whole and may name the others.
        whole = len(tables) == len(framed.begin.tables)
        way.finish(framed.begin.structure if whole else {}, tables)
        _compare(database, way, tables, framed, done)
    finally:
        way.close()
        done.seconds = time.monotonic() - began_s
    return done


def _load(
    archive: Archive,
    framed: Framed,
    table: Table,
    way: Restore,
    loaded: TableRestored,
    *,
    stop: threading.Event,
    report: Callable[[], None],
) -> None:
    assert framed.totals is not None
    expected = framed.totals[table.name]
    digest = RowDigest(keyed=bool(table.key))
    for rows in archived_rows(archive, framed.begin.topics[table.name], framed.number):
        if stop.is_set():
            return
        digest.add(rows.keys, rows.values)
        way.load(table, rows)
        loaded.rows += len(rows.values)
        report()
    if (digest.rows, digest.text()) != (expected.rows, expected.digest):
        raise TerminalError(
            f"the archive has {digest.rows} rows of {table.name}, and its snapshot had {expected.rows}, or others",
            hint="streamsink archive verify tells which object is damaged or gone",
        )


def archived_rows(archive: Archive, topic: str, number: int) -> Iterator[RowBatch]:
    """Read the rows of one snapshot of a table, in order.

    Args:
        archive: Where.
        topic: The table's topic.
        number: The snapshot's number, which is the partition.

    Yields:
        Batches in offset order, none empty. Nothing where the archive has no such topic.

    Raises:
        CorruptObjectError: An object is damaged or gone.
        TransientError: The store can't be read now.
    """
    try:
        _, candidates = find_topic(archive, topic)
    except NothingThereError:
        return
    plan = make_plan(topic, candidates, Selection(partitions=frozenset({number})), {})
    for partition in plan.partitions:
        for batch in PartitionStream(archive, partition, Selection(), Reading(), None).batches():
            if batch.records.num_rows:
                yield RowBatch(batch.records.column(2), batch.records.column(3))


def _compare(database: Database, way: Restore, tables: Sequence[Table], framed: Framed, done: RestoreReport) -> None:
    """Whether the database has now what was archived: by its own digest, or by reading all rows back."""
    assert framed.totals is not None
    left: list[tuple[Table, TableRestored, TableTotals]] = []
    for table, restored in zip(tables, done.tables, strict=True):
        expected = framed.totals[table.name]
        own = way.digest(table) if expected.database_digest else ""
        if own:
            restored.equal, restored.compared_by = own == expected.database_digest, "the database's digest"
        else:
            left.append((table, restored, expected))
    if not left:
        return
    view = database.snapshot([table.name for table, _, _ in left])
    try:
        now = {table.name: table for table in view.tables}
        for table, restored, expected in left:
            rows = view.rows(now[table.name], after=None, batch_rows=COMPARE_ROWS)
            digest = RowDigest(keyed=bool(table.key)).add_all(rows)
            restored.equal = (digest.rows, digest.text()) == (expected.rows, expected.digest)
            restored.compared_by = "all rows, read back"
    finally:
        view.close()
