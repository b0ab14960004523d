"""Reads the structure of a MariaDB database: tables with columns, keys, constraints, and its programs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from streamsink.database.mariadb.columns import Column, Form, column_of, quoted, value_schema
from streamsink.database.mariadb.connection import Connection
from streamsink.database.protocol import Json, Table
from streamsink.errors import TerminalError

CONSISTENT_ENGINES = frozenset({"INNODB", "ROCKSDB"})
"""Engines whose tables a consistent snapshot holds still."""

_TABLE_TYPES = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})
_FOREIGN_KEY = re.compile(r"^  (CONSTRAINT (?:`(?:[^`]|``)*` )?FOREIGN KEY .*?),?$", re.MULTILINE)
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_ROW_TIME = re.compile(r"^  `((?:[^`]|``)*)` .* GENERATED ALWAYS AS ROW (?:START|END)", re.MULTILINE)
_SEQUENCE_USED = re.compile(r"\b((?:next|last)val)\(`((?:[^`]|``)*)`\.`((?:[^`]|``)*)`\)", re.IGNORECASE)

NO_KEY = (
    "no primary key: rows have no order, a snapshot that was broken off begins this table anew, and it is restored "
    "into an empty table only"
)
NO_VIEW = "{engine} has no transactions: the table has what was there when it was read, and no digest"
VERSIONED = "system versioning: the rows of now are kept, their history and their times are not"
MANY_MEMBERS = (
    "members of {columns} are kept by number: MariaDB doesn't tell names beyond U+FFFF, and an empty name is no name"
)


@dataclass(slots=True)
class _Found:
    """One table, as `information_schema` tells of it."""

    name: str
    engine: str
    versioned: bool
    rows: int | None
    row_bytes: int
    columns: list[Column] = field(default_factory=list)
    indexes: dict[str, list[_Part]] = field(default_factory=lambda: defaultdict(list))
    parents: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of a unique index."""

    column: str
    prefix: bool
    nullable: bool


