"""InfluxDB 1.x beyond the contract: exact values, what readers see, what can not be written, outages."""

import contextlib
import math
import re

import orjson
import pyarrow as pa
import pytest

from streamsink.database.influxdb import client, open_database
from streamsink.database.point_lines import PointLines
from streamsink.database.point_rows import Columns, PointRows
from streamsink.database.points import Column, Shape
from streamsink.database.protocol import Table
from streamsink.errors import TerminalError, TransientError
from tests.contract.influxdb_database import HOUR_NS, InfluxBackend
from tests.servers.process import free_port
from tests.servers.tcp_proxy import TcpProxy


@pytest.fixture
def backend(influxdb):
    return InfluxBackend(influxdb)


@pytest.fixture
def name(backend, unique):
    shop = unique.replace("-", "_")
    backend.fill(shop, 100)
    return shop


def read(database):
    """All rows by table, and the tables."""
    with contextlib.closing(database.snapshot([])) as snapshot:
        rows = {}
        for table in snapshot.tables:
            batches = list(snapshot.rows(table, after=None, batch_rows=40))
            rows[table.name] = [
                pair for batch in batches for pair in zip(batch.keys.to_pylist(), batch.values.to_pylist(), strict=True)
            ]
        return rows, {table.name: table for table in snapshot.tables}


def test_values_are_what_was_written_each_of_its_type(backend, name):
    rows, tables = read(backend.open(name))
    first = orjson.loads(rows["orders"][1][1])["fields"]
    assert math.copysign(1, first["zero"]) == -1
    assert first["tiny"] == 1e-323
    assert first["large"] == 1.7976931348623157e308
    assert first["long"] == 1 - 2**63
    assert (type(first["whole"]), type(first["number"]), first["flag"]) == (float, int, True)
    assert first["text"] == 'Bestellung 1 über "Äpfel" \\ 🍏\n'
    assert first["empty"] == ""
    schema = orjson.loads(tables["orders"].value_schema)
    assert [part["field"] for part in schema["fields"]] == ["time", "tags", "fields"]


def test_a_field_of_several_types_has_a_column_for_each(backend, name):
    rows, tables = read(backend.open(name))
    fields = [orjson.loads(value)["fields"] for _, value in rows["changed types"]]
    assert fields == [{"v::float": 1.0, "b::boolean": True}, {"v::integer": 2, "b::float": 3.0}, {"v::string": "x"}]
    assert tables["changed types"].structure["columns"]["v::integer"] == ["v", "integer"]


def test_a_field_and_a_tag_of_one_name_stay_apart_and_the_last_nanosecond_is_read(backend, name):
    rows, _ = read(backend.open(name))
    values = [orjson.loads(value) for _, value in rows["same names"]]
    assert values == [
        {"time": 5, "tags": {"y": "tag"}, "fields": {"x::integer": 1}},
        {"time": 9223372036854775806, "tags": {"x": "tag"}, "fields": {"x::float": 1.0, "y": 2.0}},
    ]


def test_a_reader_who_may_not_see_the_shards_reads_the_same_rows(backend, name):
    of_admin, _ = read(backend.open(name))
    of_reader, tables = read(backend.open_as_reader(name))
    assert of_reader == of_admin
    assert "shard duration" in tables["changed types"].notice


_TIMES = re.compile(rb" (\d{19})(?:\n|$)")


