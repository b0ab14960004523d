"""Writes tables into a MariaDB database: structure, rows, and at the end what refers to other tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import orjson
import pyarrow as pa
from pymysql.err import Error

from streamsink.database.mariadb.columns import Column, quoted
from streamsink.database.mariadb.connection import Connection
from streamsink.database.mariadb.failures import DUPLICATE_FOREIGN_KEY, NO_SUCH_TABLE, TRUNCATED, code_of, told
from streamsink.database.mariadb.literals import literals, matching
from streamsink.database.mariadb.snapshot import checksum
from streamsink.database.mariadb.structure import columns_of
from streamsink.database.protocol import Json, RowBatch, Table
from streamsink.errors import TerminalError

STATEMENT_BYTES = 4 << 20
"""A statement of many rows ends here, or at half of what the server takes."""
DELETED_AT_ONCE = 500
PART_BYTES = 4 << 20
"""Rows of so much JSON are written as SQL at once; in Python they take several times as much."""

_SESSION = {
    # Not strict, so that an ENUM's error value can be written; each statement's warnings are looked at instead.
    "sql_mode": "'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
    "foreign_key_checks": "0",
    "check_constraint_checks": "0",
    "max_error_count": "65535",
}
_DEFINER = re.compile(r"\bDEFINER\s*=\s*(`(?:[^`]|``)*`@`(?:[^`]|``)*`|`(?:[^`]|``)*`)\s*", re.IGNORECASE)
_ABOUT_COLUMN = re.compile(r"Data truncated for column '(.*)' at row \d+$")


class MariaRestore:
    """See `Restore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._database = connection.address.database
        with told(f"opening {self._database} for a restore"):
            connection.set(_SESSION)
            known = "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "
            if not connection.words(known + connection.literal(self._database)):
                connection.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(self._database)}")
            connection.execute(f"USE {quoted(self._database)}")
            self._packet_bytes = int(connection.word("SELECT @@max_allowed_packet"))

    def create(self, table: Table) -> None:
        """See `Restore.create`."""
        create = str(table.structure["create"])
        with told(f"creating {self._database}.{table.name}"):
            self._create_sequences(table.structure["sequences"])
            if self._has_rows(table.name):
                raise TerminalError(
                    f"the table {self._database}.{table.name} exists and has rows",
                    hint="restore into another database, or drop the table first",
                )
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(table.name)}")
            self._connection.execute(create)

    def _has_rows(self, table: str) -> bool:
        try:
            return bool(self._connection.words(f"SELECT 1 FROM {quoted(table)} LIMIT 1"))
        except Error as error:
            if code_of(error) != NO_SUCH_TABLE:
                raise
        return False

    def _create_sequences(self, sequences: Sequence[Json]) -> None:
        for each in sequences:
            self._connection.execute(each["sql"].replace("CREATE SEQUENCE", "CREATE SEQUENCE IF NOT EXISTS", 1))

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`."""
        columns = [column for column in columns_of(table.structure) if not column.generated]
        names = ", ".join(quoted(column.name) for column in columns)
        head = f"{'REPLACE' if table.key else 'INSERT'} INTO {quoted(table.name)} ({names}) VALUES "
        with told(f"loading {self._database}.{table.name}"), self._transaction():
            for values in _parts(rows.values):
                documents = orjson.loads(b"[" + b",".join(values) + b"]")
                cells = [literals(column, [document.get(column.name) for document in documents]) for column in columns]
                unknown = _unknown_members(columns, cells)
                for statement in self._statements(head, zip(*cells, strict=True)):
                    self._judge(self._connection.execute(statement), unknown)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("START TRANSACTION")
        try:
            yield
        except BaseException:
            with suppress(Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _statements(self, head: str, rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
        """Statements of many rows each, none longer than the server takes if it isn't one row's."""
        waiting: list[str] = []
        size = 0
        for row in rows:
            text = f"({','.join(row)})"
            if len(head) + len(text) >= self._packet_bytes:
                raise TerminalError(
                    f"a row takes a statement of {len(text):,} bytes, and the server takes {self._packet_bytes:,}",
                    hint="raise max_allowed_packet on the server, to more than twice the longest row",
                )
            if waiting and size + len(text) > min(STATEMENT_BYTES, self._packet_bytes // 2):
                yield head + ",".join(waiting)
                waiting, size = [], 0
            waiting.append(text)
            size += len(text) + 1
        if waiting:
            yield head + ",".join(waiting)

    def _judge(self, warnings: int, unknown: Counter[str]) -> None:
        """Refuse what the server stored otherwise than it was written.

        Args:
            warnings: How many the last statement had.
            unknown: How many warnings each column may still have.

        Raises:
            TerminalError: Naming the first such value.
        """
        for _, code, message in self._connection.words("SHOW WARNINGS") if warnings else ():
            about = _ABOUT_COLUMN.match(message)
            if int(code) == TRUNCATED and about is not None and unknown[about[1]]:
                unknown[about[1]] -= 1
                continue
            raise TerminalError(
                f"the server would change a value: {message}", hint="is this the archive of the same table?"
            )

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`."""
        columns = {column.name: column for column in columns_of(table.structure)}
        chosen = [columns[name] for name in table.key]
        wanted = [f"({matching(chosen, key)})" for key in keys.to_pylist()]
        with told(f"deleting from {self._database}.{table.name}"):
            for start in range(0, len(wanted), DELETED_AT_ONCE):
                some = " OR ".join(wanted[start : start + DELETED_AT_ONCE])
                self._connection.execute(f"DELETE FROM {quoted(table.name)} WHERE {some}")

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """See `Restore.finish`."""
        self._finish_tables(tables)
        if not structure or set(structure["tables"]) - {table.name for table in tables}:
            return
        with told(f"finishing {self._database}"):
            self._create_sequences(structure["sequences"])
            for each in structure["sequences"]:
                self._connection.execute(f"DO SETVAL({quoted(each['name'])}, {int(each['next'])}, 0)")
            self._connection.execute(
                f"ALTER DATABASE {quoted(self._database)} CHARACTER SET {_plain(structure['charset'])} "
                f"COLLATE {_plain(structure['collation'])}"
            )
            for each in structure["routines"]:
                self._create_program(each)
        self._create_views(structure["views"])
        with told(f"finishing {self._database}"):
            for each in structure["events"]:
                self._create_program(each)

    def _finish_tables(self, tables: Sequence[Table]) -> None:
        for table in tables:
            with told(f"finishing {self._database}.{table.name}"):
                for key in table.structure["foreign_keys"]:
                    self._add_foreign_key(table.name, key)
                for each in table.structure["sequences"]:
                    self._connection.execute(f"DO SETVAL({quoted(each['name'])}, {int(each['next'])}, 0)")
        for table in tables:
            with told(f"creating triggers of {self._database}.{table.name}"):
                for each in table.structure["triggers"]:
                    self._create_program({"kind": "TRIGGER", **each})

    def _add_foreign_key(self, table: str, key: str) -> None:
        try:
            self._connection.execute(f"ALTER TABLE {quoted(table)} ADD {key}")
        except Error as error:
            if code_of(error) != DUPLICATE_FOREIGN_KEY:
                raise

    def _create_views(self, views: Sequence[Json]) -> None:
        """Make views whose tables and views are there, until no other one can be made."""
        left = list(views)
        while left:
            failed: list[tuple[Json, Error]] = []
            for each in left:
                try:
                    self._create_program(each)
                except Error as error:
                    failed.append((each, error))
            if len(failed) == len(left):
                with told(f"creating the view {self._database}.{failed[0][0]['name']}"):
                    raise failed[0][1]
            left = [each for each, _ in failed]

    def _create_program(self, program: Json) -> None:
        """Make a view, routine, trigger or event anew, in a session like the one it was made in."""
        sql = str(program["sql"])
        if self._connection.address.definer == "none":
            sql = _DEFINER.sub("", sql, count=1)
        if program["kind"] == "EVENT":
            self._connection.set({"time_zone": self._connection.literal(program["time_zone"])})
        self._connection.execute(f"DROP {program['kind']} IF EXISTS {quoted(program['name'])}")
        self._connection.set(
            {
                "sql_mode": self._connection.literal(program.get("sql_mode", "")),
                "collation_connection": _plain(program["collation"]),
            }
        )
        try:
            self._connection.execute(sql)
        finally:
            self._connection.set(
                {
                    "collation_connection": "utf8mb4_general_ci",
                    "sql_mode": _SESSION["sql_mode"],
                    "time_zone": "'+00:00'",
                }
            )

    def digest(self, table: Table) -> str:
        """See `Restore.digest`."""
        if table.structure["versioned"]:
            return ""
        with told(f"reading the checksum of {self._database}.{table.name}"):
            return checksum(self._connection, table.name)

    def close(self) -> None:
        """See `Restore.close`."""
        self._connection.close()


def _unknown_members(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Counter[str]:
    """How many values of each ENUM are none of its members: the server warns of each, and stores it as it is."""
    lists = [(column.name, texts) for column, texts in zip(columns, cells, strict=True) if column.word == "enum"]
    return Counter({name: texts.count("X''") + texts.count("0") for name, texts in lists})


def _parts(values: pa.BinaryArray) -> Iterator[list[bytes]]:
    """Rows in parts that are held in memory at once."""
    waiting: list[bytes] = []
    size = 0
    for value in values:
        row = value.as_py()
        waiting.append(row)
        size += len(row)
        if size > PART_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _plain(name: str) -> str:
    """The name of a character set, a collation: a word.

    Raises:
        TerminalError: It is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise TerminalError(f"{name!r} is no name of a character set or collation", hint="is the archive sound?")
    return name
