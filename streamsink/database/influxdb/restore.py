"""The way back into InfluxDB 1.x: retention policies, points in line protocol, continuous queries last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from streamsink.database.influxdb.client import InfluxClient, literal, quoted
from streamsink.database.influxdb.structure import nanoseconds, policies, shard_starts
from streamsink.database.point_lines import PointLines
from streamsink.database.points import Shape
from streamsink.database.protocol import Json, RowBatch, Table
from streamsink.errors import TerminalError

DELETES = 500
"""Statements in one request."""


class InfluxRestore:
    """See `Restore`."""

    def __init__(self, client: InfluxClient) -> None:
        self._client = client
        known = client.rows("SHOW DATABASES", "reading the databases")
        self._new = [client.database] not in known
        if self._new:
            client.rows(f"CREATE DATABASE {quoted(client.database)}", f"making {client.database}")
        self._in_use = {policy.name for policy in policies(client) if self._has_points(policy.name)}
        """Policies that stay as they are: a shorter duration would delete points that aren't ours."""
        self._shard_lengths_ns: dict[str, int] = {}

    def _has_points(self, policy: str) -> bool:
        statement = f"SELECT * FROM {quoted(policy)}./.*/ LIMIT 1"
        return bool(self._client.rows(statement, f"opening {self._client.database}"))

    def create(self, table: Table) -> None:
        """See `Restore.create`; InfluxDB makes a measurement with its first point."""
        self._policy(table.structure["policy"], keep=False)
        statement = f"SELECT * FROM {_place(table)} LIMIT 1"
        if self._client.rows(statement, f"making {table.name}"):
            raise TerminalError(
                f"{self._client.database}.{table.name} exists and has points",
                hint="restore into an empty database, or drop the measurement",
            )

    def _policy(self, told: Json, *, keep: bool) -> None:
        """Make a policy, or change it; until `finish` it keeps points for ever, old ones as well."""
        if told["name"] in self._in_use:
            return
        verb = "ALTER" if any(one.name == told["name"] for one in policies(self._client)) else "CREATE"
        duration = told["duration"] if keep and told["duration"] != "0s" else "INF"
        default = " DEFAULT" if keep and told["default"] else ""
        self._client.rows(
            f"{verb} RETENTION POLICY {quoted(told['name'])} ON {quoted(self._client.database)} DURATION {duration} "
            f"REPLICATION {told['replicas']} SHARD DURATION {told['shard_duration']}{default}",
            f"making the retention policy {told['name']}",
        )

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`; a point that is there keeps fields which the new one lacks, as InfluxDB has it."""
        lines = PointLines(Shape.from_json(table.structure)).of(rows.values)
        policy = table.structure["policy"]["name"]
        if policy not in self._shard_lengths_ns:
            self._shard_lengths_ns = {one.name: nanoseconds(one.shard_duration) for one in policies(self._client)}
        # InfluxDB 1.6 makes the shards of one write at the same time. One of some thousand then takes its points and
        # shows none of them until the server's next start.
        of_one_shard = lines.bodies(shard_starts(lines.times, self._shard_lengths_ns[policy]))
        self._client.write(of_one_shard, policy, f"loading {table.name}")

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`."""
        if not len(keys):
            return
        what = f"deleting from {table.name}"
        shape = Shape.from_json(table.structure)
        elsewhere = [
            policy.name for policy in policies(self._client) if policy.name != table.structure["policy"]["name"]
        ]
        for name in elsewhere:
            statement = f"SELECT * FROM {quoted(name)}.{quoted(shape.measurement)} LIMIT 1"
            if self._client.rows(statement, what):
                raise TerminalError(
                    f"{what}: the policy {name} has it as well, and InfluxDB deletes in all policies at once",
                    hint="restore into an empty database, this table alone",
                )
        statements = [_delete(shape, orjson.loads(key)) for key in keys.to_pylist()]
        for start in range(0, len(statements), DELETES):
            self._client.rows("; ".join(statements[start : start + DELETES]), what)

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:  # noqa: ARG002
        """See `Restore.finish`."""
        wanted = structure.get("retention_policies", ())
        for policy in wanted:
            self._policy(policy, keep=True)
        name = quoted(self._client.database)
        if self._new and wanted:
            for policy in policies(self._client):
                if policy.name not in {one["name"] for one in wanted}:
                    self._client.rows(f"DROP RETENTION POLICY {quoted(policy.name)} ON {name}", "finishing")
        for query in structure.get("continuous_queries", ()):
            what = f"making the continuous query {query['name']}"
            self._client.rows(f"DROP CONTINUOUS QUERY {quoted(query['name'])} ON {name}", what)
            self._client.rows(name.join(query["parts"]), what)

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": InfluxDB has no digest."""
        return ""

    def close(self) -> None:
        """See `Restore.close`."""
        self._client.close()


def _place(table: Table) -> str:
    return f"{quoted(table.structure['policy']['name'])}.{quoted(table.structure['measurement'])}"


def _delete(shape: Shape, key: dict[str, Any]) -> str:
    tags = [f"{quoted(name)} = {literal(key[name] or '')}" for name in shape.tags]
    where = " AND ".join([f"time = {key['time']}", *tags])
    return f"DELETE FROM {quoted(shape.measurement)} WHERE {where}"
