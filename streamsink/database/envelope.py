"""Makes records for topics of a table's rows, in Debezium's envelope. Sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink import __version__
from streamsink.database.protocol import RowBatch, Table
from streamsink.replay.rows import RECORDS

_ROW = "\0row\0"


class Envelope:
    """The envelope of one table's rows.

    Args:
        prefix: The connector's `topic.prefix`, Debezium's `source.name`.
        database: The database's name.
        table: Whose rows.
        at_ms: When the snapshot began: `source.ts_ms`, and the records' timestamp.
        snapshot_id: The snapshot's.
    """

    def __init__(self, prefix: str, database: str, table: Table, *, at_ms: int, snapshot_id: str) -> None:
        self._at_ms = at_ms
        self._bson = table.converter == "bson"
        self._parts = {
            mark: _around(self._document(prefix, database, table.name, mark, snapshot_id)) for mark in ("true", "last")
        }

    def _document(self, prefix: str, database: str, table: str, mark: str, snapshot_id: str) -> dict[str, Any]:
        where = "collection" if self._bson else "table"
        return {
            "before": None,
            "after": _ROW,
            "source": {
                "version": __version__,
                "connector": "streamsink",
                "name": prefix,
                "ts_ms": self._at_ms,
                "snapshot": mark,
                "db": database,
                where: table,
                "snapshot_id": snapshot_id,
            },
            "op": "r",
            "ts_ms": self._at_ms,
        }

    def records(self, rows: RowBatch, *, last: bool) -> pa.RecordBatch:
        """The records of some rows.

        Args:
            rows: In order.
            last: Whether the last of them is the table's last.

        Returns:
            As many records, in the columns of `RECORDS`, with offsets from 0.
        """
        count = len(rows.values)
        after = pa.array(list(_as_text(rows.values)), pa.binary()) if self._bson else rows.values
        values = _enclosed(after, self._parts["true"])
        if last:
            final = _enclosed(after.slice(count - 1), self._parts["last"])
            values = pa.concat_arrays([values.slice(0, count - 1), final])
        return records_of(rows.keys, values, self._at_ms)


def records_of(keys: pa.BinaryArray, values: pa.BinaryArray, at_ms: int) -> pa.RecordBatch:
    """Make records of one time, as `Sender` takes them.

    Args:
        keys: One a record, null for none.
        values: One a record, null for a tombstone.
        at_ms: The records' time, Unix time in milliseconds.

    Returns:
        The columns of `RECORDS`, without headers. Offsets count from 0.
    """
    count = len(values)
    columns = [
        pa.array(range(count), pa.int64()),
        pa.array([at_ms] * count, pa.int64()),
        keys,
        values,
        pa.nulls(count, RECORDS.field("headers").type),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)


def _around(document: dict[str, Any]) -> tuple[bytes, bytes]:
    """Give the text of the envelope before a row, and the text behind it."""
    before, _, behind = orjson.dumps(document).partition(orjson.dumps(_ROW))
    return before, behind


def _enclosed(rows: pa.BinaryArray, parts: tuple[bytes, bytes]) -> pa.BinaryArray:
    before, behind = (pa.scalar(part, pa.binary()) for part in parts)
    return pc.binary_join_element_wise(before, rows, behind, pa.scalar(b"", pa.binary()))


def _as_text(documents: pa.BinaryArray) -> Iterator[bytes]:
    """BSON as Debezium has it: a JSON string whose content is the document as extended JSON."""
    from streamsink.database.bson_rows import extended_json  # noqa: PLC0415 (an extra)

    for document in documents.to_pylist():
        yield json.dumps(extended_json(document)).encode()
