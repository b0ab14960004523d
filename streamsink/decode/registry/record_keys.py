"""Reads keys whose schemas a registry has, for transforms that look at them. Does no I/O but by its registry."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamsink.decode.record_keys import Keys
from streamsink.decode.registry.values import RegistryColumns, RegistryValues
from streamsink.decode.registry.wire import Int64s

_MIXED = "the key is a record, and others are none, or the other way round"
_CLASHES = "the key's fields clash with those of others"


class RegistryKeys:
    """One connector's keys.

    Args:
        values: What reads whatever has its schema in the registry.
    """

    def __init__(self, values: RegistryValues) -> None:
        self._values = values

    def decode(self, topic: str, keys: pa.Array) -> Keys:
        """Read a slice's keys. Keys of several schemas come in the columns of all of them.

        Args:
            topic: The topic's name, which the subject may depend on.
            keys: One key a row, in Confluent's framing; null where a record has none.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        bad: dict[int, str] = {}
        order: list[Int64s] = []
        table: pa.Table | None = None
        bare = False
        for rows in self._values.split(topic, keys):
            part = self._values.read(topic, keys.take(pa.array(rows)))
            bad |= {int(rows[row]): f"the key: {why}" for row, why in part.bad.items()}
            if not part.arrays:
                continue
            if table is not None and part.bare is not bare:
                bad = dict.fromkeys(rows.tolist(), _MIXED) | bad
                continue
            try:
                columns = _table(part)
                table = columns if table is None else pa.concat_tables([table, columns], promote_options="permissive")
            except pa.ArrowException as error:
                bad = dict.fromkeys(rows.tolist(), f"{_CLASHES}: {error}") | bad
                continue
            bare = part.bare
            order.append(rows)
        if table is None:
            return Keys(pa.nulls(len(keys)), is_json=False, declared=True, bad=bad)
        return Keys(_array(table, np.concatenate(order), len(keys), bare=bare), is_json=False, declared=True, bad=bad)


def _table(part: RegistryColumns) -> pa.Table:
    fields = [member.with_nullable(True).remove_metadata() for member in part.fields]
    return pa.Table.from_arrays(part.arrays, schema=pa.schema(fields))


def _array(table: pa.Table, rows: Int64s, count: int, *, bare: bool) -> pa.Array:
    """One key a row, null for the rows that have none."""
    places, missing = np.zeros(count, np.int64), np.ones(count, np.bool_)
    places[rows], missing[rows] = np.arange(len(rows)), False
    indexes = pa.array(places, mask=missing)
    columns = [column.combine_chunks().take(indexes) for column in table.columns]
    if bare:
        return columns[0]
    return pa.StructArray.from_arrays(columns, fields=list(table.schema), mask=pa.array(missing))
