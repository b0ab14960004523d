"""Evaluates a SQL predicate over one batch of archived rows, by DuckDB. It can read nothing else."""

from __future__ import annotations

import pyarrow as pa

from streamsink.encode.nested import schema_with_leaves
from streamsink.errors import ConfigError, Problem
from streamsink.replay.stream import Where

_ROW = "streamsink row"


def make_where(predicate: str) -> Where:
    """Make the function that tells for each row whether the predicate holds.

    Raises:
        ConfigError: DuckDB isn't installed, or the predicate is no SQL. What is made raises it too, where rows don't
            have what the predicate names.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError([Problem("--where", "needs DuckDB")], hint="pip install 'streamsink[sql]'") from None
    statement = f'SELECT "{_ROW}" FROM rows WHERE ({predicate}\n)'  # noqa: S608 - the user's own predicate, read-only
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "1"})
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        connection.execute(f"SET {setting} = false")
    connection.execute("SET lock_configuration = true")
    try:
        statements = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise ConfigError([Problem("--where", f"{predicate!r} is no predicate: {_first_line(error)}")]) from None
    if len(statements) != 1:
        raise ConfigError([Problem("--where", f"{predicate!r} is more than a predicate")])

    def where(rows: pa.RecordBatch) -> pa.BooleanArray:
        plain = rows.cast(schema_with_leaves(rows.schema, _without_zone))
        numbered = plain.append_column(_ROW, pa.array(range(rows.num_rows), pa.int32()))
        connection.register("rows", pa.Table.from_batches([numbered]))
        try:
            found = connection.execute(statement).fetchnumpy()[_ROW]
        except duckdb.Error as error:
            problem = Problem("--where", f"{predicate!r} can't be asked of these rows: {_first_line(error)}")
            raise ConfigError([problem], hint="streamsink archive inspect shows an object's columns") from None
        finally:
            connection.unregister("rows")
        mask = pa.array([False] * rows.num_rows).to_numpy(zero_copy_only=False)
        mask[found] = True
        return pa.array(mask)

    return where


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _without_zone(type_: pa.DataType) -> pa.DataType:
    """Times as UTC's clock shows them: DuckDB compares zoned ones only with an extension it would fetch."""
    return pa.timestamp(type_.unit) if pa.types.is_timestamp(type_) else type_
