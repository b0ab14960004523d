"""InfluxDB 2.x: snapshots of a bucket's measurements in order of time, and the way back. Knows nothing of archives.

Fields come one after another, so the points of a stretch of time are put together in memory. A stretch grows and
shrinks with what is in it; the order of rows does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from streamsink.database.http_client import Address, address_of
from streamsink.database.influxdb2.client import Influx2Client, flux_text
from streamsink.database.influxdb2.stretch import Stretch
from streamsink.database.point_lines import PointLines
from streamsink.database.point_rows import Columns, PointRows, batched_rows
from streamsink.database.points import Shape
from streamsink.database.protocol import Json, Point, RowBatch, Table
from streamsink.errors import TerminalError

PORT = 8086
EARLIEST, LATEST = -9223372036854775806, 9223372036854775806
VALUES_MAX = 200_000
"""Values of one stretch of time that memory holds."""
STRETCH_NS = 3600 * 10**9
_WORDS = (
    "each stretch of time as it was when it was read: InfluxDB has no view of a whole bucket, so points written to a "
    "stretch before it was read are in the snapshot, and later ones are not"
)


def open_database(url: str, options: Mapping[str, str]) -> Influx2Database:
    """The bucket of a URL.

    Args:
        url: `influxdb2://HOST:PORT/BUCKET`, with TLS `influxdb2+https://`.
        options: `org`, `token`, `tls_ca`, `tls_cert`, `tls_key`, `timeout_s`.

    Returns:
        The bucket, without a connection.

    Raises:
        ConfigError: They don't fit.
    """
    example = "influxdb2://influx.internal:8086/metrics"
    return Influx2Database(address_of(url, options, port=PORT, known=("org", "token"), example=example))


class Influx2Database:
    """See `Database`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._address.path

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> Influx2Snapshot:
        """See `Database.snapshot`."""
        assert point is None, "no point of InfluxDB's returns"
        client = Influx2Client(self._address)
        try:
            return Influx2Snapshot(client, tables)
        except BaseException:
            client.close()
            raise

    def restore(self) -> Influx2Restore:
        """See `Database.restore`."""
        client = Influx2Client(self._address)
        try:
            return Influx2Restore(client)
        except BaseException:
            client.close()
            raise