def test_each_write_of_a_restore_is_of_one_shard(backend, name, monkeypatch):
    sent = []
    write = client.InfluxClient.write

    def written(self, bodies, policy, what):
        held = list(bodies)
        sent.extend((what, body) for body in held)
        write(self, held, policy, what)

    monkeypatch.setattr(client.InfluxClient, "write", written)
    with (
        contextlib.closing(backend.open(name).snapshot([])) as snapshot,
        contextlib.closing(backend.open(f"{name}_copy").restore()) as restore,
    ):
        for table in snapshot.tables:
            restore.create(table)
        for table in snapshot.tables:
            for rows in snapshot.rows(table, after=None, batch_rows=40):
                restore.load(table, rows)
    orders = [[int(time) for time in _TIMES.findall(body)] for what, body in sent if what == "loading orders"]
    assert sum(map(len, orders)) == 100
    assert all(len({time // (2 * HOUR_NS) for time in times}) == 1 for times in orders)
    assert max(map(len, orders)) > 1
    assert read(backend.open(name))[0] == read(backend.open(f"{name}_copy"))[0]


def test_points_older_than_their_policy_keeps_are_restored_and_the_policy_comes_last(backend, influxdb, name):
    database = backend.open(name)
    with contextlib.closing(database.snapshot([])) as snapshot:
        old = next(table for table in snapshot.tables if table.name == "bri%2Eef.orders")
        short = {**old.structure, "policy": {**old.structure["policy"], "duration": "24h0m0s"}}
        policies = [
            one if one["name"] != "bri.ef" else short["policy"] for one in snapshot.structure["retention_policies"]
        ]
        with contextlib.closing(backend.open(f"{name}_copy").restore()) as restore:
            restore.create(Table(old.name, short, old.key))
            for rows in snapshot.rows(old, after=None, batch_rows=100):
                restore.load(Table(old.name, short, old.key), rows)
            restore.finish({"retention_policies": policies}, [])
    found = influxdb.query(f"SHOW RETENTION POLICIES ON {name}_copy")
    assert [row[:3] for row in found] == [["autogen", "0s", "2h0m0s"], ["bri.ef", "24h0m0s", "2h0m0s"]]
    assert len(influxdb.query('SELECT number FROM "bri.ef".orders', f"{name}_copy")) == 20


def test_a_policy_that_has_points_already_is_left_as_it_is(backend, influxdb, name):
    with contextlib.closing(backend.open(name).restore()) as restore:
        shorter = {"name": "autogen", "duration": "1h", "shard_duration": "1h", "replicas": 1, "default": True}
        restore.finish({"retention_policies": [shorter]}, [])
    assert influxdb.query(f"SHOW RETENTION POLICIES ON {name}")[0][:3] == ["autogen", "0s", "2h0m0s"]


@pytest.mark.parametrize("tag", ["ends\\", "a\\,b", "a\\ b", "a\nb"])
def test_what_line_protocol_can_not_hold_is_refused_not_changed(tag):
    shape = Shape("m", ("t",), {"v": Column("v", "float")})
    rows = PointRows(shape).of(Columns([1], [(tag,)], {"v": [1.0]}))
    with pytest.raises(TerminalError) as raised:
        PointLines(shape).of(rows.values)
    assert raised.value.hint


def test_a_server_that_goes_away_in_the_middle_is_a_transient_error(backend, influxdb, name):
    proxy = TcpProxy(free_port(), influxdb.port)
    proxy.start()
    try:
        url = f"influxdb://127.0.0.1:{proxy.port}/{name}"
        snapshot = open_database(url, {**influxdb.options, "timeout_s": "5"}).snapshot(["orders"])
        rows = snapshot.rows(snapshot.tables[0], after=None, batch_rows=5)
        next(rows)
        proxy.cut()
        with pytest.raises(TransientError):
            list(rows)
        snapshot.close()
    finally:
        proxy.stop()


def test_a_server_that_says_nothing_is_given_up_in_time(influxdb):
    proxy = TcpProxy(free_port(), influxdb.port)
    proxy.start()
    try:
        proxy.stall()
        with pytest.raises(TransientError) as raised:
            open_database(f"influxdb://127.0.0.1:{proxy.port}/x", {"timeout_s": "0.3"}).snapshot([])
        assert raised.value.hint
    finally:
        proxy.stop()


def test_a_wrong_password_is_said_with_where_it_belongs(influxdb):
    with pytest.raises(TerminalError) as raised:
        open_database(influxdb.url("x"), {"username": "admin", "password": "wrong"}).snapshot([])
    assert "password" in raised.value.hint


def test_deleting_from_one_policy_alone_is_refused_where_another_has_the_measurement(backend, name):
    with contextlib.closing(backend.open(name).snapshot(["orders"])) as snapshot:
        table = snapshot.tables[0]
        keys = next(snapshot.rows(table, after=None, batch_rows=1)).keys
    with contextlib.closing(backend.open(name).restore()) as restore:
        restore.delete(table, pa.array([], pa.binary()))
        with pytest.raises(TerminalError, match=r"bri\.ef"):
            restore.delete(table, keys)
    assert backend.count(name, "orders") == 100


@pytest.mark.parametrize("chunk_rows", [1, 2, 7])
def test_points_of_one_time_are_in_order_wherever_the_servers_chunks_end(
    backend, influxdb, name, chunk_rows, monkeypatch
):
    ties = ['m,host=a,x=t x=1.5,i=3i,b=true,s="q" 7', "m,host=b x=-0.0,i=1i 7", "m x=1e300 7"]
    influxdb.write(ties, name)
    whole, _ = read(backend.open(name))
    assert [orjson.loads(key)["host"] for key, _ in whole["m"]] == [None, "a", "b"]
    monkeypatch.setattr(client, "CHUNK_ROWS", chunk_rows)
    assert read(backend.open(name))[0] == whole
