"""One consistent snapshot of a MariaDB database: rows in key order, page by page. Knows nothing of archives.

`START TRANSACTION WITH CONSISTENT SNAPSHOT` takes no lock, and the binary log tells where it stands. A page is one
statement behind the key of the last one, so that no result stays open while a store is slow.
A server with a binary log lets a transaction give back its lock on a table's definition only where `sql_log_bin` is
off. A user who may set that (BINLOG ADMIN) holds no ALTER up: it ends the snapshot instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pymysql.err import OperationalError

from streamsink.database.mariadb.columns import quoted
from streamsink.database.mariadb.connection import Connection
from streamsink.database.mariadb.failures import AGAIN, CHANGED, told
from streamsink.database.mariadb.programs import programs, sequences
from streamsink.database.mariadb.rows import Cells, TableReader
from streamsink.database.mariadb.structure import Catalog, is_as_it_was
from streamsink.database.protocol import Json, Point, RowBatch, Table
from streamsink.errors import SnapshotGoneError

_WORDS = "InnoDB tables as of one moment (consistent snapshot{gtid})"
_OTHERS = "; {tables} at the time of reading"
_LEFT_OUT = "; not kept: {names}"


class MariaSnapshot:
    """See `Snapshot`. Opens the view, and reads the structure inside it."""

    def __init__(self, connection: Connection, tables: Sequence[str]) -> None:
        self._connection = connection
        self._database = connection.address.database
        with told(f"opening a snapshot of {self._database}"):
            connection.set({"sql_mode": "''"})
            connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.set_if_allowed("sql_log_bin", "0")
            catalog = Catalog(connection, self._database)
            # A choice of tables is just these: views and routines may speak of others.
            whole = {} if tables else programs(connection, self._database)
            connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            position = _position(connection)
        with told(f"reading the structure of {self._database}", in_view=True):
            connection.execute("SAVEPOINT page")
            self._tables = catalog.tables(tables)
            self._row_bytes = catalog.row_bytes
            names = [table.name for table in self._tables]
            # Read inside the view: a number from before it would be given out twice after a restore.
            told_of = {"tables": names, "sequences": sequences(connection, self._database)}
            self._structure: Json = {**whole, **told_of} if whole else {}
            connection.execute("ROLLBACK TO SAVEPOINT page")
            connection.set({"character_set_results": "NULL"})
        self._point = Point(position, self._words(position), returns=False)

    def _words(self, position: Json) -> str:
        gtid = f" at GTID {position['gtid']}" if position.get("gtid") else ", no binary log"
        others = [table.name for table in self._tables if not table.structure["consistent"]]
        left_out = self._structure.get("left_out", [])
        return (
            _WORDS.format(gtid=gtid)
            + (_OTHERS.format(tables=", ".join(others)) if others else "")
            + (_LEFT_OUT.format(names=", ".join(left_out)) if left_out else "")
        )

    @property
    def point(self) -> Point:
        """See `Snapshot.point`."""
        return self._point

    @property
    def tables(self) -> Sequence[Table]:
        """See `Snapshot.tables`."""
        return self._tables

    @property
    def structure(self) -> Json:
        """See `Snapshot.structure`."""
        return self._structure

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`."""
        assert table.key or after is None, "a table without key has no place to go on from"
        with told(f"reading {self._database}.{table.name}", in_view=True):
            if table.key and table.structure["ordered_by_index"]:
                yield from self._pages(table, after, batch_rows)
            else:
                yield from self._streamed(table, after, batch_rows)

    def _pages(self, table: Table, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        reader = TableReader(table)
        wanted = reader.page_rows(self._row_bytes[table.name], batch_rows)
        while True:
            count = size = 0
            last: Sequence[Cells] = ()
            self._connection.execute("SAVEPOINT page")
            for cells in self._page(reader, f"{reader.select(after)} LIMIT {wanted}", wanted):
                if last:
                    batch = reader.batch(last)
                    size += batch.values.nbytes
                    yield batch
                count += len(cells)
                last = cells
            # Before the last part is given: who takes it may be slow, and the table should be nobody's meanwhile.
            self._connection.execute("ROLLBACK TO SAVEPOINT page")
            if not last:
                return
            batch = reader.batch(last)
            yield batch
            if count < wanted:
                return
            after = batch.keys[-1].as_py()
            wanted = reader.page_rows((size + batch.values.nbytes) // count, batch_rows)

    def _page(self, reader: TableReader, statement: str, most: int) -> Iterator[Sequence[Cells]]:
        """A page at once, or as it comes where its size can't be told."""
        if not reader.bounded:
            with self._connection.stream(statement) as cursor:
                yield from reader.parts(iter(cursor.fetchone, None), most)
        elif cells := self._connection.cells(statement):
            yield cells

    def _streamed(self, table: Table, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """One statement for all rows: where no index gives their order, each page would read all of them."""
        reader = TableReader(table)
        self._connection.execute("SAVEPOINT page")
        with self._connection.stream(reader.select(after)) as cursor:
            for cells in reader.parts(iter(cursor.fetchone, None), batch_rows):
                yield reader.batch(cells)
        self._connection.execute("ROLLBACK TO SAVEPOINT page")

    def digest(self, table: Table) -> str:
        """Read `CHECKSUM TABLE`, which reads the view as any statement does; "" where the table is not in it.

        Raises:
            SnapshotGoneError: The table was changed since the snapshot began.
        """
        if not table.structure["consistent"] or table.structure["versioned"]:
            return ""
        with told(f"reading the checksum of {self._database}.{table.name}", in_view=True):
            self._connection.execute("SAVEPOINT page")
            if not is_as_it_was(self._connection, table):
                # A column that was added at once doesn't disturb a page, but would count here.
                raise SnapshotGoneError(f"{self._database}.{table.name}: {CHANGED}", hint=AGAIN)
            digest = checksum(self._connection, table.name)
            self._connection.execute("ROLLBACK TO SAVEPOINT page")
        return digest

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._connection.close()


def checksum(connection: Connection, table: str) -> str:
    """Read what `CHECKSUM TABLE` says of a table. It doesn't depend on the order of rows.

    Args:
        connection: The session has the database chosen.
        table: The table's name.

    Raises:
        Error: It says nothing, which it does where it can't read the table.
    """
    told_of = connection.words(f"CHECKSUM TABLE {quoted(table)} EXTENDED")[0][1]
    if not told_of:
        warnings = connection.words("SHOW WARNINGS")
        code, message = (int(warnings[0][1]), warnings[0][2]) if warnings else (0, "no checksum")
        raise OperationalError(code, message)
    return told_of


def _position(connection: Connection) -> Json:
    """Where changes go on from, as the binary log has it; {} without one."""
    rows = {row[0]: row[1] for row in connection.words("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, position = rows.get("Binlog_snapshot_file", ""), rows.get("Binlog_snapshot_position", "")
    if not file or not position.isdigit():
        return {}
    gtid = connection.word(f"SELECT BINLOG_GTID_POS({connection.literal(file)}, {position})")
    return {"gtid": gtid, "file": file, "position": int(position)}
