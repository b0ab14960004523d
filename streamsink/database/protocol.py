"""The database seam: a consistent view of tables, their rows in key order, and the way back. Talks to nothing.

A snapshot's rows are records like any topic's: the key is the primary key, the value is the row in bytes that a
converter of `decode/` reads. So formats, names, columns and verification are the sink's.
`tests/contract/test_database.py` holds each implementation to what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

Json = Mapping[str, Any]
"""What `orjson` writes and reads back equal."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, collection, measurement or ledger, with all that is needed to make it again.

    Attributes:
        name: Unique in its database.
        structure: Columns, indexes, views and options, in the database's terms; `Restore.create` reads it.
        key: Names of the primary key's fields, in order; empty where the table has none.
        converter: The `value.converter` that reads the values: `json` or `bson`.
        value_schema: The `value.schema` that gives the columns their types; "" where they follow from the values.
        rows_estimate: How many rows the database thinks that there are; None where it doesn't say.
        notice: What a restore can't promise of this table, in words; "" where it promises all.
    """

    name: str
    structure: Json
    key: tuple[str, ...]
    converter: str = "json"
    value_schema: str = ""
    rows_estimate: int | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows in key order: `keys` and `values` (both `pa.binary()`) run side by side.

    A key is JSON text of the key's fields in order, for example `{"id":7}`; null where the table has no key.
    """

    keys: pa.BinaryArray
    values: pa.BinaryArray


@dataclass(frozen=True, slots=True)
class Point:
    """A snapshot's place in the database's history.

    Attributes:
        position: In the database's terms, for example `{"gtid": "0-1-42"}`; it says where changes go on from.
        words: How consistent the snapshot is, in a sentence that a person reads.
        returns: Whether `Database.snapshot` can open the same view once more, after the process has died.
    """

    position: Json = field(default_factory=dict)
    words: str = ""
    returns: bool = False


class Snapshot(Protocol):
    """An open view of some tables. One thread owns it."""

    @property
    def point(self) -> Point:
        """The view's place in the database's history. It is the same as long as the view is open."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """The chosen tables. Parents come before tables that refer to them."""
        ...

    @property
    def structure(self) -> Json:
        """The parts of the database that belong to no table: views, routines, retention policies."""
        ...

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """The table's rows in key order, in batches of at most `batch_rows`.

        The order is the same each time the same view is read. Where a table has no key, `after` must be None.

        Args:
            table: One of `tables`.
            after: The key to go on behind, as a batch gave it; None from the first row.
            batch_rows: The most rows that one batch holds.

        Yields:
            Rows with their keys, which are null where the table has none.

        Raises:
            SnapshotGoneError: The database no longer keeps this view, for example behind MongoDB's window.
            TransientError: The server is away.
            TerminalError: It refuses: permission, a value that has no form.
        """
        ...

    def digest(self, table: Table) -> str:
        """The database's own digest of the table in this view, once all rows were read.

        "" where it has none, or can't tell without stopping writes: then a restore is compared by its rows, read back,
        so equal tables must give equal rows. A database whose rows have parts that no restore brings back, such as
        versions, gives a digest of the rest.

        Raises:
            SnapshotGoneError: The table was changed, or the database no longer keeps this view.
            TransientError: The server is away.
        """
        ...

    def close(self) -> None:
        """Let go of the view. A second call does nothing."""
        ...


class Restore(Protocol):
    """Writes tables into a database. One thread owns it."""

    def create(self, table: Table) -> None:
        """Make the table, without what slows loading or refers to others.

        Raises:
            TerminalError: It exists and has rows.
        """
        ...

    def load(self, table: Table, rows: RowBatch) -> None:
        """Insert rows, or replace those of the same key. Loading a batch twice leaves what loading it once does.

        Args:
            table: The table that `create` made.
            rows: Keys and values, one a row; the keys are null where the table has none.

        Raises:
            TransientError: The server is away; some rows may be in.
            TerminalError: It refuses a row.
        """
        ...

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """Delete rows by key. A key that isn't there is no error.

        Args:
            table: The table, which has a key.
            keys: One a row to delete, in the form that `RowBatch` has.

        Raises:
            TransientError: The server is away; some rows may be gone.
            TerminalError: It refuses.
        """
        ...

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """Make what `create` left out: indexes, foreign keys, views, triggers, routines.

        Args:
            structure: What belongs to the database and to no table; empty where only a part of the tables is restored.
            tables: The tables that were loaded.

        Raises:
            TransientError: The server is away.
            TerminalError: It refuses.
        """
        ...

    def digest(self, table: Table) -> str:
        """The database's own digest of what the table holds now; comparable with `Snapshot.digest`, and "" with it."""
        ...

    def close(self) -> None:
        """Let go of the connection. A second call does nothing."""
        ...


class Database(Protocol):
    """A server's database. Holds no connection until it is asked for something."""

    @property
    def name(self) -> str:
        """The database's name: the middle part of `<prefix>.<database>.<table>`."""
        ...

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> Snapshot:
        """Open a view.

        Args:
            tables: Names, or empty for all.
            point: Of an earlier view that is to be opened once more; only where its `returns` is true.

        Returns:
            The open view, which the caller closes.

        Raises:
            SnapshotGoneError: The server no longer keeps that point.
            TransientError: The server is away.
            TerminalError: A table is missing, or the user may not read.
        """
        ...

    def restore(self) -> Restore:
        """Open the way in.

        Raises:
            TransientError: The server is away.
            TerminalError: The user may not write.
        """
        ...