class Catalog:
    """The tables of one database.

    Args:
        connection: Whose session is inside the snapshot, so that a later change of a table can't go unnoticed.
        database: Its name.
    """

    def __init__(self, connection: Connection, database: str) -> None:
        self._connection = connection
        self._database = database
        self._schema = connection.literal(database)
        self.row_bytes: dict[str, int] = {}
        """About how long a row of each table is, once `tables` has been asked."""
        if not connection.words(f"SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {self._schema}"):
            raise TerminalError(
                f"there is no database {database}, or the user may not see it", hint="the path of the URL names it"
            )
        connection.execute(f"USE {quoted(database)}")

    def tables(self, names: Sequence[str]) -> list[Table]:
        """Read the tables of these names, or all. Parents come before tables that refer to them.

        Raises:
            TerminalError: One is missing, or can't be read.
        """
        found = self._found()
        missing = [name for name in dict.fromkeys(names) if name not in found]
        if missing:
            raise TerminalError(
                f"{self._database} has no table {', '.join(missing)}, or the user may not read it",
                hint=f"it has {', '.join(sorted(found)[:20]) or 'none'}; views are not read, but kept with all tables",
            )
        chosen = {name: found[name] for name in sorted(set(names) or found)}
        self.row_bytes = {name: each.row_bytes for name, each in chosen.items()}
        self._add_columns(found)
        self._add_indexes(found)
        self._add_parents(found)
        return [self._table(each) for each in _parents_first(chosen)]

    def _found(self) -> dict[str, _Found]:
        rows = self._connection.words(
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, AVG_ROW_LENGTH "
            f"FROM information_schema.TABLES WHERE TABLE_SCHEMA = {self._schema}"
        )
        return {
            name: _Found(name, engine, kind != "BASE TABLE", int(count) if count else None, int(size or 0))
            for name, kind, engine, count, size in rows
            if kind in _TABLE_TYPES
        }

    def _add_columns(self, found: Mapping[str, _Found]) -> None:
        rows = self._connection.words(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, EXTRA FROM information_schema.COLUMNS "
            f"WHERE TABLE_SCHEMA = {self._schema} ORDER BY TABLE_NAME, ORDINAL_POSITION"
        )
        for table, name, kind, charset, extra in rows:
            if table in found:
                generated = "GENERATED" in extra.upper() and "DEFAULT_GENERATED" not in extra.upper()
                found[table].columns.append(column_of(name, kind, charset or None, generated=generated))

    def _add_indexes(self, found: Mapping[str, _Found]) -> None:
        rows = self._connection.words(
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS "
            f"WHERE TABLE_SCHEMA = {self._schema} AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        )
        for table, index, column, prefix, nullable in rows:
            if table in found:
                found[table].indexes[index].append(_Part(column, bool(prefix), nullable == "YES"))

    def _add_parents(self, found: Mapping[str, _Found]) -> None:
        rows = self._connection.words(
            "SELECT TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS "
            f"WHERE CONSTRAINT_SCHEMA = {self._schema}"
        )
        for child, parent in rows:
            if child in found:
                found[child].parents.add(parent)

    def _table(self, found: _Found) -> Table:
        self._connection.execute(f"SELECT * FROM {quoted(found.name)} LIMIT 0")
        create = _shown(self._connection, found.name)
        row_times = {name.replace("``", "`") for name in _ROW_TIME.findall(create)}
        keys = [part for part in _key(found.indexes) if part.column not in row_times]
        consistent = found.engine.upper() in CONSISTENT_ENGINES
        used = [(schema, name.replace("``", "`")) for _, schema, name in _SEQUENCE_USED.findall(create)]
        sequences = sorted({name for schema, name in used if schema.replace("``", "`") == self._database})
        structure = {
            "create": _standing_alone(create, self._database),
            "foreign_keys": _FOREIGN_KEY.findall(create),
            "columns": [column.to_json() for column in found.columns],
            "ordered_by_index": not any(part.prefix for part in keys),
            "consistent": consistent,
            "versioned": found.versioned,
            "sequences": [sequence(self._connection, name) for name in sequences],
            "triggers": self._triggers(found.name),
        }
        return Table(
            found.name,
            structure=structure,
            key=tuple(part.column for part in keys),
            value_schema=orjson.dumps(value_schema(found.columns)).decode(),
            rows_estimate=found.rows,
            notice=_notice(found, keyed=bool(keys), consistent=consistent),
        )

    def _triggers(self, table: str) -> list[Json]:
        rows = self._connection.words(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS "
            f"WHERE TRIGGER_SCHEMA = {self._schema} AND EVENT_OBJECT_TABLE = {self._connection.literal(table)} "
            "ORDER BY ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
        )
        return [self._trigger(name) for (name,) in rows]

    def _trigger(self, name: str) -> Json:
        row = self._connection.words(f"SHOW CREATE TRIGGER {quoted(name)}")[0]
        sql = own_trigger(row[2], self._database)
        return {"name": name, "sql_mode": row[1], "sql": sql, "charset": row[3], "collation": row[4]}


def sequence(connection: Connection, name: str) -> Json:
    """Read a sequence, and the number that it gives next.

    Args:
        connection: The session has the database chosen.
        name: The sequence's name.

    Returns:
        `name`, `sql` and `next`.
    """
    return {
        "name": name,
        "sql": connection.words(f"SHOW CREATE SEQUENCE {quoted(name)}")[0][1],
        "next": connection.word(f"SELECT next_not_cached_value FROM {quoted(name)}"),
    }


def is_as_it_was(connection: Connection, table: Table) -> bool:
    """Tell whether a table is still made as its structure says. Its counter doesn't count.

    Args:
        connection: The session has the database chosen.
        table: The table, with the structure from when the snapshot began.
    """
    now = _standing_alone(_shown(connection, table.name), connection.address.database)
    return _COUNTER.sub("", now) == _COUNTER.sub("", table.structure["create"])


def _shown(connection: Connection, name: str) -> str:
    return connection.words(f"SHOW CREATE TABLE {quoted(name)}")[0][1]


def _standing_alone(create: str, database: str) -> str:
    """A table's definition that names no other table, and not its own database."""
    return own_sequences(_without_foreign_keys(create), database)


def own_sequences(sql: str, database: str) -> str:
    """Take the database's name from sequences in the server's SQL, so that the SQL fits any database.

    Args:
        sql: As the server shows it, with the database's name before each sequence.
        database: The database's name. Sequences of other databases keep theirs.
    """

    def named(found: re.Match[str]) -> str:
        return f"{found[1]}(`{found[3]}`)" if found[2].replace("``", "`") == database else found[0]

    return _SEQUENCE_USED.sub(named, sql)


def own_trigger(sql: str, database: str) -> str:
    """Take the database's name from the head of a trigger. The rest stays as its author wrote it.

    Args:
        sql: `CREATE TRIGGER`, as the server shows it.
        database: The database's name.
    """
    own = rf"(?:{re.escape(quoted(database))}|{re.escape(database)})\s*\.\s*"
    for word in ("trigger", "on"):
        sql = re.sub(rf"(\b{word}\s+){own}", r"\1", sql, count=1, flags=re.IGNORECASE)
    return sql


def columns_of(structure: Json) -> list[Column]:
    """The columns in a table's structure."""
    return [Column.from_json(document) for document in structure["columns"]]


def _key(indexes: Mapping[str, list[_Part]]) -> list[_Part]:
    """The columns of the primary key, or else of a unique index that has no null and no prefix."""
    if "PRIMARY" in indexes:
        return indexes["PRIMARY"]
    usable = [parts for parts in indexes.values() if not any(part.nullable or part.prefix for part in parts)]
    return min(usable, key=len, default=[])


def _without_foreign_keys(create: str) -> str:
    """A table's definition without lines that refer to other tables."""
    lines = [line for line in create.split("\n") if not _FOREIGN_KEY.match(line)]
    last = next(place for place, line in enumerate(lines) if line.startswith(")"))
    lines[last - 1] = lines[last - 1].removesuffix(",")
    return "\n".join(lines)


def _notice(found: _Found, *, keyed: bool, consistent: bool) -> str:
    by_number = [column.name for column in found.columns if column.form is Form.NUMBER]
    words = [
        "" if keyed else NO_KEY,
        "" if consistent else NO_VIEW.format(engine=found.engine),
        VERSIONED if found.versioned else "",
        MANY_MEMBERS.format(columns=", ".join(by_number)) if by_number else "",
    ]
    return "; ".join(word for word in words if word)


def _parents_first(chosen: Mapping[str, _Found]) -> Iterable[_Found]:
    """Tables in an order in which parents come first, as far as they don't refer to each other."""
    done: dict[str, _Found] = {}
    while len(done) < len(chosen):
        left = [each for name, each in chosen.items() if name not in done]
        ready = [each for each in left if all(p in done or p == each.name or p not in chosen for p in each.parents)]
        for each in ready or left[:1]:
            done[each.name] = each
    return done.values()
