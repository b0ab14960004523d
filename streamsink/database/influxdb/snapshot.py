"""Reads InfluxDB 1.x shard by shard: over several, a query would turn integers to floats. Knows no archives."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from streamsink.database.influxdb import structure
from streamsink.database.influxdb.client import InfluxClient, quoted
from streamsink.database.influxdb.structure import EARLIEST, LATEST, Policy
from streamsink.database.point_rows import Columns, PointRows, batched_rows
from streamsink.database.points import Shape, kind_of
from streamsink.database.protocol import Point, RowBatch, Table
from streamsink.errors import TerminalError, TransientError

_WORDS = (
    "each shard as it was when it was read: InfluxDB has no view of a whole database, so points written to a shard "
    "before it was read are in the snapshot, and later ones are not"
)
_MIXED = (
    "fields have several types, and the user may not see the shards: where a policy's shard duration was changed, "
    "integers may have become floats; an administrator reads them exactly"
)
_PYTHON = {"float": float, "integer": int, "unsigned": int, "boolean": bool, "string": str}


class InfluxSnapshot:
    """See `Snapshot`."""

    def __init__(self, client: InfluxClient, tables: Sequence[str]) -> None:
        self._client = client
        policies = structure.policies(client)
        self._shards = structure.shards(client)
        self.point = Point({}, _WORDS)
        self.tables = self._chosen(policies, tables)
        self.structure = {
            "retention_policies": [policy.to_json() for policy in policies],
            "continuous_queries": structure.continuous_queries(client),
        }

    def _chosen(self, policies: Sequence[Policy], names: Sequence[str]) -> list[Table]:
        known: dict[str, Table] = {}
        for policy in policies:
            for shape in structure.measurements(self._client, policy):
                name = structure.table_name(policy, shape.measurement, [one.name for one in policies])
                known[name] = self._table(name, policy, shape)
        missing = [name for name in names if name not in known]
        if missing:
            raise TerminalError(
                f"{self._client.database} has no measurement {', '.join(missing)} with points",
                hint=f"it has {', '.join(sorted(known)) or 'none'}; outside of the default retention policy "
                "a measurement is named POLICY.MEASUREMENT",
            )
        return [known[name] for name in dict.fromkeys(names or sorted(known))]

    def _table(self, name: str, policy: Policy, shape: Shape) -> Table:
        mixed = len({column.field for column in shape.columns.values()}) < len(shape.columns)
        return Table(
            name,
            structure={"policy": policy.to_json(), **shape.to_json()},
            key=shape.key,
            value_schema=shape.value_schema(),
            notice=_MIXED if mixed and self._shards is None else "",
        )

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`."""
        shape = Shape.from_json(table.structure)
        yield from batched_rows(self._pieces(table, shape, after), batch_rows)

    def _pieces(self, table: Table, shape: Shape, after: bytes | None) -> Iterator[RowBatch]:
        behind = None if after is None else shape.place(after)
        reader, rows = _Reader(shape), PointRows(shape)
        for start, end in self._spans(table, EARLIEST if behind is None else behind[0]):
            for points in self._span(table, reader, start, end):
                yield rows.of(points, behind=behind)

    def _spans(self, table: Table, start: int) -> Iterator[tuple[int, int]]:
        """The shards from a time on. Where the user may not see them, the policy's duration tells them."""
        policy = table.structure["policy"]
        if self._shards is not None:
            for first, end in self._shards.get(policy["name"], ()):
                if end > start:
                    yield max(first, start), end
            return
        length = structure.nanoseconds(policy["shard_duration"])
        while start <= LATEST:
            where = f"WHERE time >= {start} AND time <= {LATEST} LIMIT 1"
            found = self._client.rows(f"SELECT * FROM {_place(table)} {where}", self._reading(table))
            if not found:
                return
            first, end = structure.shard_around(found[0][0], length)
            yield max(first, start), end
            start = end

    def _span(self, table: Table, reader: _Reader, start: int, end: int) -> Iterator[Columns]:
        """The points of one shard in order of time. Points of the last time wait: more of that time may follow."""
        where = f"WHERE time >= {start} AND time <= {end - 1}"
        statement = f"SELECT {reader.selected} FROM {_place(table)} {where}"
        waiting: list[list[Any]] = []
        cut = False
        for series in self._client.stream(statement, self._reading(table)):
            cut = series.get("partial", False)
            waiting += series["values"]
            at = bisect_left(waiting, waiting[-1][0], key=itemgetter(0)) if waiting else 0
            if at:
                yield reader.columns(waiting[:at])
                waiting = waiting[at:]
        if cut:
            raise TransientError(f"{self._reading(table)}: the answer breaks off", hint="does the server limit rows?")
        if waiting:
            yield reader.columns(waiting)

    def _reading(self, table: Table) -> str:
        return f"reading {self._client.database}.{table.name}"

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": InfluxDB has no digest."""
        return ""

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._client.close()


class _Reader:
    """Asks for a shape's fields and tags by place, since InfluxDB may give a field and a tag one name."""

    def __init__(self, shape: Shape) -> None:
        by_field: dict[str, dict[str, str]] = {}
        for name, column in shape.columns.items():
            by_field.setdefault(column.field, {})[column.kind] = name
        self._kinds: list[Mapping[str, str]] = list(by_field.values())
        self._types = [_types(kinds) for kinds in self._kinds]
        fields = [f"{quoted(name)}::field AS f{at}" for at, name in enumerate(by_field)]
        tags = [f"{quoted(name)}::tag AS t{at}" for at, name in enumerate(shape.tags)]
        self.selected = ", ".join([*fields, *tags])

    def columns(self, values: list[list[Any]]) -> Columns:
        """The points of an answer's rows."""
        tags_at = 1 + len(self._kinds)
        times, *columns = zip(*values, strict=True)
        tags = list(zip(*columns[tags_at - 1 :], strict=True)) or [()] * len(values)
        fields: dict[str, Sequence[Any]] = {}
        for kinds, types, column in zip(self._kinds, self._types, columns[: tags_at - 1], strict=True):
            if set(map(type, column)) <= types:
                fields |= dict.fromkeys(kinds.values(), column)
            else:
                fields |= _apart(kinds, column)
        return Columns(times, tags, fields)


def _apart(kinds: Mapping[str, str], column: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """A field of several types, by type. What the view doesn't know was written after it was opened."""
    found: dict[str, list[Any]] = {name: [None] * len(column) for name in kinds.values()}
    for place, cell in enumerate(column):
        name = None if cell is None else kinds.get(kind_of(cell))
        if name is None and isinstance(cell, int):
            name = kinds.get("unsigned")
        if name is not None:
            found[name][place] = cell
    return dict(found)


def _types(kinds: Mapping[str, str]) -> set[type]:
    """The types of which all values are of the first column."""
    return {type(None)} if len(kinds) > 1 else {type(None), _PYTHON[next(iter(kinds))]}


def _place(table: Table) -> str:
    return f"{quoted(table.structure['policy']['name'])}.{quoted(table.structure['measurement'])}"