class Influx2Snapshot:
    """See `Snapshot`."""

    def __init__(self, client: Influx2Client, tables: Sequence[str]) -> None:
        self._client = client
        self.point = Point({}, _WORDS)
        self.tables = self._chosen(tables)
        self.structure: Json = {}

    def _chosen(self, names: Sequence[str]) -> list[Table]:
        what = f"reading the measurements of {self._client.bucket}"
        call = f"schema.measurements(bucket: {flux_text(self._client.bucket)}, start: {_time(EARLIEST)})"
        known = sorted(name for rows in self._client.select(f"{_SCHEMA}{call}", what) for name in rows.texts("_value"))
        missing = [name for name in names if name not in known]
        if missing:
            raise TerminalError(
                f"{self._client.bucket} has no measurement {', '.join(missing)}",
                hint=f"it has {', '.join(known) or 'none'}",
            )
        return [self._table(name) for name in dict.fromkeys(names or known)]

    def _table(self, name: str) -> Table:
        what = f"reading the fields of {self._client.bucket}.{name}"
        whole = f"bucket: {flux_text(self._client.bucket)}, measurement: {flux_text(name)}, start: {_time(EARLIEST)}"
        found = self._client.select(f"{_SCHEMA}schema.measurementTagKeys({whole})", what)
        tags = [name for rows in found for name in rows.texts("_value") if not name.startswith("_")]
        firsts = f'{_points_of(self._client, name, EARLIEST)} |> first() |> keep(columns: ["_field", "_value"])'
        fields: dict[str, set[str]] = {}
        for rows in self._client.select(firsts, what):
            for field in set(rows.texts("_field")):
                fields.setdefault(field, set()).add(rows.kind)
        shape = Shape.of(name, tags, fields)
        return Table(name, shape.to_json(), shape.key, value_schema=shape.value_schema())

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`."""
        shape = Shape.from_json(table.structure)
        rows = PointRows(shape)
        behind = None if after is None else shape.place(after)
        found = self._points(shape, EARLIEST if behind is None else behind[0])
        yield from batched_rows((rows.of(points, behind=behind) for points in found), batch_rows)

    def _points(self, shape: Shape, start: int) -> Iterator[Columns]:
        """The points from a time on, stretch by stretch."""
        length = STRETCH_NS
        while (first := self._first(shape, start)) is not None:
            start = first
            found = stretch(self._client, shape, start, start + length, most=VALUES_MAX if length > 1 else None)
            if found is None:
                length //= 2
                continue
            yield found
            start += length
            length = length * 2 if len(found.times) * len(shape.columns) < VALUES_MAX // 4 else length

    def _first(self, shape: Shape, start: int) -> int | None:
        """The first time from another one on that has a point."""
        if start > LATEST:
            return None
        # Values of several types can't be in one table, so they are left out before tables are joined.
        lone = '|> keep(columns: ["_time"]) |> group() |> min(column: "_time")'
        earliest = f"{_points_of(self._client, shape.measurement, start)} {lone}"
        found = [rows.times for rows in self._client.select(earliest, _reading(shape)) if len(rows)]
        return min((int(times.min()) for times in found), default=None)

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": InfluxDB has no digest."""
        return ""

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._client.close()


class Influx2Restore:
    """See `Restore`."""

    def __init__(self, client: Influx2Client) -> None:
        self._client = client
        # Whether the bucket is there and may be read is known before anything is loaded.
        flux = f"{_SCHEMA}schema.measurements(bucket: {flux_text(client.bucket)}, start: {_time(EARLIEST)})"
        for _ in client.select(flux, f"opening {client.bucket}"):
            pass

    def create(self, table: Table) -> None:
        """See `Restore.create`; InfluxDB makes a measurement with its first point."""
        flux = f"{_points_of(self._client, table.structure['measurement'], EARLIEST)} |> limit(n: 1)"
        if list(self._client.select(flux, f"making {table.name}")):
            raise TerminalError(
                f"{self._client.bucket}.{table.name} exists and has points",
                hint="restore into an empty bucket, or delete the measurement",
            )

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`; a point that is there keeps fields which the new one lacks, as InfluxDB has it."""
        lines = PointLines(Shape.from_json(table.structure)).of(rows.values)
        self._client.write(lines.bodies(), f"loading {table.name}")

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`: all points of a time are deleted, and written again but for those."""
        shape, what = Shape.from_json(table.structure), f"deleting from {table.name}"
        gone = {shape.place(key) for key in keys.to_pylist()}
        for time in sorted({place[0] for place in gone}):
            found = stretch(self._client, shape, time, time + 1, most=None)
            rows = PointRows(shape).of(found or Columns([], [], {}))
            stay = [shape.place(key) not in gone for key in rows.keys.to_pylist()]
            if not all(stay):
                self._client.delete(shape.measurement, time, what)
                self._client.write(PointLines(shape).of(rows.values.filter(pa.array(stay))).bodies(), what)

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """See `Restore.finish`; there is nothing left to make."""

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": InfluxDB has no digest."""
        return ""

    def close(self) -> None:
        """See `Restore.close`."""
        self._client.close()


_SCHEMA = 'import "influxdata/influxdb/schema" '


def stretch(client: Influx2Client, shape: Shape, start: int, stop: int, *, most: int | None) -> Columns | None:
    """Read the points of a stretch of time.

    Args:
        client: A client of the bucket.
        shape: The measurement. Tags and fields that it lacks were written later, and are left out.
        start: The first nanosecond, Unix time.
        stop: The nanosecond behind the last.
        most: Values that memory should hold at most; None for no limit.

    Returns:
        The points in key order, None where there are more values than `most`.

    Raises:
        TransientError: The server is away.
        TerminalError: A field has another type than the shape says.
    """
    found = Stretch(shape)
    for rows in client.select(_points_of(client, shape.measurement, start, stop), _reading(shape)):
        found.add(rows)
        if most is not None and found.count > most:
            return None
    return found.points()


def _points_of(client: Influx2Client, measurement: str, start: int, stop: int = LATEST + 1) -> str:
    span = f"range(start: {_time(start)}, stop: {_time(min(stop, LATEST + 1))})"
    chosen = f"filter(fn: (r) => r._measurement == {flux_text(measurement)})"
    return f"from(bucket: {flux_text(client.bucket)}) |> {span} |> {chosen}"


def _time(time_ns: int) -> str:
    return f"time(v: {time_ns})"


def _reading(shape: Shape) -> str:
    return f"reading {shape.measurement}"
