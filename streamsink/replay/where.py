"""A SQL predicate over archived rows, by DuckDB. It sees the rows of one batch, and nothing else of this machine."""

from __future__ import annotations

import pyarrow as pa

from streamsink.errors import ConfigError, Problem, TerminalError
from streamsink.replay.stream import Where

_ROW = "streamsink row"


def make_where(predicate: str) -> Where:
    """What says for each row whether the predicate holds.

    Raises:
        ConfigError: DuckDB isn't installed, or the predicate is no SQL.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError([Problem("--where", "needs DuckDB")], hint="pip install 'streamsink[sql]'") from None
    statement = f'SELECT "{_ROW}" FROM rows WHERE ({predicate}\n)'  # noqa: S608 - the user's own predicate, read-only
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "threads": "1",
        "TimeZone": "UTC",
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET lock_configuration = true")
    try:
        statements = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise ConfigError([Problem("--where", f"{predicate!r} is no predicate: {error}")]) from None
    if len(statements) != 1:
        raise ConfigError([Problem("--where", f"{predicate!r} is more than a predicate")])

    def where(rows: pa.RecordBatch) -> pa.BooleanArray:
        numbered = rows.append_column(_ROW, pa.array(range(rows.num_rows), pa.int32()))
        connection.register("rows", pa.Table.from_batches([numbered]))
        try:
            found = connection.execute(statement).fetchnumpy()[_ROW]
        except duckdb.Error as error:
            raise TerminalError(
                f"--where {predicate!r} can't be asked of these rows: {error}",
                hint="streamsink archive inspect shows an object's columns",
            ) from None
        finally:
            connection.unregister("rows")
        mask = pa.array([False] * rows.num_rows).to_numpy(zero_copy_only=False)
        mask[found] = True
        return pa.array(mask)

    return where
